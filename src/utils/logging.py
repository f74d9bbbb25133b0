"""Statistics go to Sacred, to TensorBoard if wanted, and in summaries to the console."""

from __future__ import annotations

import logging
import math
import sys
from collections import defaultdict, deque
from pathlib import Path
from typing import Any

from ..errors import UserError


class Logger:
    """EPyMARL's logger: ``log_stat`` for series, ``console_logger`` for words.

    Series reach Sacred both as metrics (``log_scalar``) and in ``run.info``, since some observers
    keep only one of them.  Values are plain finite floats; others are reported once and left out,
    because NaN is not JSON and breaks databases and dashboards.
    """

    RECENT = 5

    def __init__(self, console_logger: logging.Logger) -> None:
        self.console_logger = console_logger
        self.stats: dict[str, deque[tuple[int, float]]] = defaultdict(lambda: deque(maxlen=self.RECENT))
        self._run: Any = None
        self._writer: Any = None
        self._odd: set[str] = set()

    def setup_sacred(self, run: Any) -> None:
        """From now on, series are recorded in the Sacred run."""
        self._run = run

    def setup_tb(self, folder: Path) -> None:
        """From now on, series are written as TensorBoard files, too.

        Raises:
            UserError: the extra is not installed.
        """
        try:
            from torch.utils.tensorboard.writer import SummaryWriter
        except ImportError:
            raise UserError("use_tensorboard=true needs TensorBoard: pip install 'epymarl-cpa[tensorboard]'.") from None
        self._writer = SummaryWriter(str(folder))  # type: ignore[no-untyped-call]

    def note(self, key: str, fact: str) -> None:
        """Records a fact about the run, such as where its model lies, in Sacred's ``info``."""
        if self._run is not None:
            self._run.info[key] = fact

    def log_stat(self, key: str, value: float, t: int, to_sacred: bool = True) -> None:
        """Adds the point (t, value) to the series ``key``."""
        value, t = float(value), int(t)
        if not math.isfinite(value):
            if key not in self._odd:
                self._odd.add(key)
                self.console_logger.warning("%s is not finite at t_env %d; such values are not recorded", key, t)
            return
        self.stats[key].append((t, value))
        if self._writer is not None:
            self._writer.add_scalar(key, value, t)
        if self._run is not None and to_sacred:
            self._run.log_scalar(key, value, t)
            self._run.info.setdefault(key, []).append(value)
            self._run.info.setdefault(f"{key}_T", []).append(t)

    def print_recent_stats(self) -> None:
        """Prints the mean of the last few points of every series."""
        t_env, episode = self.stats["episode"][-1] if self.stats["episode"] else (0, 0.0)
        cells = [f"{key + ':':<26}{sum(v for _, v in points) / len(points):>10.4f}"
                 for key, points in sorted(self.stats.items()) if key != "episode" and points]
        rows = ["   ".join(cells[i:i + 3]) for i in range(0, len(cells), 3)]
        self.console_logger.info("t_env %d, episode %d\n%s", t_env, episode, "\n".join(rows))

    def finish(self) -> None:
        """Closes files."""
        if self._writer is not None:
            self._writer.close()


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
