"""Fixtures that several tests share."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch as th

from epymarl_cpa.cli import main

#: what keeps a run small; a test's own words win
SMALL = {"seed": "1", "t_max": "6", "batch_size": "8", "hidden_dim": "8", "test_nepisode": "4", "test_interval": "4",
         "learner_log_interval": "1", "dataset": "medium", "recipes.medium.episodes": "40"}


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


def _newest(folders: list[Path]) -> Path | None:
    return max(folders, key=lambda folder: folder.stat().st_mtime_ns, default=None)


@pytest.fixture
def tiny_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Runs the command line in this process: ``tiny_run("t_max=9", env="bridge", options=["-u"])``.

    The current folder is the test's own; a word ``key=`` without a value drops the small default.
    """
    monkeypatch.chdir(tmp_path)

    def run(*words: str, alg: str = "cpa_ar", env: str = "xor", options: tuple[str, ...] = (), status: int = 0,
            ) -> Outcome:
        chosen = {**SMALL, **{word.partition("=")[0]: word.partition("=")[2] for word in words}}
        line = [f"{key}={value}" for key, value in chosen.items() if value]
        sacred, models = Path("results/sacred"), Path("results/models")
        before = {*sacred.glob("*/*/[0-9]*"), *models.glob("*")}
        got = main(["main.py", f"--config={alg}", f"--env-config={env}", *options, "with", *line])
        assert got == status
        return Outcome(got, _newest([f for f in sacred.glob("*/*/[0-9]*") if f not in before]),
                       _newest([f for f in models.glob("*") if f not in before]))

    return run


def equal(a: Any, b: Any) -> bool:
    """Whether two trees of mappings, lists, tensors and plain values agree bit for bit."""
    if isinstance(a, th.Tensor):
        return isinstance(b, th.Tensor) and a.dtype == b.dtype and th.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


@pytest.fixture
def same() -> Callable[[Any, Any], bool]:
    """:func:`equal` for tests."""
    return equal
