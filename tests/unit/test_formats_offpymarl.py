"""HDF5 files as offpymarl writes and reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from epymarl_cpa.data.__main__ import main
from epymarl_cpa.data.chunks import split
from epymarl_cpa.data.formats import h5, load
from epymarl_cpa.data.store import write_dataset
from epymarl_cpa.errors import UserError

Arrays = dict[str, NDArray[Any]]


def batch(seed: int = 0, shared: bool = True) -> Arrays:
    """As PyMARL's episode batches: one episode ends after two steps, one is cut off at the horizon of four."""
    rng = np.random.default_rng(seed)
    actions = rng.integers(3, size=(2, 5, 2, 1))
    state = rng.normal(size=(2, 5, 4)).astype(np.float32)
    obs = np.repeat(state[:, :, None], 2, axis=2) if shared else rng.normal(size=(2, 5, 2, 6)).astype(np.float32)
    filled = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])[..., None]
    terminated = np.zeros((2, 5, 1), np.uint8)
    terminated[0, 1] = 1
    return {"actions": actions, "actions_onehot": np.eye(3, dtype=np.float32)[actions[..., 0]],
            "avail_actions": np.ones((2, 5, 2, 3), np.int32), "filled": filled, "obs": obs,
            "reward": rng.random((2, 5, 1), dtype=np.float32), "state": state, "terminated": terminated}


def write_h5(path: Path, arrays: Arrays) -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for key, array in arrays.items():
            options = {"compression": "gzip", "compression_opts": 9} if array.size else {}
            file.create_dataset(key, data=array, **options)
    return path


def test_offpymarl_file(tmp_path: Path) -> None:
    data = load(write_h5(tmp_path / "part_0.h5", {**batch(), "corrected_terminated": batch()["terminated"]}))
    assert (data.n_episodes, data.episode_limit, data.obs) == (2, 4, None) and data.meta == {"format": "offpymarl"}
    assert data.steps.sum(1).tolist() == [2, 4] and data.behaviour.tolist() == [-1, -1]
    assert (data.state[0, 3:] == 0).all() and data.terminated.sum() == 1
    np.testing.assert_array_equal(data.state[data.filled], batch()["state"][data.filled])


def test_offpymarl_folder_in_order(tmp_path: Path) -> None:
    for part in (0, 2, 10):
        write_h5(tmp_path / f"part_{part}.h5", batch(part))
    data = load(tmp_path)
    assert data.obs is None
    want = np.concatenate([batch(part)["actions"][..., 0] for part in (0, 2, 10)])
    np.testing.assert_array_equal(data.actions[data.filled], want[data.filled])
    write_h5(tmp_path / "part_2.h5", {**batch(2), "obs": batch(2)["obs"] + 1})
    assert load(tmp_path).obs is not None  # in all parts, as soon as one needs it
    write_h5(tmp_path / "part_11.h5", {**batch(), "state": batch()["state"][..., :1]})
    with pytest.raises(UserError, match=r"part_11\.h5: key 'state' has shape \(5, 1\) in each episode, but \(5, 4\)"):
        load(tmp_path)


@pytest.mark.parametrize(("change", "told"), [
    ({"state": None}, "lacks the key 'state', which offpymarl's layout needs; it holds actions, "),
    ({"actions": np.zeros((2, 5, 2, 1), np.float32)}, "key 'actions' must hold whole numbers, not float32"),
    ({"reward": np.full((2, 5, 1), np.nan)}, "key 'reward', episode 0, step 0: the reward is not finite"),
    ({"filled": np.zeros((2, 5, 1))}, "key 'filled', episode 0, step 0: the episode is empty"),
    ({"terminated": np.zeros((2, 4, 1))}, "key 'terminated' has 4 time slots, but key 'filled' has 5"),
    ({"avail_actions": np.full((2, 5, 2, 3), 2)}, "key 'avail_actions', episode 0, step 0: a value is neither 0 nor 1"),
    ({"actions_onehot": np.ones((2, 5, 2, 3))}, "key 'actions_onehot', episode 0, step 0: it disagrees with")])
def test_wrong_offpymarl_files(change: dict[str, Any], told: str, tmp_path: Path) -> None:
    arrays = {key: array for key, array in {**batch(), **change}.items() if array is not None}
    with pytest.raises(UserError) as error:
        load(write_h5(tmp_path / "part_0.h5", arrays))
    assert str(error.value).startswith(str(tmp_path / "part_0.h5")) and told in str(error.value)


def test_no_episodes(tmp_path: Path) -> None:
    write_h5(tmp_path / "part_0.h5", {key: array[:0] for key, array in batch().items()})
    with pytest.raises(UserError, match=r"part_0\.h5 holds no episodes"):
        load(tmp_path / "part_0.h5")
    for command in (["convert", str(tmp_path / "part_0.h5"), str(tmp_path / "x.npz")],
                    ["merge", str(tmp_path / "part_0.h5"), f"--out={tmp_path / 'x.npz'}"]):
        assert main(command) == 2


