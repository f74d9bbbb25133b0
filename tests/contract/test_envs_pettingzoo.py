"""Every registered game through PettingZoo."""

from __future__ import annotations

import warnings
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pettingzoo  # type: ignore[import-untyped]
import pytest
from helpers import OUR_GAMES
from pettingzoo.test import (  # type: ignore[import-untyped]
    api_test,
    max_cycles_test,
    parallel_api_test,
    parallel_seed_test,
    render_test,
    seed_test,
    state_test,
)

from epymarl_cpa.envs import parallel
from epymarl_cpa.envs.parallel import env, parallel_env
from epymarl_cpa.errors import UserError

#: with the arguments of their files
ARGS = dict(OUR_GAMES)
NAMES = sorted(ARGS)
SENSOR_CORNER_SCANS_OFF_MAP = [1] + [8] * 14  # action 1 looks up and to the right


def random_joint(masks: Any, rng: np.random.Generator) -> list[int]:
    return [int(rng.choice(np.flatnonzero(mask))) for mask in masks]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:Observation space for each agent probably should be",  # Dict, for the mask
                            "ignore:Observation is not a NumPy array", "ignore:.* is a single number",
                            "ignore:.* numpy array is all zeros")
@pytest.mark.filterwarnings("error")
def test_own_checks(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    together, in_turn = partial(parallel_env, name, **ARGS[name]), partial(env, name, **ARGS[name])
    parallel_api_test(together(), num_cycles=100)
    api_test(in_turn(), num_cycles=100)
    parallel_seed_test(together, num_cycles=20)
    seed_test(in_turn, num_cycles=20)
    render_test(in_turn)
    state_test(in_turn(), together())


def test_episodes_end_after_max_cycles() -> None:
    """On a game that never ends earlier, as PettingZoo's check expects."""
    max_cycles_test(SimpleNamespace(env=partial(env, "sensor"), parallel_env=partial(parallel_env, "sensor")))


@pytest.mark.parametrize("name", NAMES)
def test_episode(name: str) -> None:
    world, rng = parallel_env(name, **ARGS[name]), np.random.default_rng(0)
    assert world.metadata["name"] == str(world) == f"{name}_v0"
    with pytest.raises(UserError, match="reset"):
        world.step({})
    observations, infos = world.reset(seed=1)
    steps, done = 0, False
    while not done:
        for agent in world.agents:
            assert world.observation_space(agent).contains(observations[agent])
            np.testing.assert_array_equal(infos[agent]["action_mask"], observations[agent]["action_mask"])
        np.testing.assert_array_equal([observations[agent]["observation"] for agent in world.agents],
                                      world.game.view(world.state()[None])[0])
        joint = random_joint([observations[agent]["action_mask"] for agent in world.agents], rng)
        agents = list(world.agents)
        observations, rewards, ended, cut, infos = world.step(dict(zip(agents, joint, strict=True)))
        assert len(set(rewards.values())) == 1 and all(type(r) is float for r in rewards.values())
        assert len(set(cut.values())) == len(set(ended.values())) == 1
        assert all(set(info) == {"action_mask", *world.game.info_keys} for info in infos.values())
        steps, done = steps + 1, ended[agents[0]] or cut[agents[0]]
    assert steps <= world.game.episode_limit and world.agents == []
    with pytest.raises(UserError, match="reset"):
        world.step(dict.fromkeys(agents, 0))
    world.close()


@pytest.mark.parametrize(("actions", "words"), [
    ({"agent_0": 0}, "agent_1 has none"), ({"agent_0": 0, "agent_1": 2}, "action 2 of agent 1"),
    ({"agent_0": -1, "agent_1": 0}, "action -1 of agent 0"), ({"agent_0": 0.5, "agent_1": 0}, "integers")])
def test_refuses_bad_actions(actions: dict[str, Any], words: str) -> None:
    world = parallel_env("xor")
    world.reset(seed=0)
    with pytest.raises(UserError, match=words):
        world.step(actions)


def test_forbidden_actions_have_a_defined_result() -> None:
    world = parallel_env("sensor")
    world.reset(seed=0)
    _, rewards, *_ = world.step(dict(zip(world.agents, SENSOR_CORNER_SCANS_OFF_MAP, strict=True)))
    assert rewards["agent_0"] == -1.0  # the scan is charged and sees nothing


def test_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parallel.register_all()  # a second time
        made = pettingzoo.make("parallel", "cpa/xor-v0", n_agents=3, max_cycles=4)
        turns = pettingzoo.make("aec", "cpa/aloha-v0")
    assert (made.max_num_agents, made.game.episode_limit, turns.max_num_agents) == (3, 4, 10)
    assert {f"cpa/{name}-v0" for name in NAMES} <= set(pettingzoo.parallel_registry)
    monkeypatch.delattr(pettingzoo, "register")  # as before version 1.27
    parallel.register_all()
