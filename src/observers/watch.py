"""All observers of a run, none of whom can harm it."""

from __future__ import annotations

import copy
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from logging import Logger
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..utils.progress import PACE
from .base import Observer, RunStart


class Watch:
    """Tells every observer, each by itself, and gives each copies of its own.

    Whatever it draws at random or writes to leaves the run as it was.  Values are plain finite floats; others are
    reported once and left out, because NaN is not JSON and breaks databases and dashboards.

    Args:
        make: makes the observers of the run, by their names.
        console: takes words.

    Attributes:
        series: all that was told, by name: its times and its values.
    """

    def __init__(self, make: Mapping[str, Callable[[], Observer]], console: Logger) -> None:
        self._observers, self.console = dict[str, Observer](), console
        self._odd: set[str] = set()
        self._due = 0.0
        self.series: dict[str, tuple[list[int], list[float]]] = {}
        for name, maker in make.items():
            with self._contained(name, "being made", 0):
                self._observers[name] = maker()

    @property
    def stop(self) -> tuple[str, str] | None:
        """Who wants the run to end, and why."""
        return next(((name, each.stop) for name, each in self._observers.items() if each.stop), None)

    def start(self, run: RunStart) -> None:
        """Raises:
            UserError: an observer cannot work here.
        """
        self._tell("start", run.t_env, lambda each: each.start(copy.deepcopy(run)))

    def progress(self, t_env: int) -> None:
        """Passes on now and then how far training is; costs next to nothing, however often it is called."""
        now = time.monotonic()
        if now >= self._due:
            self._due = now + PACE
            self._tell("progress", t_env, lambda each: each.progress(t_env),
                       lambda each: type(each).progress is not Observer.progress)

    def evaluation(self, t_env: int, values: Mapping[str, float]) -> None:
        told = self._finite(t_env, values)
        self._tell("evaluation", t_env, lambda each: each.evaluation(t_env, dict(told)))

    def statistics(self, t_env: int, values: Mapping[str, float]) -> None:
        if values:
            told = self._finite(t_env, values)
            self._tell("statistics", t_env, lambda each: each.statistics(t_env, dict(told)))

    def episodes(self, t_env: int, values: Mapping[str, NDArray[np.float64]]) -> None:
        told = {key: [float(value) for value in each] for key, each in values.items() if np.isfinite(each).all()}
        self._tell("episodes", t_env, lambda each: each.episodes(t_env, copy.deepcopy(told)))

    def checkpoint(self, t_env: int, folder: Path) -> None:
        self._tell("checkpoint", t_env, lambda each: each.checkpoint(t_env, folder))

    def end(self, t_env: int, result: Mapping[str, Any]) -> None:
        self._tell("end", t_env, lambda each: each.end(copy.deepcopy(result)))

    def _tell(self, what: str, t_env: int, tell: Callable[[Observer], None],
              listens: Callable[[Observer], bool] = lambda each: True) -> None:
        for name, each in list(self._observers.items()):
            if listens(each):
                with self._contained(name, what, t_env):
                    tell(each)

    @contextmanager
    def _contained(self, name: str, what: str, t_env: int) -> Iterator[None]:
        """Leaves out an observer that raises inside the ``with`` block, and the generators as they were."""
        from ..utils.generators import generators, set_generators  # here: lists of observers are made without PyTorch

        states = random.getstate(), np.random.get_state(), generators()
        try:
            yield
        except (Exception, SystemExit) as error:  # whatever a user's observer raises must not cost the run
            if what == "start" and isinstance(error, UserError):
                raise
            self._observers.pop(name, None)
            self.console.warning("the observer '%s' failed in %s at t_env %d (%s: %s) and is left out from now on; "
                                 "the run goes on", name, what, t_env, type(error).__name__, error)
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
            set_generators(states[2])

    def _finite(self, t_env: int, values: Mapping[str, float]) -> dict[str, float]:
        for key, value in values.items():
            if not math.isfinite(value) and key not in self._odd:
                self._odd.add(key)
                self.console.warning("%s is not finite at t_env %d; such values are not recorded", key, t_env)
        told = {key: float(value) for key, value in values.items() if math.isfinite(value)}
        for key, value in told.items():
            times, before = self.series.setdefault(key, ([], []))
            times.append(t_env)
            before.append(value)
        return told
