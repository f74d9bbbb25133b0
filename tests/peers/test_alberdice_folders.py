"""AlberDICE's own recordings, imported; skipped where the files are absent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from epymarl_cpa.data import OfflineDataset, load_dataset
from epymarl_cpa.data.formats.npy_folder import load_npy_folder
from epymarl_cpa.envs import make_game
from epymarl_cpa.errors import UserError

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "alberdice"
FOLDERS = sorted(str(file.parent.relative_to(DATA)) for file in DATA.glob("*/*/filled.npy"))

pytestmark = pytest.mark.skipif(not FOLDERS, reason="AlberDICE's recordings are not here")


def load(name: str, tmp_path: Path, limit: int = 50) -> OfflineDataset:
    args = {} if name.startswith("bridge") else {"bb_reward": -2.0}
    game = make_game("bridge" if name.startswith("bridge") else "xor", episode_limit=limit, **args)
    return load_dataset(str(DATA / name), game, {}, 0, tmp_path)


@pytest.mark.parametrize("name", FOLDERS)
def test_every_folder_is_read_as_it_is(name: str, tmp_path: Path) -> None:
    data = load(name, tmp_path)
    raw = {key: np.load(DATA / name / f"{key}.npy") for key in ("state", "actions", "reward", "filled", "terminated")}
    filled = raw["filled"][..., 0] == 1
    assert data.episode_limit == 50 and data.obs is None
    np.testing.assert_array_equal(data.filled, filled)
    np.testing.assert_array_equal(data.terminated, raw["terminated"][..., 0] == 1)
    np.testing.assert_array_equal(data.state[filled], raw["state"][filled])
    np.testing.assert_array_equal(data.actions[filled], raw["actions"][filled][..., 0])
    np.testing.assert_array_equal(data.reward[filled], raw["reward"][filled][..., 0])
    assert data.meta["provenance"]["episodes_in_buffer"] == data.n_episodes


@pytest.mark.parametrize("name", FOLDERS)
def test_import_can_be_saved_and_read_back(name: str, tmp_path: Path) -> None:
    data = load(name, tmp_path)
    data.save(tmp_path / "copy.npz")
    assert OfflineDataset.load(tmp_path / "copy.npz").digest == data.digest


def test_bridge_facts(tmp_path: Path) -> None:
    data = load("bridge_from_start/buffer_optimal", tmp_path)
    assert data.n_episodes == 500 and (data.steps.sum(1) == 8).all()
    values, counts = np.unique(data.returns.round(4), return_counts=True)
    assert values.tolist() == [-1.2904, -1.2591, -1.2355] and counts.tolist() == [173, 160, 167]
    assert data.returns.mean() == pytest.approx(-1.2620, abs=5e-5)


@pytest.mark.parametrize(("name", "joint_actions"), [
    ("buffer_02", [[0, 1]]), ("buffer_02_20", [[0, 1], [1, 0]]), ("buffer_00_02_20", [[0, 0], [0, 1], [1, 0]]),
    ("buffer_random", [[0, 0], [0, 1], [1, 0], [1, 1]])])
def test_matrix_game_facts(name: str, joint_actions: list[list[int]], tmp_path: Path) -> None:
    data = load(f"mmdp_game_1_from_start/{name}", tmp_path)
    assert data.n_episodes == 100 and (data.steps.sum(1) == 50).all()
    played = data.actions[data.steps]
    assert np.unique(played, axis=0).tolist() == joint_actions
    pays = np.array([[0.0, 1.0], [1.0, -2.0]])
    np.testing.assert_array_equal(data.reward[data.steps], pays[played[:, 0], played[:, 1]])


@pytest.mark.parametrize(("name", "limit"), [("bridge_from_start/buffer_optimal", 7),
                                             ("mmdp_game_1_from_start/buffer_02", 1)])
def test_shorter_horizon_is_refused(name: str, limit: int, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"set env_args\.episode_limit=50\.") as error:
        load(name, tmp_path, limit)
    assert f"ends after {limit};" in str(error.value) and str(DATA / name) in str(error.value)


def test_folders_of_the_other_game_are_refused() -> None:
    data = load_npy_folder(DATA / "mmdp_game_1_from_start/buffer_02")
    with pytest.raises(UserError, match="2 actions, but bridge has 5"):
        load_dataset(data.source, make_game("bridge"), {}, 0, Path())
