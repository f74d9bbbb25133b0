"""OG-MARL's Vaults, written here with tensorstore in the layout of Flashbax's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from epymarl_cpa.data import chunks
from epymarl_cpa.data.__main__ import main
from epymarl_cpa.data.formats import load, read, recognise
from epymarl_cpa.errors import UserError

ts = pytest.importorskip("tensorstore")

Leaves = dict[str, NDArray[Any]]
#: steps of the episodes: ended, cut off, ended after one step, unfinished when the recording stopped
LENGTHS = (4, 3, 1, 2)
STEPS = sum(LENGTHS)
SIZE = 10**13  # Flashbax's bound of the time axis


def leaves() -> Leaves:
    """Two agents, three actions."""
    rng = np.random.default_rng(0)
    last = np.cumsum(LENGTHS) - 1
    terminals, truncations = np.zeros((2, 1, STEPS, 2), np.bool_)
    terminals[0, last[[0, 2]]] = truncations[0, last[1]] = True
    terminals[0, 1, 0] = True  # one agent alone does not end an episode
    actions = rng.integers(3, size=(1, STEPS, 2))
    legals = rng.random((1, STEPS, 2, 3)) < 0.5
    np.put_along_axis(legals, actions[..., None], True, axis=3)
    return {"observations": rng.normal(size=(1, STEPS, 2, 5)).astype(np.float32), "actions": actions,
            "rewards": np.repeat(rng.random((1, STEPS, 1), dtype=np.float32), 2, axis=2),
            "terminals": terminals, "truncations": truncations,
            "infos.state": rng.normal(size=(1, STEPS, 4)).astype(np.float32),
            "infos.legals": legals.astype(np.float32)}


def write(path: Path, content: Leaves, steps: int = STEPS, **extra: Any) -> Path:
    path.mkdir(parents=True)

    def leaf(name: str, array: NDArray[Any], size: tuple[int, ...]) -> Any:
        kvstore = {"driver": "ocdbt", "base": f"file://{path}", "path": name}
        spec = {"driver": "zarr", "kvstore": kvstore, "metadata": {"compressor": {"id": "gzip", "level": 5}}}
        return ts.open(spec, dtype=array.dtype.name, shape=size, create=True).result()

    structure: dict[str, dict[str, Any]] = {"shape": {}, "dtype": {}}
    for key, array in content.items():
        leaf(f"{key}.", array, (1, SIZE, *array.shape[2:]))[:, : array.shape[1]].write(array).result()
        *lead, name = key.split(".")
        for kind, value in (("shape", str(array.shape)), ("dtype", array.dtype.name)):
            (structure[kind].setdefault(lead[0], {}) if lead else structure[kind])[name] = value
    leaf("vault_index", np.zeros(1, np.int32), (1,)).write(np.array([steps], np.int32)).result()
    (path / "metadata.json").write_text(json.dumps({"version": 1.2, "structure_shape": structure["shape"],
                                                    "structure_dtype": structure["dtype"], **extra}))
    return path


@pytest.mark.parametrize("part_bytes", [1, 2**24])
def test_episodes(tmp_path: Path, part_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "PART_BYTES", part_bytes)
    content = leaves()
    data = load(write(tmp_path / "game.vlt" / "Good", content, env="smac"))
    assert data.meta == {"format": "vault", "provenance": {"version": 1.2, "env": "smac"}}
    assert (data.n_episodes, data.episode_limit) == (4, 4)
    assert data.filled.sum(1).tolist() == [5, 4, 2, 3] and data.steps.sum(1).tolist() == [*LENGTHS]
    assert data.no_next is not None and np.argwhere(data.no_next).tolist() == [[1, 2], [3, 1]]
    assert data.terminated.any(1).tolist() == [True, False, True, False] and (data.behaviour == -1).all()
    played = np.arange(5) < np.array(LENGTHS)[:, None]
    assert data.obs is not None
    for key, array in (("observations", data.obs), ("actions", data.actions), ("infos.state", data.state),
                       ("infos.legals", data.avail_actions)):
        np.testing.assert_array_equal(array[played], content[key][0])
    np.testing.assert_array_equal(data.reward[played], content["rewards"][0, :, 0])
    np.testing.assert_array_equal(data.agent_reward[played], content["rewards"][0])  # type: ignore[index]
    assert (data.state[~played] == 0).all() and data.avail_actions[~played].all()
    assert len(list(read(tmp_path / "game.vlt" / "Good"))) == (4 if part_bytes == 1 else 1)


def test_fewer_leaves(tmp_path: Path) -> None:
    content = {key: array for key, array in leaves().items() if not key.startswith("infos") and key != "truncations"}
    data = load(write(tmp_path / "Good", content))
    assert data.filled.sum(1).tolist() == [5, 5, 3] and data.steps.sum(1).tolist() == [4, 4, 2]
    assert data.meta["unrecorded"] == ["avail_actions"]
    assert data.avail_actions.all() and data.avail_actions.shape[3] == 3
    assert data.obs is not None
    np.testing.assert_array_equal(data.state, data.obs.reshape(3, 5, 10))


def test_agents_with_rewards_of_their_own(tmp_path: Path) -> None:
    content = leaves()
    content["rewards"][0, 3, 1] = 5
    data = load(write(tmp_path / "Good", content))
    assert data.agent_reward is not None and data.agent_reward[0, 3, 1] == 5
    np.testing.assert_array_equal(data.agent_reward[0, :4], content["rewards"][0, :4])
    np.testing.assert_allclose(data.reward[0, :4], content["rewards"][0, :4].mean(1))


def test_what_is_minus_infinity_in_every_step_is_padding(tmp_path: Path) -> None:
    content = leaves()
    content["observations"][..., 1, 3:] = content["infos.state"][..., 2] = -np.inf
    data = load(write(tmp_path / "Good", content))
    assert data.obs is not None and (data.obs[:, :, 1, 3:] == 0).all() and (data.state[..., 2] == 0).all()
    np.testing.assert_array_equal(data.obs[0, :4, 0], content["observations"][0, :4, 0])
    content["observations"][0, 3, 1, 4] = 1.0
    with pytest.raises(UserError, match="key 'obs', episode 0, step 0: a value is not finite"):
        load(write(tmp_path / "Other", content))


def test_pictures_are_flattened(tmp_path: Path) -> None:
    content = leaves()
    content["observations"] = np.zeros((1, STEPS, 2, 3, 3, 1), np.uint8)
    data = load(write(tmp_path / "Good", content))
    assert data.obs is not None and data.obs.shape == (4, 5, 2, 9)


def test_the_vault_of_several(tmp_path: Path) -> None:
    path = tmp_path / "game.vlt"
    write(path / "Good", leaves())
    assert recognise(path).title == "an OG-MARL Vault (read only)" and load(path).n_episodes == 4
    write(path / "Poor", leaves())
    with pytest.raises(UserError, match=r"holds 2 vaults, but the path must name one: Good, Poor\."):
        load(path)


def swap(key: str, how: Callable[[NDArray[Any]], NDArray[Any]]) -> Callable[[Leaves], None]:
    def change(content: Leaves) -> None:
        content[key] = how(content[key])
    return change


@pytest.mark.parametrize(("change", "told"), [
    *[(swap(key, lambda a: a.repeat(3, 2)), rf"key '{key}' has shape \(6,\) in each step, which does not fit 2 agents")
      for key in ("rewards", "terminals", "truncations")],
    (lambda content: content.pop("terminals"), "metadata.json lists no 'terminals'"),
    (swap("actions", lambda a: a.astype(np.float32)), "continuous actions are not supported"),
    (swap("actions", lambda a: a[:, :, 0]), r"key 'actions' has shape \(1, 10000000000000\), but"),
    (swap("observations", lambda a: a[:, :, :, 0]), "key 'observations' has shape"),
    (swap("observations", lambda a: a[:, :, :1]), r"key 'observations' has shape \(1, 5\) in each step"),
    (swap("observations", lambda a: a.repeat(2, 2)), r"key 'observations' has shape \(4, 5\) in each step"),
    (swap("infos.legals", lambda a: a.repeat(2, 2)), r"key 'infos.legals' has shape \(4, 3\) in each step"),
    (swap("infos.legals", lambda a: a * 2), "key 'infos.legals', episode 0, step 0: a value is neither 0 nor 1"),
    (swap("infos.legals", lambda a: a * 0), "key 'avail_actions', episode 0, step 0: an agent has no available"),
    (swap("rewards", lambda a: a * np.float32(np.nan)), "reward.*, episode 0, step 0: .* not finite"),
    (swap("actions", lambda a: a + 5), "key 'actions', episode 0, step 0: an action is outside 0..2"),
    (swap("terminals", lambda a: a | True), None)])
def test_wrong_vaults(change: Callable[[Leaves], None], told: str | None, tmp_path: Path) -> None:
    content = leaves()
    change(content)
    path = write(tmp_path / "Good", content)
    if told is None:
        assert load(path).n_episodes == STEPS  # every step an episode
        return
    with pytest.raises(UserError, match=told) as error:
        load(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_damaged_vaults(tmp_path: Path) -> None:
    """Files of the store that are cut, changed or gone: refused, or harmless."""
    path, rng = write(tmp_path / "Good", leaves()), np.random.default_rng(0)
    whole, refused = load(path).digest, 0
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        content = file.read_bytes()
        for spot in rng.integers(len(content), size=6).tolist():
            damaged = bytearray(content)
            damaged[spot] ^= 1 << int(rng.integers(8))
            for changed in (content[:spot], bytes(damaged)):
                file.write_bytes(changed)
                try:
                    load(path)
                except UserError as error:
                    refused += 1
                    assert str(path) in str(error) and "\n" not in str(error) and str(error).endswith(".")
        file.unlink()
        try:
            assert load(path).digest == whole or file.name == "metadata.json"
        except UserError as error:
            assert str(path) in str(error)
        file.write_bytes(content)
    assert refused > 10 and load(path).digest == whole
    with pytest.raises(UserError, match="holds no steps"):
        load(write(tmp_path / "None", leaves(), steps=0))


def test_conversion(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "game.vlt" / "Good", leaves())
    assert main(["convert", str(path), str(tmp_path / "good.npz")]) == 0
    assert load(tmp_path / "good.npz").digest == load(path).digest
    assert main(["convert", str(tmp_path / "good.npz"), str(tmp_path / "other"), "--to=vault"]) == 2
    assert "an OG-MARL Vault (read only) cannot be written; the formats to write are:" in capsys.readouterr().err
