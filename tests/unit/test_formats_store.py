"""Merging, storing and converting: mistakes are told, and nothing is lost over them."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from epymarl_cpa.data import OfflineDataset
from epymarl_cpa.data.__main__ import main
from epymarl_cpa.data.chunks import join, pad, split
from epymarl_cpa.data.formats import load
from epymarl_cpa.data.formats.mapped import append
from epymarl_cpa.data.formats.parts import part_file
from epymarl_cpa.data.generate import generate
from epymarl_cpa.data.merge import merge
from epymarl_cpa.data.store import write_dataset
from epymarl_cpa.data.validate import check_game
from epymarl_cpa.envs import make_game
from epymarl_cpa.errors import UserError
from epymarl_cpa.utils.files import swap


def made(episodes: int = 3, seed: int = 0, **changes: Any) -> OfflineDataset:
    """Two agents, two actions, one to three steps."""
    rng, lead = np.random.default_rng(seed), (episodes, 4)
    steps = 1 + np.arange(episodes)[:, None] % 3
    arrays: dict[str, Any] = {
        "state": rng.normal(size=(*lead, 2)).astype(np.float32), "actions": rng.integers(2, size=(*lead, 2)),
        "avail_actions": np.ones((*lead, 2, 2), np.bool_), "reward": rng.random(lead, dtype=np.float32),
        "terminated": np.arange(4) == steps - 1, "filled": np.arange(4) <= steps,
        "behaviour": np.zeros(episodes, np.int64), "meta": {"behaviours": ["a"], "spec": {"game": "g", "x": 1}}}
    return OfflineDataset(**{**arrays, **changes})


def merged(*sets: OfflineDataset) -> OfflineDataset:
    return join(merge([lambda data=data: split(data) for data in sets]), "all")


def test_merge_keeps_what_is_shared() -> None:
    spec = {"game": "g", "x": 1}
    one = made(meta={"behaviours": ["a", "b"], "spec": spec, "seed": 1}, behaviour=np.array([1, 0, -1]))
    two = made(4, 1, meta={"behaviours": ["b", "c"], "spec": spec, "seed": 2}, behaviour=np.array([0, 1, -1, 1]))
    two = pad(two, 6)
    data = merged(one, two)
    assert data.meta == {"spec": spec, "behaviours": ["a", "b", "c"], "merged": [
        {"behaviours": ["a", "b"], "seed": 1}, {"behaviours": ["b", "c"], "seed": 2}]}
    assert data.behaviour.tolist() == [1, 0, -1, 1, 2, -1, 2] and data.episode_limit == 6
    assert data.avail_actions[:3, 4:].all() and not data.filled[:3, 4:].any()
    np.testing.assert_array_equal(data.returns, np.concatenate([one.returns, two.returns]))
    again = merged(data, made(meta={"behaviours": ["a"], "spec": spec}))
    assert again.meta == {"spec": spec, "behaviours": ["a", "b", "c"], "merged": [
        *data.meta["merged"], {"behaviours": ["a"]}]}, "one by one, whatever was merged first"
    foreign = merged(one, made(meta={"format": "vault"}, behaviour=np.full(3, -1)))
    assert "spec" not in foreign.meta and foreign.meta["merged"][0]["spec"] == spec


def test_merge_gives_everybody_observations() -> None:
    obs = np.zeros((3, 4, 2, 2), np.float32)
    data = merged(made(), made(obs=obs))
    assert data.obs is not None
    np.testing.assert_array_equal(data.obs[:3], np.repeat(made().state[:, :, None], 2, axis=2))


@pytest.mark.parametrize(("other", "told"), [
    (lambda: made(meta={"behaviours": ["a"], "spec": {"game": "g", "x": 2}}), "recorded with x=1, but .* with x=2"),
    (lambda: made(state=np.zeros((3, 4, 5), np.float32)), "has 2 state values, but data set has 5"),
    (lambda: made(avail_actions=np.ones((3, 4, 2, 3), np.bool_)), "has 2 actions, but data set has 3"),
    (lambda: made(obs=np.zeros((3, 4, 2, 7), np.float32)), "see 2 values, but those of data set 7"),
    (lambda: made(agent_reward=np.zeros((3, 4, 2), np.float32)), "has individual rewards .* has none")])
def test_what_cannot_be_merged(other: Callable[[], OfflineDataset], told: str) -> None:
    with pytest.raises(UserError, match=told):
        merged(made(), other())


def test_data_of_no_known_game_do_not_let_others_in(tmp_path: Path) -> None:
    """What was merged from them still says of which variant the rest is, to whatever comes next."""
    one, two = (made(meta={"behaviours": ["a"], "spec": {"game": "g", "x": x}}) for x in (1, 2))
    unknown = made(meta={"behaviours": ["a"]})
    for sets in ((unknown, one, two), (merged(unknown, one), two), (two, merged(one, unknown))):
        with pytest.raises(UserError, match=r"recorded with x=[12], but .* with x=[12]; only data of the same game"):
            merged(*sets)
    write_dataset(split(merged(unknown, one)), tmp_path / "x.mapped")
    before = load(tmp_path / "x.mapped").digest
    with pytest.raises(UserError, match=r"recorded with x=1, but .* with x=2"):
        append(split(two), tmp_path / "x.mapped")
    assert load(tmp_path / "x.mapped").digest == before
    append(split(one), tmp_path / "x.mapped")


def test_merged_data_are_checked_against_the_game_one_by_one() -> None:
    data = generate(make_game("xor"), {"episodes": 3, "mixture": {"random": 1.0}}, 0)
    other = {**data.meta, "spec": {**data.meta["spec"], "n_agents": 3}}
    for spec in (data.meta, other):
        both = OfflineDataset(**data.arrays, meta={"behaviours": data.meta["behaviours"], "merged": [{}, spec]})
        with pytest.raises(UserError, match=r"with env_args\.n_agents=3") if spec is other else nullcontext():
            check_game(both, make_game("xor"))


def test_a_recording_that_was_interrupted(tmp_path: Path) -> None:
    """Parts without a header are read as far as they go; one that is missing or of other origin is told."""
    for number in range(3):
        made(2, number).save(part_file(tmp_path, number))
    data = load(tmp_path)
    assert data.n_episodes == 6
    np.testing.assert_array_equal(data.state[2:4], made(2, 1).state)
    made(2, meta={"behaviours": ["other"]}).save(part_file(tmp_path, 3))
    with pytest.raises(UserError, match=r"part-00003\.npz has another provenance than the episodes before"):
        load(tmp_path)
    part_file(tmp_path, 1).unlink()
    with pytest.raises(UserError, match=r"part-00001\.npz is missing"):
        load(tmp_path)


def test_a_folder_with_several_data_sets(tmp_path: Path) -> None:
    write_dataset(split(made()), tmp_path / "x", "alberdice")
    made().save(part_file(tmp_path / "x", 0))
    with pytest.raises(UserError, match=r"x holds data of several formats \(alberdice, parts\)"):
        load(tmp_path / "x")


def test_data_without_a_step_are_not_written(tmp_path: Path) -> None:
    filled = np.arange(4) < np.ones((3, 1))
    parts = [OfflineDataset(**{**made().arrays, "filled": filled, "terminated": filled & False}, meta={
        "behaviours": ["a"]}, first=0)]
    with pytest.raises(UserError, match="no episode has a complete step"):
        write_dataset(iter(parts), tmp_path / "x", "parts")
    assert [*tmp_path.iterdir()] == []


def test_full_disk_and_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.npz"
    write_dataset(split(made()), path)

    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("epymarl_cpa.data.formats.npz.join", full)
        with pytest.raises(UserError, match=r"x\.npz cannot be written \(the disk is full\)"):
            write_dataset(split(made(5)), path, force=True)
    with monkeypatch.context() as patch:
        patch.setattr("epymarl_cpa.data.formats.npz.Npz.read", lambda self, path: split(made(2)))
        with pytest.raises(UserError, match="reads back differently, so it was not kept"):
            write_dataset(split(made(5)), path, force=True)
    assert load(path).digest == made().digest and [*tmp_path.iterdir()] == [path]


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """And nothing else: not what somebody writes just now, not the only copy of old data, not folders of others."""
    def folder(name: str, *inside: str) -> Path:
        for each in inside:
            (tmp_path / name / each).mkdir(parents=True)
            made().save(tmp_path / name / each / "part-00000.npz")
        return tmp_path / name

    left, used = folder(".x.abcd_ef1", "x"), folder(".x.abcd_ef2", "x")
    kept = [used, folder(".x.abcd_ef3", "x", "replaced"), folder(".x.abcd_ef4", "y"), folder(".x.backup", "x"),
            folder(".y.abcd_ef5", "x")]
    (tmp_path / ".x.abcd_ef6").symlink_to(folder("linked", "x"))
    handle = os.open(used, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    beside: list[Path] = []

    def parts() -> Iterator[OfflineDataset]:
        with pytest.raises(UserError, match="has stopped"):
            write_dataset(stopped(), tmp_path / "x", "parts")
        beside.extend(tmp_path.glob(".x.????????"))
        yield from split(made())

    def stopped() -> Iterator[OfflineDataset]:
        yield made()
        raise UserError("the source has stopped.")

    write_dataset(parts(), tmp_path / "x", "parts")
    os.close(handle)
    assert not left.exists() and all(each.exists() for each in kept) and (tmp_path / "linked" / "x").exists()
    assert len(beside) == 5, "of which one is that of the outer writer"
    write_dataset(split(made(5)), tmp_path / "x", "parts", force=True)
    assert not used.exists() and load(tmp_path / "x").digest == made(5).digest


def test_an_old_folder_survives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the two cannot be swapped, and the new one cannot be moved into its place."""
    path, rename = tmp_path / "x", os.rename
    write_dataset(split(made()), path, "parts")

    def stubborn(source: Path, target: Path) -> None:
        if target == path and source.name == "x":
            raise PermissionError(13, "Permission denied")
        rename(source, target)

    monkeypatch.setattr("epymarl_cpa.data.store.os.rename", stubborn)
    monkeypatch.setattr("epymarl_cpa.data.store.swap", lambda one, other: False)
    with pytest.raises(UserError, match="cannot be written"):
        write_dataset(split(made(5)), path, "parts", force=True)
    assert load(path).digest == made().digest and [*tmp_path.iterdir()] == [path]


