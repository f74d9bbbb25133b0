"""Where a run's words go."""

from __future__ import annotations

import logging
import sys


def get_logger() -> logging.Logger:
    """The console logger of a run."""
    logger = logging.getLogger("epymarl_cpa")
    logger.handlers.clear()
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("[%(levelname)s %(asctime)s] %(message)s", "%H:%M:%S"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return logger
