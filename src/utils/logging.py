"""Where a run's words go."""

from __future__ import annotations

import logging
import sys
from typing import TextIO


class PresentOutput(logging.StreamHandler[TextIO]):
    """Writes to what ``sys.stdout`` is at that moment: while Sacred records what is said, it is another one."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # an attribute of its parent
        return sys.stdout

    @stream.setter
    def stream(self, value: TextIO) -> None:
        """Nobody else's stream is kept."""


def get_logger() -> logging.Logger:
    """The console logger of a run."""
    logger = logging.getLogger("epymarl_cpa")
    logger.handlers.clear()
    handler = PresentOutput()
    handler.setFormatter(logging.Formatter("[%(levelname)s %(asctime)s] %(message)s", "%H:%M:%S"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return logger
