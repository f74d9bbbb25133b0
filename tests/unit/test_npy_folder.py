"""Import of buffer folders, with a small one made here; AlberDICE's own are read in tests/peers."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from epymarl_cpa.data import load_dataset
from epymarl_cpa.data.formats.npy_folder import load_npy_folder
from epymarl_cpa.data.validate import check_game
from epymarl_cpa.envs import make_game
from epymarl_cpa.errors import UserError

Arrays = dict[str, NDArray[Any]]


def arrays() -> Arrays:
    """Permutation of three agents, four rounds: one episode ends early, one at the horizon, one slot is unused."""
    rng = np.random.default_rng(0)
    actions = rng.integers(3, size=(3, 5, 3, 1))
    filled = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]])[..., None]
    terminated = np.zeros((3, 5, 1), dtype=np.uint8)
    terminated[0, 1] = terminated[1, 3] = 1
    state = np.ones((3, 5, 1), dtype=np.float32)
    return {"actions": actions, "actions_onehot": np.eye(3, dtype=np.float32)[actions[..., 0]],
            "avail_actions": np.ones((3, 5, 3, 3), dtype=np.int32), "filled": filled,
            "obs": np.repeat(state[:, :, None], 3, axis=2), "reward": rng.random((3, 5, 1), dtype=np.float32),
            "state": state, "terminated": terminated}


def write(folder: Path, content: Arrays, meta: Any = None) -> Path:
    for key, array in content.items():
        np.save(folder / f"{key}.npy", array)
    meta = {"buffer_index": 2, "episodes_in_buffer": 2, "buffer_size": 3} if meta is None else meta
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder


def test_import(tmp_path: Path) -> None:
    content = arrays()
    content["state"][0, 3:] = content["reward"][0, 3:] = np.nan  # whatever a buffer holds after an episode
    content["actions"][0, 4], content["avail_actions"][0, 3:] = 99, 0
    data = load_npy_folder(write(tmp_path, content))
    assert data.source == str(tmp_path) and data.obs is None
    assert data.meta == {"format": "alberdice", "provenance": {"buffer_index": 2, "episodes_in_buffer": 2,
                                                              "buffer_size": 3}}
    assert (data.n_episodes, data.episode_limit) == (2, 4) and data.behaviour.tolist() == [-1, -1]
    np.testing.assert_array_equal(data.filled, content["filled"][:2, :, 0])
    np.testing.assert_array_equal(data.terminated, content["terminated"][:2, :, 0])
    for key in ("actions", "reward"):
        np.testing.assert_array_equal(getattr(data, key)[data.filled], content[key][:2][data.filled][..., 0])
    for key in ("state", "actions", "reward"):
        assert (getattr(data, key)[~data.filled] == 0).all()
    assert data.avail_actions.all()
    np.testing.assert_allclose(data.returns, [content["reward"][0, :2].sum(), content["reward"][1, :4].sum()])


def test_result_does_not_depend_on_the_files(tmp_path: Path) -> None:
    content = arrays()
    data = load_npy_folder(write(tmp_path, content))
    before = data.digest
    del data.__dict__["digest"]
    np.save(tmp_path / "state.npy", content["state"] * 0)
    assert data.digest == before


@pytest.mark.parametrize("change", ["other", "wider"])
def test_obs_is_kept_where_agents_see_something_else(tmp_path: Path, change: str) -> None:
    content = arrays()
    if change == "wider":
        content["obs"] = np.concatenate([content["obs"]] * 2, axis=3)
    else:
        content["obs"][1, 2, 1] = 0.5
    content["obs"][0, 4] = np.nan
    data = load_npy_folder(write(tmp_path, content))
    assert data.obs is not None and data.obs.dtype == np.float32
    np.testing.assert_array_equal(data.obs[data.filled], content["obs"][:2][data.filled])
    assert (data.obs[~data.filled] == 0).all()


def test_optional_files(tmp_path: Path) -> None:
    whole = load_npy_folder(write(tmp_path, arrays()))
    for name in ("obs.npy", "actions_onehot.npy"):
        (tmp_path / name).unlink()
    assert load_npy_folder(tmp_path).digest == whole.digest
    (tmp_path / "meta.json").unlink()
    with pytest.raises(UserError, match="key 'filled', episode 2, step 0: the episode is empty"):
        load_npy_folder(tmp_path)


def test_last_state_that_was_not_recorded_gets_an_entry(tmp_path: Path) -> None:
    content = arrays()
    content["filled"][0, 2] = 0
    content["state"][0, 2] = np.nan
    data = load_npy_folder(write(tmp_path, content))
    assert data.filled[0].tolist() == [True, True, True, False, False] and (data.state[0, 2] == 0).all()
    assert data.steps[0].tolist() == [True, True, False, False, False]
    check_game(data, make_game("permutation", n_agents=3, episode_limit=4))
    content["terminated"][0, 4] = 1  # beyond the episode: padding, like all else there
    assert load_npy_folder(write(tmp_path, content)).terminated.tolist() == data.terminated.tolist()


def test_anything_may_stand_in_padding_and_behind_true_ends(tmp_path: Path) -> None:
    content = arrays()
    wanted = load_npy_folder(write(tmp_path, content))
    ended = np.argwhere(wanted.terminated & (wanted.steps.sum(1) < 4)[:, None])
    episode, step = ended[0]
    content["avail_actions"][episode, step + 1, 0] = 0
    content["state"][episode, step + 1] = np.nan
    for key in ("terminated", "avail_actions", "state", "reward", "actions"):
        content[key][episode, step + 2:] = 200
    data = load_npy_folder(write(tmp_path, content))
    assert data.avail_actions[episode, step + 1:, 0].all() and (data.state[episode, step + 1:] == 0).all()
    for key in ("terminated", "filled", "steps", "returns"):
        np.testing.assert_array_equal(getattr(data, key), getattr(wanted, key))
    np.testing.assert_array_equal(data.state[wanted.steps], wanted.state[wanted.steps])


def test_zero_onehot_beside_the_last_state_is_no_contradiction(tmp_path: Path) -> None:
    content = arrays()
    content["actions_onehot"][0, 2:] = content["actions_onehot"][1, 4:] = 0
    assert load_npy_folder(write(tmp_path, content)).n_episodes == 2


@pytest.mark.parametrize("key", ["actions", "avail_actions", "filled", "reward", "state", "terminated"])
def test_missing_or_truncated_file(tmp_path: Path, key: str) -> None:
    file = write(tmp_path, arrays()) / f"{key}.npy"
    whole = file.read_bytes()
    for size in (0, 3, 20, 100, len(whole) - 1):
        file.write_bytes(whole[:size])
        with pytest.raises(UserError, match=rf"{tmp_path}: {key}\.npy is truncated"):
            load_npy_folder(tmp_path)
    file.unlink()
    with pytest.raises(UserError, match=rf"{tmp_path}: the file {key}\.npy is missing"):
        load_npy_folder(tmp_path)


class Trap:
    """Unpickling it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.path), "w")


