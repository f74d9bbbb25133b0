"""This program, from any checkout or installation of it."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def build(folder: Path, arrays: Mapping[str, Any], about: Mapping[str, Any]) -> tuple[Callable[[], None], float]:
    """One training step, and the mean number of transitions in a batch.

    Args:
        folder: of a checkout, or of the package.
        arrays: not needed.
        about: ``method``, ``env``, ``words`` and the ``dataset``'s file.
    """
    source = folder / "src" if (folder / "src/run.py").is_file() else folder
    spec = importlib.util.spec_from_file_location("epymarl_cpa", source / "__init__.py",
                                                  submodule_search_locations=[str(source)])
    assert spec is not None and spec.loader is not None
    package = sys.modules["epymarl_cpa"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    config = importlib.import_module("epymarl_cpa.config")
    run = importlib.import_module("epymarl_cpa.run")
    settings = config.resolve(about["method"], about["env"], ["seed=0", f"dataset={about['dataset']}",
                                                              "save_model=false", *about["words"]])
    console = logging.getLogger("epymarl_cpa.quiet")
    console.addHandler(logging.NullHandler())
    console.propagate = False
    trial = run.prepare(settings, None, console)
    stage = trial.learner.stages[-1]
    t_env = stage.begin + stage.length // 2

    def update() -> None:
        nonlocal t_env
        t_env = min(t_env + 1, stage.end - 1)
        trial.learner.train(trial.runner.run(), t_env, 0)

    for _ in range(about["warm"]):
        update()
    return update, float(about["steps"]) * trial.args.batch_size
