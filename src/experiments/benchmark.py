"""``python -m epymarl_cpa.experiments.benchmark`` measures the speed of evaluation: see :mod:`.measure.benchmark`."""

from __future__ import annotations

from .measure.benchmark import main

if __name__ == "__main__":
    main()