@pytest.mark.parametrize("how", ["object array", "bare pickle", "archive"])
def test_pickles_are_not_opened(tmp_path: Path, how: str) -> None:
    trap = tmp_path / "sprung"
    file = write(tmp_path, arrays()) / "state.npy"
    if how == "object array":
        np.save(file, np.array([[[Trap(trap)]]], dtype=object), allow_pickle=True)
    elif how == "bare pickle":
        file.write_bytes(pickle.dumps(Trap(trap)))
    else:
        with open(file, "wb") as stream:
            np.savez(stream, state=np.array([Trap(trap)], dtype=object))
    with pytest.raises(UserError, match=r"state\.npy is truncated, holds pickled objects, or is no \.npy file"):
        load_npy_folder(tmp_path)
    assert not trap.exists()
    with open(file, "rb") as stream:  # the trap does work where pickles are opened
        loaded = np.load(stream, allow_pickle=True)
        if how == "archive":
            loaded["state"]
    assert trap.exists()


def changed(key: str, how: Callable[[NDArray[Any]], NDArray[Any]]) -> Callable[[Arrays], None]:
    def change(content: Arrays) -> None:
        content[key] = how(content[key])
    return change


def put(key: str, place: tuple[int, ...], value: float) -> Callable[[Arrays], None]:
    def change(content: Arrays) -> None:
        content[key][place] = value
    return change


