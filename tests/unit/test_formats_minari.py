"""Minari's data sets: ours read by Minari itself, and those that it makes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from epymarl_cpa.data import OfflineDataset
from epymarl_cpa.data.chunks import split
from epymarl_cpa.data.formats import load
from epymarl_cpa.data.store import write_dataset
from epymarl_cpa.errors import UserError


def local() -> OfflineDataset:
    """Two agents: one episode ends after two steps, one is cut off at the horizon of four."""
    rng, lead = np.random.default_rng(0), (2, 5)
    steps, time = np.array([[2], [4]]), np.arange(5)
    return OfflineDataset(
        rng.normal(size=(*lead, 4)).astype(np.float32), rng.integers(3, size=(*lead, 2)),
        np.ones((*lead, 2, 3), np.bool_), rng.random(lead, dtype=np.float32),
        terminated=(time == steps - 1) & (steps == 2), filled=time <= steps, behaviour=np.array([0, -1]),
        meta={"behaviours": ["a"]}, obs=rng.normal(size=(*lead, 2, 6)).astype(np.float32),
        agent_reward=rng.random((*lead, 2), dtype=np.float32))


def test_minari_itself_reads_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    minari = pytest.importorskip("minari")
    pytest.importorskip("h5py")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    data = local()
    write_dataset(split(data), tmp_path / "team-good-v3")
    dataset = minari.load_dataset("team-good-v3")
    assert (dataset.total_episodes, dataset.total_steps) == (2, 6)
    for number, episode in enumerate(dataset.iterate_episodes()):
        steps = int(data.steps[number].sum())
        np.testing.assert_array_equal(episode.actions, data.actions[number, :steps])
        np.testing.assert_array_equal(episode.rewards, data.reward[number, :steps])
        np.testing.assert_array_equal(episode.terminations, data.terminated[number, :steps])
        assert episode.truncations.tolist() == [False] * (steps - 1) + [not data.terminated[number].any()]
        for key, array in (("state", data.state), ("obs", data.obs), ("action_mask", data.avail_actions)):
            assert array is not None
            np.testing.assert_array_equal(episode.observations[key], array[number, : steps + 1])
        assert data.agent_reward is not None
        np.testing.assert_array_equal(episode.infos["agent_reward"], data.agent_reward[number, :steps])
        assert dataset.observation_space["state"].contains(episode.observations["state"][0])
        assert dataset.action_space.contains(episode.actions[0])


def test_ours_without_our_header_is_read_as_anybodys(tmp_path: Path) -> None:
    pytest.importorskip("minari")
    pytest.importorskip("h5py")
    data, path = local(), tmp_path / "team-good-v0"
    write_dataset(split(data), path)
    (path / "data" / "epymarl_cpa.json").unlink()
    again = load(path)
    assert load(path / "data").digest == again.digest
    assert again.meta == {"format": "minari", "provenance": {"dataset_id": "team-good-v0"}}
    assert again.behaviour.tolist() == [-1, -1]
    np.testing.assert_array_equal(again.steps, data.steps)
    for key in ("state", "obs", "avail_actions"):
        np.testing.assert_array_equal(again.arrays[key][data.filled], data.arrays[key][data.filled])
    for key in ("actions", "reward", "agent_reward"):
        np.testing.assert_array_equal(again.arrays[key][data.steps], data.arrays[key][data.steps])


def make_minari(path: Path, monkeypatch: pytest.MonkeyPatch, observations: Any, observation: Any, actions: Any,
                action: Any) -> Path:
    """A data set of one episode of three steps, made by Minari."""
    minari = pytest.importorskip("minari")
    pytest.importorskip("h5py")
    from minari.data_collector.episode_buffer import EpisodeBuffer

    monkeypatch.setenv("MINARI_DATASETS_PATH", str(path))
    ends = np.arange(3) == 2
    buffer = EpisodeBuffer(observations=observations, actions=actions, rewards=np.arange(3.0), terminations=ends,
                           truncations=~ends & False)
    minari.create_dataset_from_buffers("theirs-v0", [buffer], observation_space=observation, action_space=action)
    return path / "theirs-v0"


def with_metadata(folder: Path, **changed: Any) -> Path:
    """A data set of ours as another program might have left it, its metadata changed."""
    pytest.importorskip("minari")
    pytest.importorskip("h5py")
    write_dataset(split(local()), folder / "team-good-v0")
    path = folder / "team-good-v0" / "data"
    (path / "epymarl_cpa.json").unlink()
    content = json.loads((path / "metadata.json").read_text())
    (path / "metadata.json").write_text(json.dumps({**content, **changed}))
    return path


@pytest.mark.parametrize("told", [1, 3])
def test_another_number_of_episodes_than_the_metadata_tell(told: int, tmp_path: Path) -> None:
    path = with_metadata(tmp_path, total_episodes=told)
    with pytest.raises(UserError, match=rf"tells of {told} episodes \(total_episodes\), but there are 2;"):
        load(path)


@pytest.mark.parametrize("told", [1, 3, 4])
def test_an_episode_of_another_length_than_it_tells(told: int, tmp_path: Path) -> None:
    path = with_metadata(tmp_path)
    import h5py

    with h5py.File(path / "main_data.hdf5", "r+") as file:
        assert file["episode_0"].attrs["total_steps"] == 2
        file["episode_0"].attrs["total_steps"] = told
    with pytest.raises(UserError, match=rf"key 'rewards', episode 0: 2 steps, not {told}\.$"):
        load(path)


@pytest.mark.filterwarnings("ignore")
def test_one_agent_of_minari(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gymnasium.spaces import Box, Discrete

    seen = np.random.default_rng(0).normal(size=(4, 5))
    actions = np.array([0, 2, 1])
    data = load(make_minari(tmp_path, monkeypatch, seen, Box(-9, 9, (5,), np.float64), actions, Discrete(3)))
    assert data.actions[0, :, 0].tolist() == [0, 2, 1, 0] and data.avail_actions.shape == (1, 4, 1, 3)
    assert data.returns.tolist() == [3.0] and data.obs is None
    np.testing.assert_array_equal(data.state[0], seen.astype(np.float32))


@pytest.mark.filterwarnings("ignore")
def test_anything_may_stand_behind_a_true_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gymnasium.spaces import Box, Dict, MultiDiscrete

    mask, state = np.ones((4, 2, 3), np.int8), np.arange(8.0).reshape(4, 2)
    mask[3], state[3] = 0, np.nan
    space = Dict({"state": Box(-np.inf, np.inf, (2,), np.float64), "action_mask": Box(0, 1, (2, 3), np.int8)})
    data = load(make_minari(tmp_path, monkeypatch, {"state": state, "action_mask": mask}, space,
                            np.zeros((3, 2), np.int64), MultiDiscrete([3, 3])))
    assert data.terminated[0, 2] and data.avail_actions.all() and data.state[0, 3].tolist() == [0, 0]
    assert data.state[0, :3].tolist() == state[:3].tolist()


@pytest.mark.filterwarnings("ignore")
def test_team_without_state_or_mask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state is what all agents see; an agent with fewer actions than the others never has the rest."""
    from gymnasium.spaces import Box, Dict, MultiDiscrete

    obs = np.random.default_rng(0).normal(size=(4, 2, 3)).astype(np.float32)
    path = make_minari(tmp_path, monkeypatch, {"obs": obs}, Dict({"obs": Box(-9, 9, (2, 3), np.float32)}),
                       np.array([[0, 1], [2, 0], [1, 1]]), MultiDiscrete([3, 2]))
    data = load(path)
    np.testing.assert_array_equal(data.state[0], obs.reshape(4, 6))
    assert data.obs is not None and data.avail_actions[0, 0].tolist() == [[True] * 3, [True, True, False]]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("which", ["actions", "observations", "sizes", "start"])
