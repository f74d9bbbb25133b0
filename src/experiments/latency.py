"""``python -m epymarl_cpa.experiments.latency`` measures how fast one agent decides: see :mod:`.measure.latency`."""

from __future__ import annotations

from .measure.latency import main

if __name__ == "__main__":
    main()
