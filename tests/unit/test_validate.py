"""Every complaint about a data set names the source, the key, the episode and the step."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from epymarl_cpa.data import OfflineDataset
from epymarl_cpa.data.generate import generate
from epymarl_cpa.data.validate import check_game
from epymarl_cpa.envs import make_game
from epymarl_cpa.errors import UserError

Arrays = dict[str, Any]


def valid() -> Arrays:
    """Two episodes of at most 3 steps: one ends after 2, the other is cut off at the horizon; N = 2, A = 3."""
    filled = np.array([[1, 1, 1, 0], [1, 1, 1, 1]], dtype=np.bool_)
    terminated = np.array([[0, 1, 0, 0], [0, 0, 0, 0]], dtype=np.bool_)
    available = np.ones((2, 4, 2, 3), dtype=np.bool_)
    available[1, 2, 0, 2] = False
    return {"state": np.ones((2, 4, 2), dtype=np.float32), "actions": np.ones((2, 4, 2), dtype=np.int64),
            "avail_actions": available, "reward": np.ones((2, 4), dtype=np.float32), "terminated": terminated,
            "filled": filled, "behaviour": np.array([0, -1]), "obs": np.ones((2, 4, 2, 5), dtype=np.float32),
            "agent_reward": np.ones((2, 4, 2), dtype=np.float32), "meta": {"behaviours": ["one"]}, "source": "file X"}


def put(key: str, place: Any, value: Any) -> Callable[[Arrays], None]:
    def change(arrays: Arrays) -> None:
        arrays[key][place] = value
    return change


def lack_the_state_after(place: Any) -> Callable[[Arrays], None]:
    def change(arrays: Arrays) -> None:
        arrays["no_next"] = np.zeros((2, 4), dtype=np.bool_)
        arrays["no_next"][place] = True
    return change


def become(key: str, how: Callable[[NDArray[Any]], Any]) -> Callable[[Arrays], None]:
    def change(arrays: Arrays) -> None:
        arrays[key] = how(arrays[key])
    return change


def test_valid_data_and_what_it_holds() -> None:
    data = OfflineDataset(**valid())
    assert (data.n_episodes, data.episode_limit) == (2, 3)
    assert data.steps.tolist() == [[True, True, False, False], [True, True, True, False]]
    assert data.returns.tolist() == [2.0, 3.0]


def test_truncated_episode_that_ends_before_the_horizon() -> None:
    """Its last entry is a state only, since nothing tells what came after it."""
    arrays = valid()
    arrays["filled"][1, 3] = False
    assert OfflineDataset(**arrays).steps[1].tolist() == [True, True, False, False]


@pytest.mark.parametrize(("change", "key", "episode", "step", "what"), [
    (put("state", (1, 2, 0), np.nan), "state", 1, 2, "not finite"),
    (put("state", (0, 3, 1), np.inf), "state", 0, 3, "not finite"),
    (put("obs", (1, 0, 1, 4), -np.inf), "obs", 1, 0, "not finite"),
    (put("reward", (1, 1), np.nan), "reward", 1, 1, "not finite"),
    (put("agent_reward", (0, 3, 1), np.nan), "agent_reward", 0, 3, "not finite"),
    (put("actions", (0, 1, 1), 3), "actions", 0, 1, "outside 0..2"),
    (put("actions", (1, 0, 0), -1), "actions", 1, 0, "outside 0..2"),
    (put("actions", (0, 3, 0), 7), "actions", 0, 3, "outside 0..2"),
    (put("actions", (1, 2, 0), 2), "actions", 1, 2, "was not available"),
    (put("avail_actions", (1, 1, 1), False), "avail_actions", 1, 1, "no available action"),
    (put("filled", (1, 0), False), "filled", 1, 0, "empty"),
    (put("filled", (1, 1), False), "filled", 1, 2, "contiguous"),
    (put("filled", (0, 3), True), "filled", 0, 3, "goes on after it has ended"),
    (put("terminated", (0, 3), True), "terminated", 0, 3, "not filled"),
    (put("terminated", (0, 2), True), "terminated", 0, 2, "a second time"),
    (put("terminated", (1, 3), True), "terminated", 1, 3, "without an entry for its last state"),
    (put("filled", (0, 2), False), "terminated", 0, 1, "without an entry for its last state"),
    (lack_the_state_after((1, 1)), "no_next", 1, 1, "not the last step"),
    (lack_the_state_after((1, 3)), "no_next", 1, 3, "not the last step"),
    (lack_the_state_after((0, 1)), "no_next", 0, 1, "the episode ends here")])
def test_complaints(change: Callable[[Arrays], None], key: str, episode: int, step: int, what: str) -> None:
    arrays = valid()
    change(arrays)
    with pytest.raises(UserError) as error:
        OfflineDataset(**arrays)
    told = str(error.value)
    assert told.startswith(f"file X: key '{key}', episode {episode}, step {step}: ")
    assert what in told and told.endswith(".") and "\n" not in told
    with pytest.raises(UserError, match=f"key '{key}', episode {70 + episode}, step {step}: "):
        OfflineDataset(**arrays, first=70)  # the same in a part of a longer data set


@pytest.mark.parametrize(("change", "key", "what"), [
    (become("state", lambda a: a.astype(np.float64)), "state", "float32 values, not float64"),
    (become("actions", lambda a: a.astype(np.float32)), "actions", "int64"),
    (become("filled", lambda a: a.astype(np.uint8)), "filled", "bool"),
    (become("reward", lambda a: a.astype(">f4")), "reward", "float32"),
    (become("state", lambda a: a.astype(object)), "state", "float32"),
    (become("reward", lambda a: a[..., None]), "reward", "2 axes, not 3"),
    (become("behaviour", lambda a: a[0]), "behaviour", "1 axes, not 0"),
    (become("actions", lambda a: a[:1]), "actions", "(1, 4) episodes and steps, but 'filled' has (2, 4)"),
    (become("obs", lambda a: a[:, :3]), "obs", "(2, 3)"),
    (become("behaviour", lambda a: np.zeros(3, dtype=np.int64)), "behaviour", "(3,)"),
    (become("avail_actions", lambda a: a[:, :, :1]), "avail_actions", "1 agents, 'actions' for 2"),
    (become("obs", lambda a: a[:, :, :1]), "obs", "1 agents"),
    (become("agent_reward", lambda a: a[:, :, :1]), "agent_reward", "1 agents"),
    (become("agent_reward", lambda a: a[:, :3]), "agent_reward", "(2, 3)"),
    (become("agent_reward", lambda a: a.astype(np.float64)), "agent_reward", "float32 values, not float64"),
    (become("state", lambda a: a[:, :, :0]), "state", "empty"),
    (put("behaviour", 1, 1), "behaviour", "episode 1: 1 is neither -1 nor one of the 1"),
    (put("behaviour", 0, -2), "behaviour", "episode 0: -2")])
def test_complaints_about_whole_arrays(change: Callable[[Arrays], None], key: str, what: str) -> None:
    arrays = valid()
    change(arrays)
    with pytest.raises(UserError) as error:
        OfflineDataset(**arrays)
    assert str(error.value).startswith(f"file X: key '{key}'") and what in str(error.value)


@pytest.mark.parametrize(("key", "value"), [("spec", 3), ("behaviours", {"a": 1}), ("recipe", "good")])
def test_damaged_provenance(key: str, value: object) -> None:
    with pytest.raises(UserError, match=f"file X: '{key}' of the provenance must be"):
        OfflineDataset(**{**valid(), "meta": {"behaviours": ["one"], key: value}})


def test_digest_is_as_it_was_before_there_were_individual_rewards() -> None:
    """So that files made before are still accepted, and recipes need not be made again."""
    arrays = {**valid(), "agent_reward": None}
    names = ["state", "actions", "avail_actions", "reward", "terminated", "filled", "behaviour", "obs"]
    total = hashlib.sha256(b'{"behaviours": ["one"]}')
    for name in names:
        total.update(f"{name}{arrays[name].dtype}{arrays[name].shape}".encode() + arrays[name].tobytes())
    assert OfflineDataset(**arrays).digest == total.hexdigest()
    assert OfflineDataset(**valid()).digest != OfflineDataset(**arrays).digest


def test_saving_takes_any_path_and_tells_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = OfflineDataset(**valid())
    monkeypatch.chdir(tmp_path)
    data.save("x.npz")
    assert OfflineDataset.load(tmp_path / "x.npz").digest == data.digest
    for path, told in (("none/x.npz", r"none/x\.npz cannot be written \(No such file"), (tmp_path, "cannot be written"),
                       ("x.npz/y.npz", r"cannot be written \(Not a directory"), ("", "the path is empty")):
        with pytest.raises(UserError, match=told):
            data.save(path)
    assert [*tmp_path.iterdir()] == [tmp_path / "x.npz"]


def test_no_complete_step() -> None:
    arrays = valid()
    arrays["filled"][:, 1:] = arrays["terminated"][:] = False
    assert OfflineDataset(**arrays, first=0).n_episodes == 2  # a part may lack them
    with pytest.raises(UserError, match="file X: no episode has a complete step"):
        OfflineDataset(**arrays)
    arrays = {key: value[:, :1] if getattr(value, "ndim", 0) > 1 else value for key, value in valid().items()}
    with pytest.raises(UserError, match="needs at least one episode of one step"):
        OfflineDataset(**arrays)


@pytest.mark.parametrize(("game", "args", "what"), [
    ("permutation", {}, "recorded with game=bridge, but this run plays game=permutation"),
    ("bridge", {"episode_limit": 9}, "env_args.episode_limit=50, but this run plays env_args.episode_limit=9"),
    ("bridge", {"start": "separate"}, "env_args.start=adjacent")])
def test_other_game(game: str, args: dict[str, Any], what: str) -> None:
    data = generate(make_game("bridge"), {"episodes": 3, "mixture": {"random": 1.0}}, seed=0)
    check_game(data, make_game("bridge"))
    with pytest.raises(UserError, match=what) as error:
        check_game(data, make_game(game, **args))
    assert data.source in str(error.value)


@pytest.mark.parametrize(("game", "args", "what"), [
    ("bridge", {}, "3 actions, but bridge has 5"), ("aloha", {"rows": 1, "cols": 2}, "3 actions, but aloha has 2"),
    ("permutation", {"n_agents": 3}, "has 2 agents, but permutation has 3")])
def test_other_shapes(game: str, args: dict[str, Any], what: str) -> None:
    with pytest.raises(UserError, match=what):
        check_game(OfflineDataset(**valid()), make_game(game, **args))


def test_longer_episodes_and_foreign_states() -> None:
    data = generate(make_game("bridge"), {"episodes": 3, "mixture": {"random": 1.0}}, seed=0)
    state = data.state.copy()
    foreign = OfflineDataset(state, data.actions, data.avail_actions, data.reward, data.terminated, data.filled,
                             np.full(3, -1), {}, source="folder Y")
    check_game(foreign, make_game("bridge"))
    with pytest.raises(UserError, match=r"folder Y has episodes of 50 steps.*set env_args.episode_limit=50\."):
        check_game(foreign, make_game("bridge", episode_limit=20))
    state[2, 1, 0] = 3.0  # below the map
    with pytest.raises(UserError, match="folder Y: key 'state', episode 2, step 1: this is not a state of bridge"):
        check_game(foreign, make_game("bridge"))
    state[2, 1, 0] = 0.5
    with pytest.raises(UserError, match="episode 2, step 1: this is not a state of bridge"):
        check_game(foreign, make_game("bridge"))
