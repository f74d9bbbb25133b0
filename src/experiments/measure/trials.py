"""Runs that are ready to learn, and one training step of them as everybody makes it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ...config import load_env, resolve, word
from ...config.files import names
from ...data.generate import generate
from ...learners.base import Stage
from ...run import Trial, prepare
from .plan import Plan
from .timing import Call

CONSOLE = logging.getLogger("epymarl_cpa.benchmark")
CONSOLE.addHandler(logging.NullHandler())
CONSOLE.propagate = False
EPISODES = 60  # of a data set that only shows that something works


def config_of(plan: Plan, method: str, env: str, *words: str, seed: int = 0) -> dict[str, Any]:
    """The configuration of a run on medium data that writes nothing.

    Raises:
        UserError: the method, the environment or a word does not fit.
    """
    given = any(each.startswith("dataset=") for each in (*words, *plan.words))
    small = [word("dataset", _small(plan.folder, env))] if plan.quick and env in names("envs") and not given else []
    cuda = ["use_cuda=true"] if plan.device == "cuda" else []
    return resolve(method, env, [f"seed={seed}", word("datasets_path", plan.folder), f"torch_threads={plan.threads}",
                                 "save_model=false", *cuda, *small, *words, *plan.words])


@cache
def _small(folder: Path, env: str) -> Path:
    """A file with few episodes of an environment's medium data."""
    game, recipes = load_env(env)
    path = folder / f"small-{env}.npz"
    folder.mkdir(parents=True, exist_ok=True)
    generate(game, {**recipes["medium"], "episodes": EPISODES}, 0, "medium").save(path)
    return path


def trial_of(plan: Plan, method: str, env: str, *words: str, seed: int = 0) -> Trial:
    """The parts of a run; arguments and errors as of :func:`config_of`."""
    return prepare(config_of(plan, method, env, *words, seed=seed), None, CONSOLE)


def stages_of(trial: Trial) -> Sequence[Stage]:
    """What is learned one after the other."""
    return trial.learner.stages


class Stepper:
    """One training step when called: a batch and an update, in the second half of a stage, where all losses are on.

    A call returns the statistics that are due.

    Args:
        trial: ready to learn.
        stage: of it; the last by default.
    """

    def __init__(self, trial: Trial, stage: Stage | None = None) -> None:
        self.trial, self.stage = trial, stage or stages_of(trial)[-1]
        self.t_env = self.stage.begin + self.stage.length // 2

    def __call__(self) -> dict[str, float]:
        trial = self.trial
        batch = trial.runner.run()
        if trial.buffer is not None:  # online: what is played goes through a buffer
            trial.buffer.insert_episode_batch(batch)
            while not trial.buffer.can_sample(trial.args.batch_size):
                trial.buffer.insert_episode_batch(trial.runner.run())
            batch = trial.buffer.sample(trial.args.batch_size)
            batch = batch[:, : batch.max_t_filled()]
            batch.to(trial.device)
        self.t_env = min(self.t_env + 1, self.stage.end - 1)
        return trial.learner.train(batch, self.t_env, 0)


def trained(trial: Trial, stage: int, updates: int) -> Trial:
    """Trains the stages before the given one for so many updates each, so that what comes after has a teacher."""
    for before in list(stages_of(trial))[:stage]:
        step: Call = Stepper(trial, before)
        for _ in range(updates):
            step()
    return trial
