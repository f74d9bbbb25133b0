"""Data that stay on the disk: read in part, checked as they are read, appended to, refused where they are damaged."""

from __future__ import annotations

import contextlib
import copy
import fcntl
import gc
import hashlib
import json
import logging
import os
import pickle
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th

from epymarl_cpa.config import resolve
from epymarl_cpa.data import OfflineDataset
from epymarl_cpa.data.__main__ import main
from epymarl_cpa.data.array_file import ArrayFile
from epymarl_cpa.data.chunks import join, split
from epymarl_cpa.data.formats import load
from epymarl_cpa.data.formats import mapped as form
from epymarl_cpa.data.formats.mapped import append
from epymarl_cpa.data.generate import generate
from epymarl_cpa.data.manifest import NAME
from epymarl_cpa.data.mapped import MappedDataset, array_path
from epymarl_cpa.data.merge import merge
from epymarl_cpa.data.store import write_dataset
from epymarl_cpa.envs import make_game
from epymarl_cpa.errors import UserError
from epymarl_cpa.experiments.measure.big_data import Begun, Sizes, random_parts, sized, write_big
from epymarl_cpa.experiments.measure.first_update import main as first_update
from epymarl_cpa.recording.parts import PartFiles, seed_of
from epymarl_cpa.run import prepare

EPISODES = 10
SMALL = Sizes(agents=3, actions=4, state=6, observed=2, limit=5)


