"""What a run says when a script has asked for it."""

from __future__ import annotations

import logging
import sys


class Words(logging.Handler):
    """A logger of one run that is registered nowhere: keeps warnings, and prints all if asked to.

    Args:
        verbose: whether all is printed.

    Attributes:
        warnings: so far.
        logger: takes the words.
    """

    def __init__(self, verbose: bool) -> None:
        super().__init__()
        self.verbose, self.warnings = verbose, list[str]()
        self.logger = logging.Logger("epymarl_cpa.train", logging.INFO)
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            self.warnings.append(record.getMessage())
        if self.verbose:
            print(record.getMessage(), file=sys.stdout, flush=True)
