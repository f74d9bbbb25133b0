"""Every registered game through EPyMARL's contract and Gymnasium, and the same episode through all adapters."""

from __future__ import annotations

import multiprocessing
import pickle
import warnings
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from helpers import OUR_GAMES

from epymarl_cpa.envs import gym_adapter
from epymarl_cpa.envs.gym_adapter import GameGymEnv
from epymarl_cpa.envs.multi_agent_env import MultiAgentEnv, make_multi_agent_env
from epymarl_cpa.envs.parallel import parallel_env
from epymarl_cpa.errors import UserError

#: with the arguments of their files
ARGS = dict(OUR_GAMES)
NAMES = sorted(ARGS)
SENSOR_CORNER_SCANS_OFF_MAP = [1] + [8] * 14  # action 1 looks up and to the right


def random_joint(masks: Any, rng: np.random.Generator) -> list[int]:
    return [int(rng.choice(np.flatnonzero(mask))) for mask in masks]


def gym_id(name: str) -> str:
    return f"cpa/{name.title().replace('_', '')}-v0"


# -------------------------------------------------------------------------------------------- EPyMARL
@pytest.mark.parametrize("name", NAMES)
def test_epymarl_episode(name: str) -> None:
    world = make_multi_agent_env(name)(map_name="label", seed=3, common_reward=True, reward_scalarisation="sum",
                                       **ARGS[name])
    info, rng = world.get_env_info(), np.random.default_rng(0)
    assert set(info) == {"n_agents", "n_actions", "state_shape", "obs_shape", "episode_limit"}
    assert all(type(value) is int for value in info.values()) and world.map_name == "label"
    world.reset()
    facts: dict[str, float] = {}
    steps, over = 0, False
    while not over:
        state, masks, seen = world.get_state(), world.get_avail_actions(), world.get_obs()
        assert state.shape == (info["state_shape"],) and state.dtype == np.float32
        np.testing.assert_array_equal(seen, world.game.view(state[None])[0])
        assert np.array(masks).shape == (info["n_agents"], info["n_actions"]) and type(masks[0][0]) is int
        assert world.get_avail_agent_actions(0) == masks[0] and (world.get_obs_agent(0) == seen[0]).all()
        _, reward, terminated, truncated, facts = world.step(np.array(random_joint(masks, rng)))
        assert type(reward) is float and type(terminated) is type(truncated) is bool and not (terminated and truncated)
        assert facts.pop("episode_limit", False) is truncated
        steps, over = steps + 1, terminated or truncated
    assert steps <= info["episode_limit"]
    assert set(facts) == set(world.game.info_keys) and all(type(value) is float for value in facts.values())
    assert world.get_stats() == {}
    with pytest.raises(UserError, match="reset"):
        world.step([0] * info["n_agents"])
    world.close()


def test_epymarl_rewards_scalarise_to_the_team_reward() -> None:
    for scalarise, word in ((np.sum, "sum"), (np.mean, "mean")):
        world = MultiAgentEnv("sensor", seed=0, common_reward=False, reward_scalarisation=word)
        _, reward, *_ = world.step(SENSOR_CORNER_SCANS_OFF_MAP)
        assert isinstance(reward, list) and len(set(reward)) == 1 and scalarise(reward) == pytest.approx(-1.0)
    with pytest.raises(UserError, match="sum or mean"):
        MultiAgentEnv("xor", reward_scalarisation="max")


