"""Small runs and what they leave behind, for tests that look at it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch as th

#: what keeps a run small; a test's own words win
SMALL = {"seed": "1", "t_max": "6", "batch_size": "8", "hidden_dim": "8", "test_nepisode": "4", "test_interval": "4",
         "learner_log_interval": "1", "save_model_interval": "0", "dataset": "medium", "recipes.medium.episodes": "40"}


@dataclass(frozen=True)
class Outcome:
    """What a run left behind.

    Attributes:
        status: exit status.
        sacred: the run's Sacred folder, if one was made.
        models: the run's folder of checkpoints, if one was made.
    """

    status: int
    sacred: Path | None
    models: Path | None

    def record(self, name: str) -> dict[str, Any]:
        """One of Sacred's files: config, run, info or metrics."""
        assert self.sacred is not None
        content: dict[str, Any] = json.loads((self.sacred / f"{name}.json").read_text())
        return content

    def result(self) -> dict[str, Any]:
        """What the run ended with."""
        result: dict[str, Any] = self.record("info")["result"]
        return result

    def series(self) -> dict[str, list[tuple[int, float]]]:
        """Points (t_env, value) of every metric."""
        return {key: list(zip(entry["steps"], entry["values"], strict=True))
                for key, entry in self.record("metrics").items()}

    def steps(self) -> list[int]:
        """t_env of every checkpoint."""
        assert self.models is not None
        return sorted(int(folder.name) for folder in self.models.iterdir())

    def state(self, step: int | None = None) -> dict[str, Any]:
        """The learner's saved state, by default of the newest checkpoint."""
        assert self.models is not None
        folder = self.models / str(self.steps()[-1] if step is None else step)
        state: dict[str, Any] = th.load(folder / "learner.th", weights_only=True)
        return state


def equal(a: Any, b: Any) -> bool:
    """Whether two trees of mappings, lists, tensors and plain values agree bit for bit."""
    if isinstance(a, th.Tensor):
        return isinstance(b, th.Tensor) and a.dtype == b.dtype and th.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)
