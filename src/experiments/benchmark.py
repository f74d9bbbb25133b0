"""``python -m epymarl_cpa.experiments.benchmark`` measures the speed of evaluation: see :mod:`.measure.benchmark`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="epymarl-cpa benchmark",
                                     description="Speed of evaluation: all episodes at once against one at a time.")
    parser.add_argument("--episodes", type=int, default=500, help="played of every game (default 500)")
    args = parser.parse_args(argv)
    if args.episodes < 1:
        parser.error("--episodes must be at least 1")
    from .measure import benchmark  # here: it takes a moment

    benchmark.main(args.episodes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