def test_epymarl_replay_and_render(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = MultiAgentEnv("aloha", seed=1)
    world.reset()
    for _ in range(3):
        world.step([0] * 10)
    world.render()
    world.save_replay(tmp_path / "replay.txt")
    frames = (tmp_path / "replay.txt").read_text().split("\n\n")
    assert len(frames) == 4 and frames[-1].strip() == capsys.readouterr().out.strip()


def test_epymarl_seeds() -> None:
    states = []
    for seed in (0, 0, 1):
        world = MultiAgentEnv("sensor", seed=seed)
        world.step([8] * 15)
        states.append(world.get_state().tolist())
    assert states[0] == states[1] != states[2]
    worlds = [MultiAgentEnv("sensor", seed=seed) for seed in (5, 6)]
    for world in worlds:
        world.seed(9)
        world.reset()
    assert (worlds[0].get_state() == worlds[1].get_state()).all()


def test_epymarl_constructors_reach_spawned_processes() -> None:
    """A child that starts from nothing builds each environment and sends it back."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        worlds = [pool.apply(make_multi_agent_env(name), kwds={"seed": 2, "map_name": name, **ARGS[name]})
                  for name in NAMES]
    for name, world in zip(NAMES, worlds, strict=True):
        here = pickle.loads(pickle.dumps(make_multi_agent_env(name)))(seed=2, map_name=name, **ARGS[name])
        assert (world.get_state() == here.get_state()).all() and world.get_env_info() == here.get_env_info()


# ------------------------------------------------------------------------------------------ Gymnasium
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:.*The reward returned by `step..` must be a float")  # gymma reads a list
@pytest.mark.filterwarnings("error")
def test_gymnasium_own_check(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    check_env(gymnasium.make(f"epymarl_cpa.envs:{gym_id(name)}", **ARGS[name]).unwrapped)


@pytest.mark.parametrize("name", NAMES)
def test_gymnasium_in_the_shape_of_gymma(name: str) -> None:
    made: Any = gymnasium.make(gym_id(name), **ARGS[name])
    limit = made.unwrapped.game.episode_limit
    world: Any = gymnasium.wrappers.TimeLimit(made, max_episode_steps=limit)
    n = world.unwrapped.n_agents
    assert len(world.action_space) == len(world.observation_space) == n
    assert all(space.shape == (world.unwrapped.game.obs_dim,) for space in world.observation_space)
    assert all(space.n == world.unwrapped.game.n_actions for space in world.action_space)
    assert not hasattr(world.unwrapped, "state_size")  # gymma would believe it but send another state
    observations, info = world.reset(seed=0)
    rng, done = np.random.default_rng(0), False
    while not done:
        assert isinstance(observations, tuple) and len(observations) == n
        joint = random_joint(world.unwrapped.action_masks(), rng)
        observations, rewards, ended, cut, info = world.step(joint)
        assert isinstance(rewards, list) and len(rewards) == n and type(ended) is bool
        done = ended or cut
    assert all(type(value) is float for value in info.values())


def test_gymnasium_shares_scalarise_to_the_team_reward() -> None:
    for scalarise, word in ((np.sum, "sum"), (np.mean, "mean")):
        world = GameGymEnv("sensor", scalarisation=word)
        world.reset(seed=0)
        assert scalarise(world.step(SENSOR_CORNER_SCANS_OFF_MAP)[1]) == pytest.approx(-1.0)


def test_gymnasium_registration_twice() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gym_adapter.register_all()
    made: Any = gymnasium.make("cpa/Bridge-v0", start="separate")
    assert made.unwrapped.game.spec()["start"] == "separate"


@pytest.mark.parametrize("name", NAMES)
def test_all_adapters_play_the_same_episode(name: str) -> None:
    zoo, marl, gym = (make(name, **ARGS[name]) for make in (parallel_env, MultiAgentEnv, GameGymEnv))
    zoo.reset(seed=4), marl.reset(seed=4), gym.reset(seed=4)
    rng, done = np.random.default_rng(1), False
    while not done:
        joint = random_joint(marl.get_avail_actions(), rng)
        agents = list(zoo.agents)
        seen, reward, ended, cut, _ = marl.step(joint)
        zoo_seen, zoo_rewards, zoo_ended, zoo_cut, _ = zoo.step(dict(zip(agents, joint, strict=True)))
        gym_seen, gym_rewards, gym_ended, gym_cut, _ = gym.step(joint)
        assert zoo_rewards["agent_0"] == reward and sum(gym_rewards) == pytest.approx(reward)
        assert (ended, cut) == (gym_ended, gym_cut) == (zoo_ended["agent_0"], zoo_cut["agent_0"])
        done = ended or cut
        np.testing.assert_array_equal(seen, np.array(gym_seen))
        np.testing.assert_array_equal(seen, [zoo_seen[agent]["observation"] for agent in agents])


def test_render_modes(capsys: pytest.CaptureFixture[str]) -> None:
    for world in (parallel_env("bridge", render_mode="human"), GameGymEnv("bridge", render_mode="human")):
        world.reset(seed=0)
        assert "A" in capsys.readouterr().out
        assert world.render() is None
    with pytest.raises(UserError, match="human, ansi, rgb_array"):
        parallel_env("bridge", render_mode="window")
    with pytest.warns(UserWarning, match="render_mode"):
        assert parallel_env("bridge").render() is None
