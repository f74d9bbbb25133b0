"""Fixtures that several tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch as th
from helpers import ENV_FILES, easy_recipe
from outcome import SMALL, Outcome

from epymarl_cpa.cli import main

th.set_num_threads(1)  # several test processes may share the processors


def _newest(folders: list[Path]) -> Path | None:
    return max(folders, key=lambda folder: folder.stat().st_mtime_ns, default=None)


@pytest.fixture
def tiny_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Runs the command line in this process: ``tiny_run("t_max=9", env="bridge", options=["-u"])``.

    The current folder is the test's own; a word ``key=`` without a value drops the small default.
    Games without a recipe ``medium`` learn from another one.
    """
    monkeypatch.chdir(tmp_path)

    def run(*words: str, alg: str = "ar_bc", env: str = "xor", options: tuple[str, ...] = (), status: int = 0,
            ) -> Outcome:
        small = dict(SMALL)
        if "medium" not in ENV_FILES.get(env, {}).get("recipes", {"medium": {}}):
            del small["recipes.medium.episodes"]
            small["dataset"] = easy_recipe(env)
        chosen = {**small, **{word.partition("=")[0]: word.partition("=")[2] for word in words}}
        line = [f"{key}={value}" for key, value in chosen.items() if value]
        sacred, models = Path("results/sacred"), Path("results/models")
        before = {*sacred.glob("*/*/[0-9]*"), *models.glob("*")}
        got = main(["main.py", f"--config={alg}", f"--env-config={env}", *options, "with", *line])
        assert got == status
        return Outcome(got, _newest([f for f in sacred.glob("*/*/[0-9]*") if f not in before]),
                       _newest([f for f in models.glob("*") if f not in before]))

    return run
