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
from epymarl_cpa.data.mapped import MappedDataset
from epymarl_cpa.data.store import write_dataset
from epymarl_cpa.run import Trial, prepare, run
from epymarl_cpa.runners.offline_runner import OfflineRunner
from epymarl_cpa.settings import Settings

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
    for least in (None, -0.05):
        runner = trial(tmp_path, *([f"reward_min={least}"] if least else []), env="bridge").runner
        assert isinstance(runner, OfflineRunner)
        data = runner.dataset
        squares = [max(float(data.reward[e, t]), -1e9 if least is None else least) ** 2
                   for e in range(data.n_episodes) for t in range(int(data.filled[e].sum()) - 1)]
        assert runner.typical_reward == pytest.approx(np.sqrt(np.mean(squares)))


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


@pytest.mark.parametrize("alpha", ["0.4", "null"])
def test_the_temperature_is_in_the_games_rewards(alpha: str, tmp_path: Path) -> None:
    """Also one that is given: with rewards times 1,024 it must be as many times larger."""
    outcome = []
    for times in (1.0, 1024.0):
        built = trial(tmp_path, f"alpha={alpha if alpha == 'null' else float(alpha) * times}", times=times)
        learner = built.learner.learners[0]
        for _ in range(6):
            learner.log_stats_t = -10**9
            told = built.learner.train(built.runner.run(), built.runner.t_env, 0)
        outcome.append((th.cat([param.detach().flatten() for param in built.mac.parameters()]), told, times))
    (one, told, _), (other, larger, times) = outcome
    assert th.equal(one, other)
    if alpha == "null":
        assert larger["alpha"] == times * told["alpha"] and larger["critic_error"] == times * told["critic_error"]


def test_a_continued_run_keeps_its_unit(tmp_path: Path) -> None:
    """Its critic has learned in it, whatever the data are now."""
    built, other = trial(tmp_path), trial(tmp_path, times=64.0)
    for _ in range(3):
        built.learner.train(built.runner.run(), built.runner.t_env, 0)
    state = built.learner.state_dict()
    other.learner.load_state_dict(state)
    assert other.learner.learners[0].reward_scale == built.learner.learners[0].reward_scale < 1.0
    for wrong in (0.0, float("nan"), "large", 2.0):
        state["stages"]["training"]["reward_scale"] = wrong
        with pytest.raises(ValueError, match="the scale of the rewards is none"):
            other.learner.load_state_dict(state)


@pytest.mark.parametrize("words", [[], ["common_reward=false"], ["common_reward=false", "reward_scalarisation=mean"]])
def test_data_on_the_disk_tell_the_same_and_nothing_else_is_read(words: list[str], tmp_path: Path) -> None:
    memory = trial(tmp_path, *words).runner
    assert isinstance(memory, OfflineRunner)
    write_dataset(iter([memory.dataset]), tmp_path / "same.mapped", "mapped")
    disk = OfflineRunner(Settings.of(resolve("cpa_ar", "sensor", ["seed=100", f"dataset={tmp_path}/same.mapped",
                                                                 *words])), memory.env, logging.getLogger("scale"))
    disk.dataset = data = MappedDataset(tmp_path / "same.mapped")
    assert disk.typical_reward == memory.typical_reward > 1.0
    assert not data._sound["state"].any()


def test_students_learn_from_no_rewards(tmp_path: Path) -> None:
    built = prepare(resolve("cpa_pa", "sensor", [*FEW, f"datasets_path={tmp_path}", "student_t_max=2"]), None,
                    logging.getLogger("scale"))
    teacher, students = built.learner.learners
    assert teacher.reward_scale < 1.0 == students.reward_scale


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
