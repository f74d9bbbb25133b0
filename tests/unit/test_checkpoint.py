"""Checkpoints are whole or refused, and loading one never runs code."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from helpers import settings

from epymarl_cpa import __version__
from epymarl_cpa.errors import UserError
from epymarl_cpa.learners.update import Update
from epymarl_cpa.settings import CORE, Decides, Settings
from epymarl_cpa.utils import checkpoint
from epymarl_cpa.utils.manifest import FORMAT, check_fits, differences, read_manifest, write_manifest
from epymarl_cpa.utils.tensor_files import load_tensors

FACTS = {"game": {"game": "xor", "n_agents": 2}, "config": {"mac": "m", "lr": 1e-3, "seed": 1}}


class Learner:
    """Saves one tensor."""

    def __init__(self, value: float) -> None:
        self.value = value

    def save_models(self, path: str) -> None:
        th.save({"w": th.full((3,), self.value)}, Path(path) / "learner.th")

    def load_models(self, path: str) -> None:
        self.value = load_tensors(Path(path) / "learner.th")["w"][0].item()


def save(root: Path, t_env: int, value: float = 1.0) -> Path:
    state = {"rng": np.random.default_rng(0).bit_generator.state, "order": th.arange(3), "t_env": t_env}
    return checkpoint.save(root, t_env, Learner(value), state, FACTS)


def load(folder: Path) -> float:
    read_manifest(folder)
    learner = Learner(0.0)
    checkpoint.load_into(learner, folder)
    return learner.value


def test_round_trip(tmp_path: Path) -> None:
    folder = save(tmp_path / "models", 30, 2.5)
    assert folder == tmp_path / "models/30"
    assert sorted(file.name for file in folder.iterdir()) == ["learner.th", "manifest.json", "run.th"]
    assert load(folder) == 2.5
    manifest = read_manifest(folder)
    assert {key: manifest[key] for key in FACTS} == FACTS
    assert manifest["t_env"] == 30
    state = load_tensors(folder / "run.th")
    assert state["rng"] == np.random.default_rng(0).bit_generator.state
    assert th.equal(state["order"], th.arange(3))
    assert folder.stat().st_mode & 0o777 == 0o755


def test_the_state_of_a_run_is_of_the_kinds_that_a_run_can_go_on_with(tmp_path: Path) -> None:
    whole = {"runner": {"t_env": 3}, "torch": th.get_rng_state(), "curve": [[0, 1.5]], "episode": 2}
    assert checkpoint.load_run_state(checkpoint.save(tmp_path, 3, Learner(1.0), whole, FACTS))["episode"] == 2
    for key, wrong in (("episode", "2"), ("runner", {"t_env": "x"}), ("runner", 3), ("curve", [["a", 1]]),
                       ("curve", [3]), ("torch", 7)):
        folder = checkpoint.save(tmp_path, 3, Learner(1.0), {**whole, key: wrong}, FACTS)
        with pytest.raises(UserError, match="holds something else than what a run of this program saves"):
            checkpoint.load_run_state(folder)
    for wrong, said in (({"episode": 2.5}, "'episode'"), ({"runner": {"t_env": "x"}}, "'t_env'"),
                        ({"runner": {"episodes": None}}, "'episodes'")):
        with pytest.raises(UserError, match=rf"\(TypeError: {said} is no whole number\)"):
            checkpoint.load_run_state(checkpoint.save(tmp_path, 3, Learner(1.0), {**whole, **wrong}, FACTS))
    del whole["runner"]
    with pytest.raises(UserError, match="KeyError: 'runner'"):
        checkpoint.load_run_state(checkpoint.save(tmp_path, 3, Learner(1.0), whole, FACTS))


def test_saving_again_replaces(tmp_path: Path) -> None:
    save(tmp_path, 30, 1.0)
    assert load(save(tmp_path, 30, 2.0)) == 2.0
    assert [child.name for child in tmp_path.iterdir()] == ["30"]


def test_which_checkpoint_is_meant(tmp_path: Path) -> None:
    for t_env in (9, 30, 100):
        save(tmp_path, t_env)
    for name in (".saving-200", "²", "500x"):
        (tmp_path / name).mkdir()
    (tmp_path / "300").write_text("a file")
    for step, name in ((0, "100"), (30, "30"), (1, "9"), (40, "30"), (1000, "100")):
        assert checkpoint.find(str(tmp_path), step).name == name
    assert checkpoint.find(str(tmp_path / "9"), 0) == tmp_path / "9"
    for absent in (tmp_path / "absent", tmp_path / "500x", tmp_path / "300"):
        with pytest.raises(UserError, match=r"holds no checkpoint; give the folder that a run printed as its model\.$"):
            checkpoint.find(str(absent), 0)


def test_the_newest_are_kept(tmp_path: Path) -> None:
    for t_env in (9, 100, 30, 200):
        save(tmp_path, t_env)
    (tmp_path / "notes").mkdir()
    for keep, left in ((0, {"9", "30", "100", "200"}), (5, {"9", "30", "100", "200"}), (2, {"100", "200"}),
                       (1, {"200"})):
        checkpoint.prune(tmp_path, keep)
        assert {child.name for child in tmp_path.iterdir()} == {*left, "notes"}


def test_what_cannot_be_removed_stays_and_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for t_env in (1, 2, 3):
        save(tmp_path, t_env)
    real = os.replace

    def stuck(source: Any, target: Any) -> None:
        if Path(source).name == "1":
            raise PermissionError(13, "Permission denied")
        real(source, target)

    monkeypatch.setattr(os, "replace", stuck)
    checkpoint.prune(tmp_path, 1)
    assert sorted(child.name for child in tmp_path.iterdir()) == ["1", "3"] and load(tmp_path / "1") == 1.0


def test_a_damaged_newest_one_is_passed_over_with_a_sentence(tmp_path: Path) -> None:
    for t_env in (9, 30, 100):
        save(tmp_path, t_env)
    said: list[str] = []
    folder, manifest = checkpoint.find_whole(str(tmp_path), 0, tell=said.append)
    assert folder.name == "100" and manifest["t_env"] == 100 and not said
    for t_env in (100, 30):
        (tmp_path / str(t_env) / "run.th").write_bytes(b"x")
    folder, manifest = checkpoint.find_whole(str(tmp_path), 0, tell=said.append)
    assert folder.name == "9" and manifest["t_env"] == 9
    assert said == [f"{tmp_path}/100/run.th is missing or was altered; the checkpoint cannot be used, take another "
                    f"one; the newest whole one, {folder}, is taken instead"]
    for path, step in ((tmp_path, 100), (tmp_path, 40), (tmp_path / "100", 0)):  # asked for by name
        with pytest.raises(UserError, match="was altered"):
            checkpoint.find_whole(str(path), step)
    (folder / "run.th").unlink()
    with pytest.raises(UserError, match=r"100/run\.th is missing or was altered"):
        checkpoint.find_whole(str(tmp_path), 0)


@pytest.mark.parametrize("name", ["learner.th", "run.th", "manifest.json"])
def test_altered_files_are_refused(name: str, tmp_path: Path) -> None:
    folder = save(tmp_path, 30)
    whole = (folder / name).read_bytes()
    rng = np.random.default_rng(0)
    places = range(len(whole)) if name == "manifest.json" else rng.integers(len(whole), size=60)
    for place in places:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << int(rng.integers(8))
        (folder / name).write_bytes(bytes(flipped))
        with pytest.raises(UserError, match=r"altered|damaged|format"):
            read_manifest(folder)
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        (folder / name).write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"altered|damaged"):
            read_manifest(folder)
    (folder / name).unlink()
    with pytest.raises(UserError, match="missing"):
        read_manifest(folder)
    (folder / name).write_bytes(whole)
    assert load(folder) == 1.0


@pytest.mark.parametrize("text", ["{}", "[]", "3", f'{{"format": {FORMAT}}}',
                                  f'{{"format": {FORMAT}, "digest": "", "files": 3}}', "[" * 9999])
def test_manifests_of_others_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(UserError, match="is no whole checkpoint of this program"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("wrong", [{"game": []}, {"config": 3}, {"t_env": "1"}, {"t_env": True}, {"files": {"x": 3}},
                                   {"files": {"x": None}}, {"made_by": 2.5}], ids=str)
def test_a_right_digest_of_wrong_kinds_is_refused(wrong: dict[str, Any], tmp_path: Path) -> None:
    write_manifest(tmp_path, 1, {**FACTS, **wrong})
    with pytest.raises(UserError, match="is no whole checkpoint of this program"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(("free", "said"), [(0, "the disk is full"), (2**20 - 1, "the disk is full"),
                                            (2**20, r"\[enforce fail\] write failed")])
def test_torchs_riddles_are_read_by_the_room_on_the_disk(free: int, said: str, tmp_path: Path,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    broken("torch", monkeypatch)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=free))
    with pytest.raises(UserError, match=rf"cannot be saved to .*/30 \({said}\)\.$"):
        save(tmp_path, 30)


def test_manifests_keep_their_form(tmp_path: Path) -> None:
    """What an older version wrote must be what this one would write, else it would count as damaged."""
    (tmp_path / "learner.th").write_bytes(b"x")
    files = {"learner.th": hashlib.sha256(b"x").hexdigest()}
    told = {"format": 2, "version": __version__, "t_env": 3, "files": files, **FACTS}
    digest = hashlib.sha256(json.dumps(told, indent=1).encode()).hexdigest()
    (tmp_path / "manifest.json").write_text(json.dumps({**told, "digest": digest}, indent=1))
    assert read_manifest(tmp_path) == told


def test_another_format_is_named(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(UserError, match=f"has checkpoint format 99, this program reads {FORMAT}"):
        read_manifest(tmp_path)


class Evil:
    """Runs a command where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_malicious_pickle_is_never_run(tmp_path: Path) -> None:
    mark, file = tmp_path / "mark", tmp_path / "learner.th"
    for disguise in (lambda: file.write_bytes(pickle.dumps(Evil(mark))), lambda: th.save({"w": Evil(mark)}, file)):
        disguise()
        with pytest.raises(UserError, match="is damaged or holds more than tensors"):
            load_tensors(file)
        assert not mark.exists()
    th.load(file, weights_only=False)
    assert mark.exists(), "the attack is real"


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_damaged_tensors_give_a_sentence_or_tensors(tmp_path: Path) -> None:
    """Without a manifest (EPyMARL's own loading) there is no digest to rely on."""
    file = tmp_path / "learner.th"
    th.save({"w": th.arange(8.0), "n": 3, "text": "x"}, file)
    whole, rng = file.read_bytes(), np.random.default_rng(1)
    inner = zipfile.ZipFile(file).read("learner/data.pkl")
    start, refused = whole.index(inner), 0
    for place in (*range(start, start + len(inner)), *rng.integers(len(whole), size=100)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        file.write_bytes(bytes(damaged))
        try:
            load_tensors(file)
        except UserError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > len(inner) // 2


def broken(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the given part of a save fail."""
    real = os.replace

    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    def torch_fail(*args: Any) -> None:
        raise RuntimeError("[enforce fail] write failed\nand where")

    def second(source: Any, target: Any) -> None:
        if ".saving-" in str(source):
            fail()
        real(source, target)

    if kind == "torch":
        monkeypatch.setattr(th, "save", torch_fail)
    elif kind == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(os, "replace", fail if kind == "replace" else second)


@pytest.mark.parametrize("kind", ["torch", "fsync", "replace", "second replace"])
@pytest.mark.parametrize("t_env", [30, 60])
def test_a_failing_save_keeps_what_there_was(kind: str, t_env: int, tmp_path: Path,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    reason = r"(the disk is full|\[enforce fail\] write failed)"
    save(tmp_path, 30, 1.0)
    with monkeypatch.context() as patched:
        broken(kind, patched)
        with pytest.raises(UserError, match=rf"cannot be saved to .*/{t_env} \({reason}\)\.$"):
            save(tmp_path, t_env, 2.0)
    assert [child.name for child in tmp_path.iterdir()] == ["30"], "nothing half-made is left"
    assert load(tmp_path / "30") == 1.0
    assert load(save(tmp_path, t_env, 2.0)) == 2.0


def test_what_a_killed_process_leaves_behind_is_no_checkpoint(tmp_path: Path) -> None:
    save(tmp_path, 30, 1.0)
    shutil.copytree(tmp_path / "30", tmp_path / ".saving-x")
    (tmp_path / ".saving-x/manifest.json").unlink()
    assert checkpoint.find(str(tmp_path), 0).name == "30"
    assert load(save(tmp_path, 60, 2.0)) == 2.0


def test_an_interrupt_during_a_save_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, 30)

    def interrupted(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(th, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(tmp_path, 60, Learner(0), {}, FACTS)
    assert [child.name for child in tmp_path.iterdir()] == ["30"]


@pytest.mark.parametrize("in_the_way", ["root", "proc"])
def test_unwritable_folders(in_the_way: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    root = tmp_path / "file" if in_the_way == "root" else Path("/proc/models")
    with pytest.raises(UserError, match="the model cannot be saved to"):
        save(root, 30)


def test_other_games_and_networks_are_refused(tmp_path: Path) -> None:
    manifest = {"game": {"game": "xor", "n_agents": 2}, "config": {"mac": "m", "hidden_dim": 8}}
    check_fits(manifest, tmp_path, {"game": "xor", "n_agents": 2}, {"mac": "m", "hidden_dim": 8, "lr": 3})
    for spec, config, complaint in (
            ({"game": "bridge"}, {}, "was trained with game=xor, but this run plays game=bridge"),
            ({"n_agents": 3}, {}, "was trained with env_args.n_agents=2, but this run plays env_args.n_agents=3"),
            ({}, {"mac": "n", "hidden_dim": 8}, "was trained with mac=m, but this run has mac=n"),
            ({}, {"mac": "m", "hidden_dim": 9}, "was trained with hidden_dim=8, but this run has hidden_dim=9")):
        with pytest.raises(UserError, match=complaint):
            check_fits(manifest, tmp_path, spec, config)


def test_settings_that_change_what_is_learned_are_listed() -> None:
    manifest = {"config": {"lr": 0.1, "t_max": 5, "weight": "chain", "alpha": 1.0}}

    def changed(config: dict[str, Any]) -> list[str]:
        learning = [key for key in config if key not in CORE or CORE[key].decides is Decides.LEARNING]
        return differences(manifest, config, learning)

    assert changed({"lr": 0.1, "t_max": 9, "weight": "joint", "beta": 0.0, "alpha": 1.0}) == [
        "weight=joint (was chain)", "beta=0.0 (was None)"]
    assert changed(manifest["config"]) == []


def test_networks_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    class Other(Learner):
        def load_models(self, path: str) -> None:
            th.nn.Linear(2, 1).load_state_dict({"weight": th.zeros(1, 3), "bias": th.zeros(1)})

    with pytest.raises(UserError, match=r"does not fit the networks of this run \(size mismatch for weight.*\);"):
        checkpoint.load_into(Other(0), save(tmp_path, 30))


@pytest.mark.parametrize("change", [
    lambda state: state["optimisers"]["net"]["param_groups"][0].update(betas=None),
    lambda state: state["optimisers"]["net"]["param_groups"][0].update(betas=(0.9,)),
    lambda state: state["optimisers"]["net"]["param_groups"][0].update(betas=(0.9, 0.999, 0.5)),
    lambda state: state["optimisers"]["net"]["param_groups"][0].update(betas=(1, 0.999)),
    lambda state: state["optimisers"]["net"]["param_groups"][0].update(params=[0]),
    lambda state: state["optimisers"]["net"]["param_groups"][0].update(amsgrad=None),
    lambda state: state["optimisers"]["net"]["param_groups"][0].pop("lr"),
    lambda state: state["optimisers"]["net"]["param_groups"].append({}),
    lambda state: state["optimisers"]["net"]["state"][0].update(exp_avg_sq=th.zeros(7)),
    lambda state: state["optimisers"]["net"]["state"][0].update(step=th.zeros(2)),
    lambda state: state["optimisers"]["net"]["state"].update({2: state["optimisers"]["net"]["state"][0]}),
    lambda state: state["optimisers"]["net"].update(param_groups=[]),
    lambda state: state["optimisers"]["net"]["state"][0].update(exp_avg=th.zeros(7)),
    lambda state: state["optimisers"]["net"]["state"].update({0: 3}),
    lambda state: state["optimisers"].update(net="x"), lambda state: state.update(updates=None)])
def test_states_of_optimisers_that_do_not_fit_are_refused_before_the_next_update(
        change: Callable[[dict[str, Any]], object]) -> None:
    net = th.nn.Linear(2, 1)
    update = Update({"net": [*net.parameters()]}, [], settings(Settings, "bc", "xor"), 0.1)
    update(net(th.ones(1, 2)), 0.1, lambda norms: None)
    update.load_state_dict(copy.deepcopy(update.state_dict()))
    state = copy.deepcopy(update.state_dict())
    change(state)
    with pytest.raises(ValueError, match="the state of the optimisers is not that of these networks"):
        update.load_state_dict(state)