def test_other_spaces_of_minari(which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete, Space

    observation: Space[Any] = Box(-9, 9, (2,), np.float32)
    action: Space[Any] = Discrete(3)
    observations: Any = np.zeros((4, 2), np.float32)
    actions: Any = np.zeros(3, np.int64)
    told = "key 'action_space': a team's action must be MultiDiscrete"
    if which == "actions":
        actions, action = np.zeros((3, 1), np.float32), Box(-1, 1, (1,), np.float32)
    elif which == "start":
        actions, action = np.ones(3, np.int64), Discrete(3, start=1)
    elif which == "observations":
        observations, observation = {"picture": observations}, Dict({"picture": observation})
        told = "key 'observation_space': an observation must be a vector, or a dictionary with 'state' or 'obs'"
    else:
        observations = {"obs": np.zeros((4, 3, 2), np.float32)}
        observation = Dict({"obs": Box(-9, 9, (3, 2), np.float32)})
        actions, action = np.zeros((3, 2), np.int64), MultiDiscrete([3, 3])
        told = r"'obs': the shape \(3, 2\) does not fit 2 agents and 3 actions"
    with pytest.raises(UserError, match=told):
        load(make_minari(tmp_path, monkeypatch, observations, observation, actions, action))


def test_kinds_of_files_that_need_another_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = with_metadata(tmp_path, data_format="arrow")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match="cannot be read yet: pyarrow is not installed"):
        load(path)


def test_minari_environments_are_not_made(tmp_path: Path) -> None:
    """Minari would import whatever module the file names."""
    pytest.importorskip("minari")
    spec = json.dumps({"entry_point": "os:getcwd"})
    (tmp_path / "metadata.json").write_text(json.dumps({"data_format": "hdf5", "env_spec": spec}))
    with pytest.raises(UserError, match="lacks the spaces of observations and actions"):
        load(tmp_path)
