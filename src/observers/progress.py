"""The live line of a run that trains."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from ..envs.score import score
from ..utils.progress import Counter, counting
from .base import Observer, RunStart


class ProgressObserver(Observer):
    """How far the run is, with its last loss and its last test result; only where there is a terminal."""

    def start(self, run: RunStart) -> None:
        self._run, self._loss, self._result, self._open = run, "", "", ExitStack()
        self._counter: Counter | None = None
        if run.config["evaluate"] or run.t_env >= run.t_max or run.config["runner"] == "record":
            return  # nothing is trained
        what = f"{run.config['name']} {run.config['env_args']['map_name'][:20]}"
        self._counter = self._open.enter_context(counting(what, run.t_max, "updates", run.t_env, foremost=True))

    def progress(self, t_env: int) -> None:
        if self._counter is not None:
            self._counter.at(t_env, "  ".join(filter(None, (self._loss, self._result))))

    def evaluation(self, t_env: int, values: Mapping[str, float]) -> None:
        run = self._run
        names = [*(["test_exact_return_mean"] if run.headline == "return" else []), f"test_{run.headline}_mean"]
        value = next((values[name] for name in names if name in values), None)
        if value is not None:
            reached = None if run.random is None else score(value, run.random, run.best)
            self._result = f"{run.headline.replace('_', ' ')} {value:.4g}" if reached is None else \
                f"score {reached:.3f}"

    def statistics(self, t_env: int, values: Mapping[str, float]) -> None:
        losses = [value for name, value in values.items() if name.endswith("_loss")]
        if losses:
            self._loss = f"loss {sum(losses):.4g}"

    def end(self, result: Mapping[str, Any]) -> None:
        self._open.close()
