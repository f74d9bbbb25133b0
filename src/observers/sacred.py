"""Series, models and provenance go to the Sacred run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .base import Observer, RunStart


class SacredObserver(Observer):
    """Series reach Sacred both as metrics and in ``run.info``, since some observers of Sacred's keep only one of them.

    Args:
        run: the Sacred run.
    """

    def __init__(self, run: Any) -> None:
        self._run = run

    def start(self, run: RunStart) -> None:
        self._run.info["made_by"] = dict(run.made_by)
        if run.model:
            self._run.info["model"] = str(run.model)
        for key, (times, values) in run.series.items():
            for t_env, value in zip(times, values, strict=True):
                self.evaluation(t_env, {key: value})
        for each in getattr(self._run, "observers", ()):
            if hasattr(each, "note"):
                each.note("model", str(run.results / "models" / run.name))

    def evaluation(self, t_env: int, values: Mapping[str, float]) -> None:
        for key, value in values.items():
            self._run.log_scalar(key, value, t_env)
            self._run.info.setdefault(key, []).append(value)
            self._run.info.setdefault(f"{key}_T", []).append(t_env)

    def statistics(self, t_env: int, values: Mapping[str, float]) -> None:
        self.evaluation(t_env, values)

    def episodes(self, t_env: int, values: Mapping[str, Sequence[float]]) -> None:
        self._run.info |= {f"test_{key}_episodes": list(each) for key, each in values.items()}

    def checkpoint(self, t_env: int, folder: Path) -> None:
        self._run.info["model"] = str(folder)
