"""Scripted teams: they play well by what each agent sees, always the same, and their recipes and recordings work."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers import ENV_FILES, TASK_ENVS, needing_its_package
from outcome import Outcome

from epymarl_cpa.config import load_env, resolve
from epymarl_cpa.data.dataset import OfflineDataset
from epymarl_cpa.data.generate import generate
from epymarl_cpa.data.scripted import NOISE
from epymarl_cpa.envs import make_game
from epymarl_cpa.errors import UserError
from epymarl_cpa.teams import REGISTRY

Run = Callable[..., Outcome]
#: what every team of a task must reach on average, far from what random play is worth
GOOD = {"lbf": 0.95, "lbf_coop": 0.8, "mpe_spread": -50.0, "rware": 1.5}
TEAMS = [(env, team) for env in TASK_ENVS for team in ENV_FILES[env]["recipes"]["clean"]["mixture"]]
IDS = [team for _, team in TEAMS]
PLAYED = [needing_its_package(env, (env, team)) for env, team in TEAMS]


def recorded(env: str, behaviours: list[str], episodes: int, seed: int = 0) -> OfflineDataset:
    game, _ = load_env(env)
    share = 1 / len(behaviours)
    return generate(game, {"episodes": episodes, "mixture": dict.fromkeys(behaviours, share)}, seed)


def test_every_team_is_in_the_recipes_of_a_task() -> None:
    assert sorted(IDS) == sorted(REGISTRY)
    for env in TASK_ENVS:
        mixtures = {name: recipe["mixture"] for name, recipe in ENV_FILES[env]["recipes"].items()}
        assert set(mixtures["teams"]) == {f"{team}_noisy" for team in mixtures["clean"]}
        assert len(mixtures["teams"]) >= 3 and ENV_FILES[env]["dataset"] == "teams"


@pytest.mark.parametrize("played", PLAYED, ids=IDS)
def test_every_team_plays_well(played: tuple[str, str]) -> None:
    env, team = played
    data = recorded(env, [team, f"{team}_noisy"], 12)
    for member in (0, 1):
        assert data.returns[data.behaviour == member].mean() > GOOD[env]


@pytest.mark.parametrize("env", [*map(needing_its_package, TASK_ENVS)])
def test_the_same_seed_gives_the_same_episodes(env: str) -> None:
    noisy = list(ENV_FILES[env]["recipes"]["teams"]["mixture"])
    one, two, other = (recorded(env, noisy, 4, seed) for seed in (1, 1, 2))
    assert one.digest == two.digest != other.digest
    assert sorted(one.behaviour) == [0, 1, 2, 3]


@pytest.mark.parametrize("env", [*map(needing_its_package, TASK_ENVS)])
def test_an_agent_acts_by_its_own_observations_alone(env: str) -> None:
    """Whatever the others saw and did; so teams can be imitated by agents that know no more."""
    noisy = list(ENV_FILES[env]["recipes"]["teams"]["mixture"])
    data = recorded(env, noisy, 4)
    assert data.obs is not None
    agents, different = data.actions.shape[2], 0
    for episode, number in enumerate(data.behaviour):
        team = REGISTRY[noisy[number].removesuffix("_noisy")]
        for agent in range(agents):
            script, did = team.script(agent), -1
            for t in np.flatnonzero(data.steps[episode]):
                said = script.act(data.obs[episode, t, agent], did)
                did = int(data.actions[episode, t, agent])
                different += said != did
    assert 0 < different / (data.steps.sum() * agents) < 1.5 * NOISE, "what noise has changed, and nothing else"


@needing_its_package("lbf").marks[0]
def test_recipes_and_recordings_of_a_team_play_alike(tiny_run: Run) -> None:
    words = ("mac=scripted_mac", "team=lbf_top", "runner=record", "record_to=x.npz", "record_episodes=6", "dataset=")
    tiny_run(*words, alg="bc", env="lbf")
    data = OfflineDataset.load(Path("x.npz"))
    assert data.n_episodes == 6 and data.returns.tolist() == pytest.approx([1] * 6)
    tiny_run(*words, "record_epsilons=[0.3]", "record_to=y.npz", alg="bc", env="lbf")
    assert OfflineDataset.load(Path("y.npz")).returns.mean() > 0.8
    result = tiny_run("mac=scripted_mac", "team=lbf_left", "evaluate=true", "dataset=random",
                      "recipes.random.episodes=2", alg="bc", env="lbf").result()
    assert result["return"] == pytest.approx(1.0)


@needing_its_package("lbf").marks[0]
def test_learning_from_the_mixture(tiny_run: Run) -> None:
    outcome = tiny_run("dataset=teams", "recipes.teams.episodes=8", "t_max=2", alg="bc", env="lbf")
    assert outcome.steps() == [2]


@needing_its_package("lbf").marks[0]
def test_mistakes(tiny_run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match=r"unknown scripted team 'lbf_topp'.*did you mean 'lbf_top'"):
        resolve("bc", "lbf", ["mac=scripted_mac", "team=lbf_topp", "runner=record", "record_to=x.npz"])
    with pytest.raises(UserError, match="mac=scripted_mac learns nothing: play it with runner=record"):
        resolve("bc", "lbf", ["mac=scripted_mac", "team=lbf_top"])
    tiny_run("mac=scripted_mac", "team=coop_north_west", "runner=record", "record_to=x.npz", "dataset=", alg="bc",
             env="lbf", status=2)
    assert ("the scripted team coop_north_west plays with 2 agents, 6 actions and observations of 12 numbers; this "
            "environment has 2 agents, 6 actions and observations of 15 numbers.") in capfd.readouterr().err
    game, _ = load_env("lbf")
    with pytest.raises(UserError, match="its recipe cannot be drawn 'per: step'"):
        generate(game, {"episodes": 3, "mixture": {"lbf_top": 0.5, "lbf_left": 0.5}, "per": "step"}, 0)


@pytest.mark.parametrize("env", [env for env in TASK_ENVS if ENV_FILES[env]["env"] == "gymma"])
def test_a_missing_package_is_named_in_a_sentence(env: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epymarl_cpa.envs.gymma.is_installed", lambda name: False)
    content = ENV_FILES[env]
    package = content["env_args"]["key"].partition(":")[0]
    monkeypatch.delitem(sys.modules, package, raising=False)
    told = rf"needs the package {package}, which is not installed: pip install 'epymarl-cpa\[tasks\]'"
    with pytest.raises(UserError, match=told):
        make_game(content["env"], **content["env_args"])