@pytest.fixture(autouse=True)
def kept_on_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the data were larger than the memory; digests are of a few episodes each; nobody waits for the disk."""
    monkeypatch.setattr(form, "IN_MEMORY", 0)
    monkeypatch.setattr(form, "CHUNK_BYTES", 2000)
    monkeypatch.setattr("epymarl_cpa.utils.files.os.fsync", lambda handle: None)


def made(episodes: int = EPISODES, seed: int = 0, **changes: Any) -> OfflineDataset:
    data = join(random_parts(episodes * SMALL.limit, SMALL, seed=seed), "random data")
    own = np.random.default_rng(1).random((episodes, SMALL.limit + 1, SMALL.agents), dtype=np.float32)
    arrays = {**data.arrays, "agent_reward": own, **changes}
    return OfflineDataset(**arrays, meta={**data.meta, "seed": 0, **({"part": seed} if seed else {})})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "x.mapped"
    write_dataset(split(made()), path)
    return path


def opened(path: Path) -> MappedDataset:
    data = load(path)
    assert isinstance(data, MappedDataset)
    return data


def same(found: Any, wanted: OfflineDataset, rows: Any = slice(None)) -> None:
    for key, array in wanted.arrays.items():
        value = getattr(found, key)
        assert value.dtype == array.dtype and value.tobytes() == array[rows].tobytes()


def test_any_episodes(folder: Path) -> None:
    rows = np.array([7, 0, 7, 9])
    data = opened(folder)
    assert data.manifest.chunks > 3 and data.manifest.episodes % data.manifest.chunk
    same(data.take(rows), made(), rows)
    same(data.part(slice(2, 9)), made(), slice(2, 9))
    short = data.take(rows, (), 3)
    assert short.obs is None and short.agent_reward is None
    np.testing.assert_array_equal(short.state, made().state[rows, :3])
    np.testing.assert_array_equal(data.returns, made().returns)
    same(data, made())  # attributes: all of it
    assert data.digest == made().digest and data.arrays.keys() == made().arrays.keys()
    data.check()


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda data: pickle.loads(pickle.dumps(data))],
                         ids=["copy", "deepcopy", "pickle"])
def test_copies_read_what_the_original_reads(copied: Callable[[MappedDataset], MappedDataset], folder: Path,
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    """Also once the original is gone, and the numbers of its open files are those of others."""
    monkeypatch.chdir(folder.parent)
    data = opened(Path(folder.name)).with_arrays(reward=made().reward * 2)
    whole = data.state  # all of it is on the disk, and none of it in a copy
    assert len(whole) == EPISODES
    twin = copied(data)
    assert "state" not in twin.__dict__ and twin.source == folder.name and twin.digest == data.digest
    del data, whole
    gc.collect()
    with contextlib.ExitStack() as stack:
        for number in range(12):
            stack.enter_context(open(folder.parent / f"{number}", "w+b")).write(bytes(2**16))
        append(split(made(3, 1)), folder)
        monkeypatch.chdir("/")
        same(copied(twin).part(slice(0, 1)), made(reward=made().reward * 2), slice(0, 1))
        same(twin.part(slice(0, EPISODES)), made(reward=made().reward * 2))
        assert copied(twin).n_episodes == EPISODES, "what was appended since is not in it"
    array_path(folder, "state").write_bytes(array_path(folder, "state").read_bytes()[:-EPISODES * 200] + bytes(2000))
    with pytest.raises(UserError, match=r"state\.npy"):
        copied(twin).take(np.arange(EPISODES))


def test_plain_files(folder: Path) -> None:
    """NumPy alone maps them, too."""
    for key, array in made().arrays.items():
        np.testing.assert_array_equal(np.load(array_path(folder, key), mmap_mode="r"), array)


def test_only_what_is_asked_for_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, read = opened(folder), []
    whole = ArrayFile.read_into

    def noted(self: ArrayFile, place: Any, row: int) -> None:
        read.append((self.path.stem, row, place.nbytes))
        whole(self, place, row)

    monkeypatch.setattr(ArrayFile, "read_into", noted)
    data.take(np.array([3]), ())
    assert {key for key, *_ in read} == {"state", "actions", "avail_actions"}
    read.clear()
    data.take(np.array([3]), ("obs",), 2)  # its chunk of the others has been checked
    chunk = data.manifest.chunk
    assert read == [("obs", 3 // chunk * chunk, made().arrays["obs"][:chunk].nbytes),
                    *((key, 3, made().arrays[key][:1, :2].nbytes)
                      for key in ("state", "actions", "avail_actions", "obs"))]


def damage(path: Path, place: int = -1) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("key", ["state", "actions", "avail_actions", "obs", "agent_reward"])
def test_damage_is_told_when_it_is_reached(key: str, folder: Path) -> None:
    damage(array_path(folder, key))  # the last episode
    data = opened(folder)
    same(data.take(np.arange(4)), made(), slice(4))
    told = rf"x\.mapped/arrays/{key}\.npy was altered: what it holds of the episodes \d to 9 does not match its digest"
    for way in (lambda: data.take(np.array([9])), lambda: data.part(slice(8, 10)), lambda: getattr(data, key),
                data.check, lambda: list(split(data))):
        with pytest.raises(UserError, match=told):
            way()
    if key in ("obs", "agent_reward"):
        data.take(np.array([9]), ())  # nobody reads it


@pytest.mark.parametrize("key", ["reward", "terminated", "filled", "behaviour"])
def test_damage_of_small_arrays_is_told_at_once(key: str, folder: Path) -> None:
    damage(array_path(folder, key))
    with pytest.raises(UserError, match=rf"{key}\.npy was altered"):
        load(folder)


def resealed(path: Path, key: str, change: Callable[[Any], None]) -> None:
    """Other contents, and digests that match."""
    array = np.load(array_path(path, key))
    change(array)
    np.save(array_path(path, key), array)
    content = json.loads((path / NAME).read_text())
    chunk = content["chunk"]
    content["sha256"][key] = "".join(hashlib.sha256(array[k:k + chunk].tobytes()).hexdigest()
                                     for k in range(0, len(array), chunk))
    manifest(path, content)


def manifest(path: Path, content: Any) -> None:
    content.pop("digest", None)
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    (path / NAME).write_text(json.dumps({**content, "digest": digest}))


def put(place: Any, value: Any) -> Callable[[Any], None]:
    def change(array: Any) -> None:
        array[place] = value

    return change


@pytest.mark.parametrize(("key", "change", "told"), [
    ("actions", put((9, 1, 0), 4), r"key 'actions', episode 9, step 1: an action is outside 0\.\.3"),
    ("actions", put((9, 1, 0), -1), r"key 'actions', episode 9, step 1: an action is outside 0\.\.3"),
    ("avail_actions", put((9, 2, 1), False), "key 'avail_actions', episode 9, step 2: an agent has no available act"),
    ("state", put((9, 3, 0), np.nan), "key 'state', episode 9, step 3: a value is not finite"),
    ("obs", put((9, 0, 0, 0), np.inf), "key 'obs', episode 9, step 0: a value is not finite"),
    ("agent_reward", put((9, 0, 0), np.inf), "key 'agent_reward', episode 9, step 0: a reward is not finite"),
    ("avail_actions", lambda array: put((9, 0, 0, 0), 2)(array.view(np.uint8)), "a value is neither 0 nor 1"),
    ("filled", put((9, 2), False), "key 'filled', episode 9, step 3: filled steps follow a gap"),
    ("terminated", put((9, 1), True), "key 'terminated', episode 9, step 4: the episode ends a second time"),
    ("reward", put((9, 1), np.nan), "key 'reward', episode 9, step 1: the reward is not finite"),
    ("behaviour", put(9, 1), "key 'behaviour', episode 9: 1 is neither -1 nor one of the 1 known behaviours")])
def test_nonsense_with_right_digests(key: str, change: Callable[[Any], None], told: str, folder: Path) -> None:
    resealed(folder, key, change)
    with pytest.raises(UserError, match=told):
        opened(folder).take(np.array([9]))


@pytest.mark.parametrize(("change", "told"), [
    (lambda c: c.update(episodes=11), "digests, or they contradict|tells of|truncated"),
    (lambda c: c.update(episodes=2**60), "lacks numbers"),
    (lambda c: c.update(episodes=-1), "lacks numbers"),
    (lambda c: c.update(episodes=True), "lacks numbers"),
    (lambda c: c.update(chunk=0), "lacks numbers"),
    (lambda c: c.update(meta=[]), "lacks numbers"),
    (lambda c: c.update(shapes=[]), "lacks numbers"),
    (lambda c: c["shapes"].update(state=[6, 2**40]), "header of an array|is truncated"),
    (lambda c: c["shapes"].update(state="ab"), "lacks numbers"),
    (lambda c: c["shapes"].update(state=[6]), "key 'state' must have 3 axes"),
    (lambda c: c["shapes"].update(obs=[6, 2, 2]), "key 'obs' is for 2 agents, 'actions' for 3"),
    (lambda c: c["shapes"].pop("state"), "lacks numbers"),
    (lambda c: c["sha256"].update(state="zz"), "lacks numbers"),
    (lambda c: c["sha256"].update(state="00"), "lacks numbers"),
    (lambda c: c.update(format=2), "has format 2, but this program reads 1"),
    (lambda c: c["meta"].update(behaviours=3), "'behaviours' of the provenance must be a list")])
def test_manifests_that_lie(change: Callable[[Any], None], told: str, folder: Path) -> None:
    content = json.loads((folder / NAME).read_text())
    change(content)
    manifest(folder, content)
    with pytest.raises(UserError, match=told) as error:
        load(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, "\xff", '{"digest": 1}'])
def test_manifests_that_are_none(text: str, folder: Path) -> None:
    (folder / NAME).write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=r"epymarl_cpa_mapped\.json is damaged or was altered"):
        load(folder)


def test_links_and_pipes(folder: Path, tmp_path: Path) -> None:
    """Neither is followed or waited for, when read and when appended to."""
    file, elsewhere = array_path(folder, "state"), tmp_path / "elsewhere.npy"
    file.rename(elsewhere)
    before = elsewhere.read_bytes()
    file.symlink_to(elsewhere)
    for way in (lambda: load(folder), lambda: append(split(made()), folder)):
        with pytest.raises(UserError, match=r"state\.npy cannot be read .*; it must be a file, not a link"):
            way()
    assert elsewhere.read_bytes() == before
    file.unlink()
    elsewhere.rename(file)
    (folder / "arrays").rename(tmp_path / "arrays")
    (folder / "arrays").symlink_to(tmp_path / "arrays")
    with pytest.raises(UserError, match=r"x\.mapped/arrays is a link, which is not followed"):
        append(split(made()), folder)
    (folder / "arrays").unlink()
    (tmp_path / "arrays").rename(folder / "arrays")
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(UserError, match="it is no regular file"):
        load(folder)


def test_pickles_are_not_opened(folder: Path) -> None:
    np.save(array_path(folder, "state"), np.array([{}] * EPISODES, dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match=r"state\.npy"):
        load(folder)


def test_a_file_that_shrinks_while_it_is_used(folder: Path) -> None:
    """A sentence and not the end of the process."""
    data = opened(folder)
    data.take(np.array([9]))
    os.truncate(array_path(folder, "state"), 500)
    with pytest.raises(UserError, match=r"state\.npy is truncated"):
        data.take(np.array([9]))


def test_append(folder: Path) -> None:
    """As if all had been merged, and those who read the folder notice nothing."""
    reader, new = opened(folder), made(7, seed=1)
    assert append(split(new), folder).episodes == 17
    wanted = join(merge([lambda: split(made()), lambda: split(new)]), "all")
    data = opened(folder)
    same(data, wanted)
    assert data.digest == wanted.digest and data.meta == wanted.meta
    data.check()
    same(reader.take(np.arange(10)), made())
    append(split(made(1)), folder)
    assert opened(folder).n_episodes == 18
    opened(folder).check()


def test_a_folder_may_grow_for_ever(folder: Path) -> None:
    """Its provenance lists what was added, and never nests."""
    for seed in range(1, 6):
        append(split(made(1, seed=seed)), folder)
    assert [each.get("part") for each in opened(folder).meta["merged"]] == [None, 1, 2, 3, 4, 5]
    assert not any("merged" in each for each in opened(folder).meta["merged"])


def test_an_append_that_does_not_come_to_its_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Iterator[OfflineDataset]:
        yield from split(made(7))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        append(broken(), folder)
    same(opened(folder), made())
    with monkeypatch.context() as patch:
        patch.setattr("epymarl_cpa.data.manifest.write_with", lambda *args: (_ for _ in ()).throw(OSError(28, "full")))
        with pytest.raises(UserError, match=r"x\.mapped cannot be written \(the disk is full\)"):
            append(split(made(7)), folder)
    same(opened(folder), made())  # the arrays are longer, which nobody reads
    append(split(made(2)), folder)
    assert opened(folder).n_episodes == 12 and len(np.load(array_path(folder, "state"), mmap_mode="r")) == 12
    opened(folder).check()


@pytest.mark.parametrize(("other", "told"), [
    (lambda: made(state=np.zeros((10, 6, 3), np.float32)), "has 6 state values, but data set has 3"),
    (lambda: made(agent_reward=None), "has individual rewards"),
    (lambda: made(no_next=np.zeros((10, 6), np.bool_)), "has the key 'no_next', for which .*x.mapped has no room")])
def test_what_cannot_be_appended(other: Callable[[], OfflineDataset], told: str, folder: Path) -> None:
    with pytest.raises(UserError, match=told):
        append(split(other()), folder)
    same(opened(folder), made())


def test_two_that_append(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(UserError, match="another process is adding to"):
        append(split(made()), folder)
    os.close(handle)
    append(split(made()), folder)


def test_what_another_added_while_one_waited_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = form._alone

    @contextlib.contextmanager
    def after_another(path: Path) -> Iterator[None]:
        monkeypatch.setattr(form, "_alone", alone)
        append(split(made()), folder)
        with alone(path):
            yield

    monkeypatch.setattr(form, "_alone", after_another)
    append(split(made()), folder)
    assert opened(folder).n_episodes == 3 * made().n_episodes
    opened(folder).check()


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(form, "CHUNK_BYTES", 2**16)
    make = ["make", "--env-config=xor", "--quality=medium"]
    assert main([*make, "--out=a.mapped"]) == 0 and main([*make, "--out=a.npz"]) == 0
    assert load(Path("a.mapped")).digest == load(Path("a.npz")).digest
    capsys.readouterr()
    told = []
    for name in ("a.mapped", "a.npz"):
        assert main(["describe", name, "--env-config=xor"]) == 0
        told.append(capsys.readouterr().out.replace(name, "x"))
    assert told[0] == told[1]
    assert main(["append", "a.mapped", "a.npz", "a.npz"]) == 0
    assert main(["merge", "a.npz", "a.npz", "a.npz", "--out=b.mapped"]) == 0
    assert load(Path("a.mapped")).digest == load(Path("b.mapped")).digest
    assert main(["select", "b.mapped", "--episodes=0-4999", "--out=c.mapped"]) == 0
    assert main(["convert", "c.mapped", "c.npz"]) == 0 and load(Path("c.npz")).digest == load(Path("a.npz")).digest
    assert main(["validate", "b.mapped", "--env-config=xor"]) == 0
    damage(array_path(Path("b.mapped"), "state"))
    capsys.readouterr()
    assert main(["validate", "b.mapped", "--env-config=xor"]) == 2
    assert "state.npy was altered" in capsys.readouterr().err
    for words, why in ((["append", "a.mapped", "a.mapped"], "added to itself"),
                       (["append", "a.npz", "a.mapped"], "a.npz is no folder"),
                       (["append", "absent.mapped", "a.npz"], "absent.mapped is no folder"),
                       (["append", "a.mapped", "absent.npz"], "there is no file or folder absent.npz"),
                       (["append", "a.mapped", "a.npz", "absent.npz"], "there is no file or folder absent.npz"),
                       ([*make, "--out=a.npz"], "a.npz exists already"),
                       ([*make, "--out=notes.txt", "--force"], "notes.txt")):
        Path("notes.txt").write_text("my notes")
        assert main(words) == 2
        out = capsys.readouterr().err
        assert why in out and out.count("\n") == 1
    assert load(Path("a.mapped")).n_episodes == 15000, "all or none"
    assert Path("notes.txt").read_text() == "my notes"
    assert main([*make, "--seed=1", "--out=a.npz", "--force"]) == 0 and load(Path("a.npz")).meta["seed"] == 1


def test_recordings(tmp_path: Path) -> None:
    """Parts become a folder, or a file, with the same contents; observations that are the state are left out."""
    data, found = made(obs=None, agent_reward=None), []
    for name in ("x.mapped", "x.npz"):
        parts = PartFiles(tmp_path / name, {"seed": 5, "behaviours": ["random"]})
        for start in (0, 4):
            parts.add([{**{key: array[k] for key, array in data.arrays.items()},
                        "obs": np.repeat(data.state[k][:, None], 3, axis=1)} for k in range(start, start + 4)])
        found.append(parts.merge())
        assert not (tmp_path / f"{name}.parts").exists() and seed_of(str(tmp_path / name)) == 5
        whole = PartFiles(tmp_path / name, {"seed": 5}).whole
        assert whole is not None and whole.digest == found[-1].digest
    assert found[0].digest == found[1].digest and found[0].shape("obs") is None and found[0].n_episodes == 8
    with pytest.raises(UserError, match=r"x\.mapped is of another recording, with seed=5 instead of 6"):
        PartFiles(tmp_path / "x.mapped", {"seed": 6})


def trained(dataset: Path, results: Path, name: str, method: str = "cpa_ar", **overrides: Any) -> Any:
    config = {**resolve(method, name), "seed": 3, "dataset": str(dataset), "local_results_path": str(results),
              "save_model": False, "batch_size": 4, "hidden_dim": 8, **overrides}
    trial = prepare(config, None, logging.getLogger("test"))
    learner, batches = trial.learner.learners[0], []
    for t_env in range(1, 4):
        batches.append(batch := trial.runner.run())
        learner.train(batch, t_env, 0)
    return batches, [param for net in learner.nets.values() for param in net.parameters()]


def assert_alike(data: OfflineDataset, folder: Path, name: str, **overrides: Any) -> None:
    """Training on data in memory and on the same data on the disk."""
    data.save(folder / "x.npz")
    write_dataset(split(data), folder / "x.mapped", force=True)
    one, two = (trained(folder / file, folder, name, **overrides) for file in ("x.npz", "x.mapped"))
    for first, second in zip(one[0], two[0], strict=True):
        assert first.max_seq_length == second.max_seq_length
        for key in first.data.transition_data:
            assert th.equal(first[key], second[key]) and first[key].dtype == second[key].dtype
    assert all(th.equal(first, second) for first, second in zip(one[1], two[1], strict=True))


@pytest.mark.parametrize("args", [{}, {"observation": "local"}])
def test_training_has_the_same_bits(args: dict[str, Any], tmp_path: Path) -> None:
    data = generate(make_game("bridge", **args), {"episodes": 9, "mixture": {"random": 1.0}}, 0)
    assert_alike(data, tmp_path, "bridge", env_args={"map_name": "bridge", **args})


@pytest.mark.parametrize("overrides", [{"policy_input": "obs", "method": "bc"}, {"common_reward": False}])
def test_training_on_what_few_read(overrides: dict[str, Any], folder: Path, tmp_path: Path) -> None:
    """Observations, the agents' own rewards, and episodes without the state after their last action."""
    sized(SMALL)
    cut = np.arange(6) == np.array([2, 4] * 5)[:, None]
    filled = np.arange(6) <= np.array([3, 5] * 5)[:, None]
    data = made(filled=filled, terminated=np.zeros((10, 6), np.bool_), no_next=cut)
    assert_alike(data, tmp_path, "xor", env="sized", env_args={"map_name": "sized", **vars(SMALL)}, recipes={},
                 **overrides)


def test_big_data(tmp_path: Path) -> None:
    write_big(tmp_path / "x.mapped", 43, SMALL)
    data = opened(tmp_path / "x.mapped")
    data.check()
    assert data.steps.sum() == 45 and data.shape("obs") == (9, 6, 3, 2)


def test_observations_that_nobody_reads(folder: Path, tmp_path: Path) -> None:
    """Not even when they are damaged."""
    for place in range(200, array_path(folder, "obs").stat().st_size, 50):
        damage(array_path(folder, "obs"), place)
    asked = {"path": str(folder), "sizes": vars(SMALL), "method": "cpa_ar", "started": time.time()}
    found = first_update({**asked, "overrides": {"batch_size": 4, "hidden_dim": 8}})
    assert found["peak"] > 0 and set(found) == set(Begun._fields)
    with pytest.raises(UserError, match=r"obs\.npy was altered"):
        first_update({**asked, "method": "bc", "overrides": {"batch_size": 4, "policy_input": "obs"}})