@pytest.mark.parametrize(("change", "told"), [
    (changed("state", lambda a: a[:2]), "state.npy has 2 episodes, but filled.npy has 3."),
    (changed("reward", lambda a: a[:, :4]), "reward.npy has 4 time slots, but filled.npy has 5."),
    (changed("obs", lambda a: a[:, :, :2]), "obs.npy has 2 agents, but actions.npy has 3."),
    (changed("actions_onehot", lambda a: a[..., :2]), "actions_onehot.npy has 2 actions, but avail_actions.npy has 3."),
    (changed("reward", lambda a: a[..., 0]), "reward.npy must have 3 axes, not 2 (3, 5)."),
    (changed("reward", lambda a: np.repeat(a, 3, 2)), "reward.npy has 3 values in its last axis, but it should be 1."),
    (changed("actions", lambda a: a.astype(np.float32)), "actions.npy must hold whole numbers, not float32."),
    (changed("state", lambda a: a.astype(complex)), "state.npy must hold numbers, not complex128."),
    (changed("state", lambda a: a.astype(str)), "state.npy must hold numbers, not <U32."),
    (put("actions_onehot", (1, 2, 0), 0.0), "key 'actions_onehot', episode 1, step 2: it disagrees with 'actions'."),
    (put("actions", (1, 2, 0, 0), 5), "key 'actions', episode 1, step 2: an action is outside 0..2."),
    (put("avail_actions", (0, 1, 2, 0), 2), "key 'avail_actions', episode 0, step 1: a value is neither 0 nor 1."),
    (put("terminated", (1, 0, 0), 3), "key 'terminated', episode 1, step 0: a value is neither 0 nor 1."),
    (put("terminated", (1, 0, 0), 1), "key 'terminated', episode 1, step 3: the episode ends a second time."),
    (put("filled", (1, 2, 0), 0), "key 'filled', episode 1, step 3: filled steps follow a gap; "
                                  "an episode must be contiguous."),
    (put("state", (0, 1, 0), np.nan), "key 'state', episode 0, step 1: a value is not finite (NaN or infinite)."),
    (changed("reward", lambda a: a * np.float64(1e300)), "key 'reward', episode 0, step 0: the reward is not finite "
                                                         "(NaN or infinite).")])
def test_contradictory_files(tmp_path: Path, change: Callable[[Arrays], None], told: str) -> None:
    content = arrays()
    change(content)
    write(tmp_path, content)
    with pytest.raises(UserError) as error:
        load_npy_folder(tmp_path)
    assert str(error.value) == f"{tmp_path}: {told}"


@pytest.mark.parametrize(("meta", "told"), [
    ({"episodes_in_buffer": 4}, "meta.json tells of 4 episodes, but the arrays hold 3"),
    ({"episodes_in_buffer": 0}, "meta.json tells of 0 episodes"),
    ({"episodes_in_buffer": "2"}, "meta.json tells of '2' episodes"),
    ([1, 2], "meta.json must hold an object, not list")])
def test_contradictory_meta(tmp_path: Path, meta: Any, told: str) -> None:
    with pytest.raises(UserError, match=told):
        load_npy_folder(write(tmp_path, arrays(), meta))


def test_a_buffer_without_episodes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no episodes"):
        load_npy_folder(write(tmp_path, {key: array[:0] for key, array in arrays().items()}, {"episodes_in_buffer": 0}))


@pytest.mark.parametrize("text", ["{", "\xff", "[" * 100_000])
def test_unreadable_meta(tmp_path: Path, text: str) -> None:
    (write(tmp_path, arrays()) / "meta.json").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=r"meta\.json cannot be read as JSON"):
        load_npy_folder(tmp_path)


def test_load_dataset_checks_the_game(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    write(folder, arrays())
    cache = tmp_path / "cache"

    def load(n_agents: int, limit: int) -> int:
        game = make_game("permutation", n_agents=n_agents, episode_limit=limit)
        return load_dataset(str(folder), game, {}, 0, cache).n_episodes

    assert load(3, 4) == 2 and not cache.exists()
    with pytest.raises(UserError, match=r"episodes of 4 steps.*set env_args\.episode_limit=4\."):
        load(3, 1)
    with pytest.raises(UserError, match="has 3 agents, but permutation has 4"):
        load(4, 4)