def test_a_folder_is_replaced_in_one_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system can: no moment without one of the two."""
    (tmp_path / "one").mkdir()
    (tmp_path / "other").write_text("a file")
    if not swap(tmp_path / "one", tmp_path / "other"):
        pytest.skip("this system or disk swaps no names")
    assert (tmp_path / "other").is_dir() and (tmp_path / "one").read_text() == "a file"
    assert not swap(tmp_path / "one", tmp_path / "absent") and (tmp_path / "one").exists()
    write_dataset(split(made()), tmp_path / "x", "parts")
    monkeypatch.setattr("epymarl_cpa.data.store.os.rename", lambda *paths: pytest.fail("moved away first"))
    write_dataset(split(made(5)), tmp_path / "x", "parts", force=True)
    assert load(tmp_path / "x").digest == made(5).digest and len([*tmp_path.iterdir()]) == 3


def test_replacing_a_file_by_a_folder(tmp_path: Path) -> None:
    write_dataset(split(made()), tmp_path / "x", "parts")
    write_dataset(split(made(5)), tmp_path / "x", "alberdice", force=True)
    assert load(tmp_path / "x", "alberdice").digest == made(5).digest
    made().save(tmp_path / "file")
    write_dataset(split(made(5)), tmp_path / "file", "parts", force=True)
    assert load(tmp_path / "file").digest == made(5).digest and len([*tmp_path.iterdir()]) == 2


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    made().save(Path("a.npz"))
    made(state=np.zeros((3, 4, 5), np.float32)).save(Path("wide.npz"))
    Path("in.npz").write_bytes(Path("a.npz").read_bytes()[:-50])
    Path("text").write_text("hello")
    return tmp_path


@pytest.mark.parametrize(("line", "told"), [
    ("convert a.npz b", "the name b tells no format; give one with --to: "),
    ("convert a.npz b --to=hdf6", "unknown format of data sets 'hdf6' (did you mean 'hdf5'?)"),
    ("convert a.npz b.npz --from=parts", "a.npz is no folder, and so not a folder of our part-00000.npz, "),
    ("convert a.npz b.npz --from=alberdice", "a.npz is no folder, and so not an AlberDICE buffer folder"),
    ("convert a.npz b.npz --from=mapped", "a.npz is no folder, and so not a folder of ours whose arrays stay"),
    ("convert a.npz b.npz --from=minari", "a.npz is no folder, and so not a Minari data set"),
    ("convert a.npz b.npz --from=vault", "a.npz is no folder, and so not an OG-MARL Vault"),
    ("convert a.npz b.npz --from=hdf6", "unknown format of data sets 'hdf6'"),
    ("convert a.npz b.npz --to=alberdice", "b.npz does not suit the format 'alberdice', which needs the name of a f"),
    ("convert a.npz b.txt --to=npz", "b.txt does not suit the format 'npz', which needs a name that ends in .npz"),
    ("convert a.npz team --to=minari", "team does not suit the format 'minari', which needs the name of a folder that"),
    ("convert a.npz a.npz --force", "a.npz would be replaced by a.npz; choose another name"),
    ("convert a.npz . --force", "a.npz would be replaced by .; choose another name"),
    ("convert in.npz b.npz", "data set in.npz is damaged or not an .npz file"),
    ("convert absent b.npz", "there is no file or folder absent"),
    ("convert text b.npz", "text is not a data set of a known format (alberdice: "),
    ("convert a.npz no/b.npz", "no/b.npz cannot be written (No such file or directory)"),
    ("convert a.npz text --to=parts --force", "text is not a data set of a known format"),
    ("convert a.npz b.npz c.npz", "'c.npz' is one word too many"),
    ("convert a.npz b.npz env_args.x=1", "'env_args.x=1' is one word too many"),
    ("merge a.npz env_args.x=1 --out=b.npz", "'env_args.x=1' is one word too many"),
    ("convert a.npz b.npz --env-config=xor", "a.npz was recorded with game=g, but this run plays game=xor"),
    ("merge a.npz wide.npz --out=b.npz", "a.npz has 2 state values, but wide.npz has 5"),
    ("merge a.npz absent --out=b.npz", "there is no file or folder absent"),
    ("merge a.npz b.npz --out=b.npz", "b.npz would be replaced by b.npz")])
def test_mistakes(line: str, told: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(here.iterdir())
    assert main(line.split()) == 2
    out, err = capsys.readouterr()
    assert out == "" and told in err and err.count("\n") == 1 and err.endswith(".\n")
    assert sorted(here.iterdir()) == before


def test_conversion_that_checks_the_game(here: Path) -> None:
    assert main(["make", "--env-config=xor", "--quality=good", "--out=g.npz", "env_args.n_agents=3"]) == 0
    words = ["g.npz", "--env-config=xor", "env_args.n_agents=3"]
    assert main(["convert", words[0], "g", "--to=parts", *words[1:]]) == 0
    assert main(["merge", *words, "--out=h.npz"]) == 0
    assert main(["convert", "g.npz", "h.npz", "--force", "--env-config=xor"]) == 2
    assert load(Path("h.npz")).digest == load(Path("g")).digest


def test_whole_data_set_at_once_is_not_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader is asked for its next part only after the one before was written."""
    monkeypatch.setattr("epymarl_cpa.data.chunks.PART_BYTES", 1)
    alive: list[int] = []

    def parts() -> Iterator[OfflineDataset]:
        for number, part in enumerate(split(made(6))):
            alive.append(len(list(tmp_path.glob(".*/x/part-*.npz"))) - number)
            yield part

    write_dataset(parts(), tmp_path / "x", "parts")
    assert alive == [0] * 6


def test_provenance_survives_a_folder(tmp_path: Path) -> None:
    meta = {"behaviours": ["a"], "text": "ü\n\0'\"", "numbers": [1e300, -0.0, 2**80], "nested": {"": None}}
    for name in ("parts", "alberdice"):
        write_dataset(split(made(meta=meta)), tmp_path / name, name)
        assert json.dumps(load(tmp_path / name).meta) == json.dumps(meta)
