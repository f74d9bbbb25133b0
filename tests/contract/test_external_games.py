"""Methods trained on environments of other packages, as far as they are installed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from helpers import EXTERNAL_ENVS, needing_its_package
from outcome import Outcome, equal

pytestmark = pytest.mark.thorough

Run = Callable[..., Outcome]
ENVS = [needing_its_package(env) for env in EXTERNAL_ENVS if env not in ("vmas", "hanabi")]  # which have own files
RANDOM = ("dataset=random", "recipes.random.episodes=24", "env_args.time_limit=6",
          "policy_start=0.0")
PLAYED = ("dataset=", "t_max=300", "batch_size=4", "buffer_size=20", "test_interval=150")


def words(alg: str, *more: str) -> list[str]:
    """Words that the method knows."""
    return [word for word in more if alg.startswith("cpa") or not word.startswith("policy_start")]


@pytest.mark.parametrize("env", ENVS)
@pytest.mark.parametrize("alg", ["bc", "cpa_ar", "omiga"])
def test_learning_from_random_data(alg: str, env: str, tiny_run: Run) -> None:
    one, two = (tiny_run(*words(alg, *RANDOM), alg=alg, env=env) for _ in range(2))
    series = one.series()
    assert [t for t, _ in series["test_return_mean"]] == [0, 4, 6] and "test_regret_mean" not in series
    assert {length for _, length in series["test_ep_length_mean"]} == {6}
    assert series["test_return_mean"] == two.series()["test_return_mean"]
    assert equal(one.state(), two.state())
    result = one.result()
    assert result["headline"] == result["return"] and result["optimum"] is result["headline_optimum"] is None
    assert one.models is not None
    again = tiny_run(*words(alg, *RANDOM), "evaluate=true", f"checkpoint_path={one.models}", alg=alg, env=env)
    assert again.series()["test_return_mean"][-1][1] == series["test_return_mean"][-1][1]


@pytest.mark.parametrize("env", ENVS)
@pytest.mark.parametrize("alg", ["qmix", "iql"])
def test_learning_by_playing(alg: str, env: str, tiny_run: Run) -> None:
    one, two = (tiny_run(*PLAYED, "runner_log_interval=100", alg=alg, env=env) for _ in range(2))
    series = one.series()
    assert any(key.endswith("td_loss") for key in series) and one.steps()[-1] >= 300
    assert len(series["test_return_mean"]) >= 3 and len(series["return_mean"]) >= 2
    for key in ("test_return_mean", "return_mean", "td_loss"):
        assert series[key] == two.series()[key]


@pytest.mark.parametrize("env", ENVS)
def test_agents_with_rewards_of_their_own(env: str, tiny_run: Run) -> None:
    series = tiny_run(*PLAYED, "common_reward=false", alg="iql", env=env).series()
    points = {key: np.array([value for _, value in series[f"test_{key}_mean"]]) for key in ("return", "total_return")}
    own = np.array([[value for _, value in points] for key, points in series.items()
                    if key.startswith("test_agent_") and key.endswith("_mean")])
    assert len(own) >= 2
    np.testing.assert_allclose(own.sum(0), points["total_return"])
    np.testing.assert_allclose(points["total_return"], points["return"])


@pytest.mark.parametrize("env", ENVS)
def test_students_that_see_their_own_observations(env: str, tiny_run: Run) -> None:
    outcome = tiny_run(*RANDOM, "t_max=3", "student_t_max=3", "policy_input=obs", "pool_hidden=8", alg="cpa_pa",
                       env=env)
    assert outcome.steps()[-1] == 3 and "test_joint_entropy_mean" in outcome.series()


@pytest.mark.parametrize("env", ENVS)
def test_a_quality_that_nobody_knows_how_to_play_is_refused(env: str, tiny_run: Run, capfd: pytest.CaptureFixture[str],
                                                            ) -> None:
    tiny_run("dataset=medium", alg="bc", env=env, status=2)
    assert f"the recipes of {env} are: random" in capfd.readouterr().err


@needing_its_package("pettingzoo", "mpe2").marks[0]
def test_continuous_actions_are_refused(tiny_run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    tiny_run(*RANDOM, "env_args.kwargs.continuous_actions=true", alg="cpa_ar", env="pettingzoo", status=2)
    assert "choose among discrete actions" in capfd.readouterr().err
