"""What a run says when a script has asked for it."""

from __future__ import annotations

import logging
import sys


class Words(logging.Handler):
    """Keeps a run's warnings, and prints all it says if asked to.

    Args:
        verbose: whether all is printed.

    Attributes:
        warnings: so far.
    """

    def __init__(self, verbose: bool) -> None:
        super().__init__()
        self.verbose, self.warnings = verbose, list[str]()

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            self.warnings.append(record.getMessage())
        if self.verbose:
            print(record.getMessage(), file=sys.stdout, flush=True)
