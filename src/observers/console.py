"""What a run says while it goes on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from logging import Logger
from pathlib import Path
from typing import Any

from .base import Observer, RunStart
from .summary import told


class ConsoleObserver(Observer):
    """A line for every evaluation, a block of all series at every ``log_interval``, and a summary at the end.

    Args:
        console: takes the words.
    """

    def __init__(self, console: Logger) -> None:
        self._console = console
        self._latest: dict[str, float] = {}
        self._model = ""

    def start(self, run: RunStart) -> None:
        self._run, self._began, self._first, self._t_max = run, time.monotonic(), run.t_env, run.t_max

    def evaluation(self, t_env: int, values: Mapping[str, float]) -> None:
        self._latest |= values
        if t_env > self._first and t_env <= self._t_max:
            left = (time.monotonic() - self._began) * (self._t_max - t_env) / (t_env - self._first)
            self._console.info("%3d %% of %d, %.0f s left; test return %.4f", 100 * t_env // self._t_max, self._t_max,
                               left, values.get("test_return_mean", float("nan")))

    def statistics(self, t_env: int, values: Mapping[str, float]) -> None:
        self._latest |= values
        if "episode" in values:  # logged once every log_interval
            self._block(t_env)

    def _block(self, t_env: int) -> None:
        """The last value of every series, so that all are of the same team."""
        cells = [f"{key + ':':<26}{value:>10.4f}" for key, value in sorted(self._latest.items()) if key != "episode"]
        rows = ["   ".join(cells[i:i + 3]) for i in range(0, len(cells), 3)]
        self._console.info("t_env %d, episode %d\n%s", t_env, self._latest["episode"], "\n".join(rows))

    def checkpoint(self, t_env: int, folder: Path) -> None:
        self._model = str(folder)
        self._console.info("model: %s", folder)

    def end(self, result: Mapping[str, Any]) -> None:
        if result:
            self._console.info("%s", told(self._run, result, self._model, time.monotonic() - self._began))
