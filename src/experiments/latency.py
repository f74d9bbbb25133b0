"""``python -m epymarl_cpa.experiments.latency`` measures how fast one agent decides: see :mod:`.measure.latency`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="epymarl-cpa latency",
                                     description="How long one agent takes to decide, in teams of 2 to 64.")
    parser.add_argument("--times", type=int, default=300, help="decisions of each kind (default 300)")
    args = parser.parse_args(argv)
    if args.times < 10:
        parser.error("--times must be at least 10")
    from .measure import latency  # here: it needs torch

    latency.main(args.times)
    return 0


if __name__ == "__main__":
    sys.exit(main())
