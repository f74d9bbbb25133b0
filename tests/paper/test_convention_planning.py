"""Small but real: conventions planned with a teacher as a guide, for agents that see only what is theirs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from helpers import Built

from epymarl_cpa.config import resolve
from epymarl_cpa.conventions.guide import LEAST, Guide
from epymarl_cpa.conventions.stage_game import agreed
from epymarl_cpa.run import prepare

ALOHA = ("env_args.rows=1", "env_args.cols=3", "env_args.episode_limit=6", "dataset=good",
         "recipes.good.episodes=300", "t_max=150", "student_t_max=200", "student_lr=0.01", "hidden_dim=32",
         "policy_input=obs", "use_rnn=true", "obs_last_action=true", "model_t_max=200", "scenarios=64", "plans=4",
         "pool_size=4", "fit_share=0.05")


def learn(alg: str, env: str, folder: Path, *words: str) -> tuple[Any, dict[str, Any]]:
    """The last stage's learner, and the last evaluation, of a run in a game with own observations."""
    config = resolve(alg, env, [*words, "env_args.observation=local", "seed=0", f"local_results_path={folder}",
                                f"datasets_path={folder}", "test_interval=100000", "test_greedy=true",
                                "test_nepisode=200"])
    trial = prepare(config, None, logging.getLogger("test"))
    out = trial.run()
    return trial.learner.learners[-1], out


@pytest.mark.slow
def test_islands_that_see_their_own_queues_alone_never_collide(tmp_path: Path) -> None:
    learner, out = learn("cpa_pa", "aloha", tmp_path, *ALOHA, "improvement=stages")
    assert out["collisions"] == 0
    assert out["score"] > 0.65, "about what islands that take turns blindly can send"
    plan = learner.plan
    assert len(plan) == 4 and plan.values.tolist() == sorted(plan.values.tolist(), reverse=True)
    assert plan.obs.shape == (4 * 64, 6, 3, 1) and plan.actions.shape == (4 * 64, 6, 3)
    assert learner.pool.law()[0] == learner.pool.law().max()


def test_the_guide_is_the_teachers_likelihood_and_its_draws_are_the_teachers() -> None:
    built = Built("cpa_pa", "aloha", "env_args.rows=1", "env_args.cols=2", "policy_input=obs", "improvement=stages",
                  "hidden_dim=8", "plans=2", "pool_size=2", "env_args.observation=local")
    teacher = built.mac.teacher
    batch = built.played(5)
    state, available = batch["state"][:, 2], batch["avail_actions"][:, 2].bool()
    guide = Guide(teacher.agent, teacher.encoder)
    law = teacher.law(teacher.encoder(state[:, None]), available, 256)
    worth = guide.worth(state, available)
    for joint in np.ndindex(2, 2):
        found = worth(np.tile(np.array(joint), (5, 1)))
        for row in range(5):
            listed = (law.actions[row] == th.tensor(joint)).all(1) & (law.probs[row] > 0)
            expected = law.probs[row][listed].sum().log().item() if listed.any() else -2 * LEAST
            assert found[row] == pytest.approx(max(expected, -2 * LEAST), abs=1e-4)
    generator = th.Generator().manual_seed(0)
    draws = th.stack([guide.draw(state, available, generator) for _ in range(500)])
    share = (draws == th.tensor([1, 0])).all(2).double().mean(0)
    assert share.tolist() == pytest.approx(np.exp(worth(np.tile([1, 0], (5, 1)))).tolist(), abs=0.08)


def test_rules_begin_at_least_as_good_as_they_were() -> None:
    """Whatever the beginning, agreeing never makes the team worse."""
    rng = np.random.default_rng(3)
    for _ in range(20):
        known, table = rng.integers(3, size=(30, 2)), rng.normal(size=(30, 4, 4))

        def worth(joint: Any, table: Any = table) -> Any:
            return table[np.arange(len(joint)) % 30, joint[:, 0], joint[:, 1]]

        beginning = [rng.integers(4, size=3) for _ in range(2)]
        before = worth(np.stack([rule[known[:, i]] for i, rule in enumerate(beginning)], 1)).mean()
        after, _ = agreed(worth, known, [3, 3], np.ones((30, 2, 4), dtype=bool), np.full(30, 1 / 30), beginning, rng)
        assert after >= before - 1e-12
