"""Training rewards in units of their own typical size."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch as th
from climbing import known

from epymarl_cpa import UserError
from epymarl_cpa.config import resolve
from epymarl_cpa.conventions.experience import typical_reward
from epymarl_cpa.run import Trial, prepare, run
from epymarl_cpa.runners.offline_runner import OfflineRunner

FEW = ("seed=100", "hidden_dim=16", "test_nepisode=4", "recipes.medium.episodes=60", "dataset=medium", "t_max=12",
       "policy_start=0.0")


def trial(folder: Path, *words: str, env: str = "sensor", times: float = 1.0) -> Trial:
    """A run on data whose rewards are multiplied."""
    given = [*FEW, f"datasets_path={folder}", f"local_results_path={folder}"]
    given = [word for word in given if word.split("=")[0] not in {each.split("=")[0] for each in words}]
    built = prepare(resolve("cpa_ar", env, [*given, *words]), None, logging.getLogger("scale"))
    runner = built.runner
    assert isinstance(runner, OfflineRunner)
    runner.dataset = replace(runner.dataset, reward=runner.dataset.reward * np.float32(times))
    vars(runner).pop("_tensors", None)
    return built


def test_a_typical_reward_is_the_root_of_the_mean_square(tmp_path: Path) -> None:
    runner = trial(tmp_path, env="bridge").runner
    assert isinstance(runner, OfflineRunner)
    data = runner.dataset
    for least in (None, -0.05):
        squares = [max(float(data.reward[e, t]), -1e9 if least is None else least) ** 2
                   for e in range(data.n_episodes) for t in range(int(data.filled[e].sum()) - 1)]
        assert typical_reward(runner, least, True) == pytest.approx(np.sqrt(np.mean(squares)))


@pytest.mark.parametrize(("env", "times", "words", "scale"), [
    ("xor", 1.0, [], 1.0), ("bridge", 1.0, [], 1.0), ("xor", 1.0, ["reward_scale=0.5"], 0.5),
    ("xor", 0.0, [], 1.0), ("sensor", 1.0, ["reward_scale=1.0"], 1.0)])
def test_ordinary_rewards_are_left_alone(env: str, times: float, words: list[str], scale: float,
                                         tmp_path: Path) -> None:
    assert trial(tmp_path, *words, env=env, times=times).learner.learners[0].reward_scale == scale


def test_the_unit_of_large_rewards_does_not_matter(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With a power of two, not even in the last bit."""
    outcome = []
    with caplog.at_level(logging.INFO):
        for times in (1.0, 1024.0):
            built = trial(tmp_path, times=times)
            for _ in range(12):
                batch = built.runner.run()
                built.learner.train(batch, built.runner.t_env, 0)
            outcome.append(th.cat([param.detach().flatten() for param in built.mac.parameters()]))
    assert th.equal(*outcome)
    told = [record.getMessage() for record in caplog.records if "typical size" in record.getMessage()]
    assert len(told) == 2 and all(each.startswith("training rewards are divided by ") for each in told)


def test_what_is_played_has_no_recorded_rewards() -> None:
    with pytest.raises(UserError, match="reward_scale=null has no effect with runner=episode"):
        resolve("qmix", "xor", ["reward_scale=null"])


@pytest.mark.thorough
@pytest.mark.parametrize(("seed", "rounds"), [(100, 1), (101, 1), (102, 1), (100, 10)])
def test_the_setting_suits_a_newcomers_game(seed: int, rounds: int, tmp_path: Path) -> None:
    """Rewards from -30 to 11, and the best joint action beside the worst."""
    with known(tmp_path) as game:
        result = run(resolve("cpa_pa", game, [f"seed={seed}", f"env_args.rounds={rounds}", "save_model=false",
                                              f"datasets_path={tmp_path}", "t_max=1000", "student_t_max=500",
                                              "test_interval=100000"]), None, logging.getLogger("climbing"))
    assert result["return"] == result["optimum"] == 11.0 * rounds