def test_links_are_not_followed(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    arrays = batch()
    write_h5(tmp_path / "other.h5", {"state": arrays.pop("state")})
    with h5py.File(write_h5(tmp_path / "part_0.h5", arrays), "a") as file:
        file["state"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/state")
    with pytest.raises(UserError, match="key 'state' is a link, which is not followed"):
        load(tmp_path / "part_0.h5")
    with h5py.File(tmp_path / "part_0.h5", "a") as file:
        del file["state"]
        layout = h5py.VirtualLayout(shape=(2, 5, 4), dtype=np.float32)
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "state", shape=(2, 5, 4))
        file.create_virtual_dataset("state", layout)
    with pytest.raises(UserError, match="key 'state' is kept in another file, which is not followed"):
        load(tmp_path / "part_0.h5")


def test_ours_is_what_offpymarl_reads(tmp_path: Path) -> None:
    """All arrays at the top, episodes first and a second axis, so that its buffer can index and cut them."""
    h5py = pytest.importorskip("h5py")
    folder = tmp_path / "folder"
    data = load(write_h5(tmp_path / "part_0.h5", batch()))
    write_dataset(split(data), folder, "hdf5")
    assert [file.name for file in folder.iterdir()] == ["part_0.h5"]
    with h5py.File(folder / "part_0.h5", "r") as file:
        found = {key: file[key][:] for key in file}
    for key, array in batch().items():
        assert found[key].dtype == array.dtype and found[key].shape == array.shape
        np.testing.assert_array_equal(found[key][data.filled], np.asarray(array)[data.filled])
    assert found["behaviour"].shape == (2, 1)


# --------------------------------------------------------------------------------- files without the last states
def without_last_states(reward_last: float = 1.0, ended: bool = False) -> Arrays:
    """T slots: episodes of one, three and four steps, each filled as far as it was played, and paid 1 a step."""
    content = batch()
    length = np.array([[1], [3], [4]])
    filled = (np.arange(4) < length)[..., None]
    arrays = {key: np.repeat(array[:1, :4], 3, axis=0) for key, array in content.items()}
    last = (np.arange(4) == length - 1)[..., None]
    return {**arrays, "filled": filled.astype(np.int64), "terminated": (last & ended).astype(np.uint8),
            "reward": np.where(last, reward_last, 1.0).astype(np.float32)}


@pytest.mark.parametrize("ended", [False, True])
def test_the_last_step_counts_where_no_state_comes_after_it(tmp_path: Path, ended: bool) -> None:
    content = without_last_states(ended=ended)
    data = load(write_h5(tmp_path / "cut.h5", content))
    assert data.returns.tolist() == [1.0, 3.0, 4.0] and data.episode_limit == 4 and "assumed" not in data.meta
    assert data.terminated.sum() == (3 if ended else 0)
    if ended:
        assert data.no_next is None
    else:
        assert data.no_next is not None and np.argwhere(data.no_next).tolist() == [[0, 0], [1, 2], [2, 3]]
    played = content["filled"][..., 0] == 1
    np.testing.assert_array_equal(data.actions[data.steps], content["actions"][played][..., 0])


def test_one_true_end_tells_how_all_episodes_of_a_file_end(tmp_path: Path) -> None:
    content = without_last_states(reward_last=0.0)
    content["terminated"][0, 0] = 1
    data = load(write_h5(tmp_path / "cut.h5", content))
    assert data.steps.sum(1).tolist() == [1, 3, 4] and data.no_next is not None and data.no_next.sum() == 2


def test_ends_in_padding_are_none(tmp_path: Path) -> None:
    content = batch()
    whole = load(write_h5(tmp_path / "whole.h5", content))
    content["terminated"][content["filled"] == 0] = 1
    assert load(write_h5(tmp_path / "odd.h5", content)).terminated.tolist() == whole.terminated.tolist()


def test_where_nothing_tells_it_is_said(tmp_path: Path) -> None:
    data = load(write_h5(tmp_path / "cut.h5", without_last_states(reward_last=0.0)))
    assert data.steps.sum(1).tolist() == [0, 2, 3]
    assert data.meta["assumed"][0].startswith("3 episodes do not say how they ended, so the last entry of each is")


def test_rewards_of_each_agent(tmp_path: Path) -> None:
    content = batch()
    content["reward"] = np.concatenate([content["reward"], 3 * content["reward"]], 2)
    data = load(write_h5(tmp_path / "own.h5", content))
    assert data.agent_reward is not None
    np.testing.assert_array_equal(data.agent_reward[data.filled], content["reward"][data.filled])
    np.testing.assert_allclose(data.reward, data.agent_reward.mean(2))


@pytest.mark.parametrize(("room", "rows"), [(1, 1), (24, 1), (71, 2), (72, 3), (10**6, 5)])
def test_arrays_grow_in_chunks_of_whole_rows(room: int, rows: int, tmp_path: Path,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    """Of as many as there is room for, one if a single row is larger; 24 bytes are a row."""
    h5py = pytest.importorskip("h5py")
    monkeypatch.setattr(h5, "CHUNK_BYTES", room)
    whole = np.arange(24.0).reshape(8, 3)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for part in (whole[:5], whole[5:]):
            h5.append(file, "x", part)
        assert file["x"].chunks == (rows, 3) and file["x"].fletcher32
        np.testing.assert_array_equal(file["x"][:], whole)


def test_a_file_claims_the_sum_of_its_arrays_or_a_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    h5py = pytest.importorskip("h5py")
    claims: list[int] = []
    monkeypatch.setattr(h5, "check_deflated", lambda path, claimed, stored: claims.append(claimed))
    for name, chunk, wanted in (("a", 10, 1100), ("b", 500, 4000)):
        with h5py.File(tmp_path / name, "w") as file:
            file.create_dataset("x", data=np.zeros((25, 4)))
            file.create_dataset("y", data=np.zeros(75, np.int32))
            file.create_dataset("z", shape=0, dtype="f8", maxshape=(None,), chunks=(chunk,))
            file["w"] = "words"
            assert h5.arrays(file, tmp_path / name).keys() == {"x", "y", "z", "w"}
        assert claims.pop() == wanted
