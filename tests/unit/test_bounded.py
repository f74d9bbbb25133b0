"""Files that claim more than they hold, and what is no file at all, are refused before they cost anything."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import resource
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from gymnasium import spaces

from epymarl_cpa.config import read_yaml
from epymarl_cpa.data import OfflineDataset
from epymarl_cpa.data.archive import check_deflated
from epymarl_cpa.data.chunks import pad
from epymarl_cpa.data.flat import dataset_from_arrays
from epymarl_cpa.data.formats import load
from epymarl_cpa.data.human_trials import ALLOWED, read_trials
from epymarl_cpa.data.store import write_dataset
from epymarl_cpa.deploy import policy_file
from epymarl_cpa.deploy.policy import Policy, PolicyError
from epymarl_cpa.envs.dpomdp.parse import read as read_dpomdp
from epymarl_cpa.errors import UserError
from epymarl_cpa.experiments.rows.reading import read_rows
from epymarl_cpa.utils.bounded import HARMLESS, archive_entries, check_claim, check_memory
from epymarl_cpa.utils.manifest import read_manifest, write_manifest
from epymarl_cpa.utils.tensor_files import load_tensors


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    """Each refusal is at once: nothing is unpacked, and nobody waits for a pipe."""
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < 5


def header(shape: tuple[int, ...], dtype: str) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": dtype, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def bomb(path: Path, name: str, megabytes: int) -> Path:
    """An archive of one array of zeros, a thousandth of its size."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive, \
            archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        file.write(header((megabytes << 20,), "|u1"))
        for _ in range(megabytes):
            file.write(bytes(1 << 20))
    return path


def test_an_archive_that_unpacks_to_what_no_data_set_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is seen in the headers is told before anything is unpacked."""
    monkeypatch.setattr(np, "load", lambda *args, **kwargs: pytest.fail("it was read"))
    with pytest.raises(UserError, match="unknown key 'other'"):
        OfflineDataset.load(bomb(tmp_path / "x.npz", "other", 8))
    bomb(tmp_path / "x.npz", "state", 8)
    with pytest.raises(UserError, match="has no header"):
        OfflineDataset.load(tmp_path / "x.npz")
    with zipfile.ZipFile(tmp_path / "x.npz", "a") as archive:
        archive.writestr("header.npy", header((2,), "|u1") + b"{}")
    with pytest.raises(UserError, match="lacks the key 'actions'"):
        OfflineDataset.load(tmp_path / "x.npz")
    with zipfile.ZipFile(tmp_path / "x.npz", "a") as archive:
        for key in ("actions", "avail_actions", "reward", "terminated", "filled", "behaviour"):
            archive.writestr(f"{key}.npy", header((), "|u1") + b"1")
    with pytest.raises(UserError, match="key 'state' must hold float32 values, not uint8"):
        OfflineDataset.load(tmp_path / "x.npz")


def test_an_archive_that_claims_more_than_deflate_can_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epymarl_cpa.data.archive.HARMLESS", 2**20)
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("state.npy", header((2**20,), "<f4"))
    content = bytearray((tmp_path / "x.npz").read_bytes())
    size = content.rindex(b"PK\x01\x02") + 24
    content[size:size + 4] = (2**22).to_bytes(4, "little")
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"claims to hold 4\.19 MB; .* since nothing shrinks so much; copy it again"):
        OfflineDataset.load(tmp_path / "x.npz")
    check_deflated("x", 1032e6, 10**6)
    with pytest.raises(UserError, match="claims to hold"):
        check_deflated("x", 1033e6, 10**6)


@pytest.mark.parametrize("name", ["x.npz", "x.h5", "parts"])
def test_what_this_program_wrote_can_be_read(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short episodes with room for a long one are almost all padding, which shrinks far more than a hundredfold."""
    pytest.importorskip("h5py" if name == "x.h5" else "numpy")
    for place in ("utils.bounded", "data.archive"):
        monkeypatch.setattr(f"epymarl_cpa.{place}.HARMLESS", 2**20)
    short = dataset_from_arrays(np.zeros((20, 4, 2)), np.zeros((20, 4)), np.ones(20), np.ones(20), n_actions=4)
    data = pad(short, 4000)
    size = sum(array.nbytes for array in data.arrays.values())
    write_dataset(iter([data]), tmp_path / name, "parts" if name == "parts" else None)
    assert size > 2**20 and size > 100 * sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())
    assert load(tmp_path / name).digest == data.digest


def test_an_array_whose_header_claims_more_than_there_is(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("state.npy", header((10**12,), "<f4") + bytes(8))
    with pytest.raises(UserError, match="damaged"):
        OfflineDataset.load(tmp_path / "x.npz")


def test_headers_that_are_no_words_are_damage(tmp_path: Path) -> None:
    """NumPy's parser of headers raises errors of several kinds, one of which is no error of values or syntax."""
    odd = (b"{'descr': '<f4', (" + bytes(40), b"{'descr': [", b"(" * 60, b"{1: [}", bytes(60))
    for number, words in enumerate(odd):
        text = words.ljust(117) + b"\n"
        damaged = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(8)
        for name in ("state.npy", "meta.npy"):
            with zipfile.ZipFile(tmp_path / f"{number}.npz", "w") as archive:
                archive.writestr(name, damaged)
            with pytest.raises(UserError, match=r"damaged|unknown key"):
                OfflineDataset.load(tmp_path / f"{number}.npz")
            with pytest.raises(PolicyError, match=r"no whole policy file \(.{0,100}\); export it again\.$"):
                Policy.load(tmp_path / f"{number}.npz")


def test_a_large_data_set_that_shrinks_little_is_read() -> None:
    check_claim("x", 3e9, int(4e7))
    check_claim("x", HARMLESS, 1)
    with pytest.raises(UserError, match=r"0\.001 MB, but claims to hold"):
        check_claim("x", HARMLESS + 1, 1000)


READERS: dict[str, Callable[[Path], Any]] = {
    "npz": OfflineDataset.load, "any": load, "yaml": read_yaml, "rows": lambda path: read_rows([path]),
    "trials": read_trials, "dpomdp": read_dpomdp, "tensors": load_tensors, "policy": Policy.load,
    "hdf5": lambda path: load(path, "hdf5"), "minari": lambda path: load(path, "minari")}


@pytest.mark.parametrize(("offset", "value"), [(6, 109), (10, 77)], ids=["version", "compression"])
def test_an_archive_that_only_other_programs_could_read(offset: int, value: int, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", reward=np.ones(3))
    content = bytearray((tmp_path / "x.npz").read_bytes())
    content[content.rindex(b"PK\x01\x02") + offset] = value
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(zipfile.BadZipFile):
        archive_entries(tmp_path / "x.npz")
    with pytest.raises(UserError, match=r"x\.npz"):
        load(tmp_path / "x.npz")


@pytest.mark.parametrize(("kind", "state"), [
    ("V4000000000", (3, "|", None)), ("f8", (3, "?", None)), ("f8", (3, None)), ("i3", ())])
def test_an_array_in_a_pickled_table_is_made_of_numbers_that_are_there(kind: str, state: tuple[Any, ...]) -> None:
    """NumPy restores arrays and dtypes without looking; a damaged one can end the process."""
    dtype, array = ALLOWED["numpy", "dtype"](kind, False, True), ALLOWED["numpy.core.multiarray", "_reconstruct"]()
    dtype.state = state
    for shape, content in (((2,), b"12345678"), ((1,), b"12345678"), ((-3,), b""), ("x", b"12345678")):
        array.state = (1, shape, dtype, False, content)
        with pytest.raises((ValueError, TypeError)):
            array.array()
    dtype.values, dtype.state = ("f8",), (3, "<", None)
    for shape in ((2,), "x"):
        array.state = (1, shape, dtype, False, b"12345678")
        with pytest.raises((ValueError, TypeError)):
            array.array()
    array.state = (1, (1,), dtype, False, np.float64(2.5).tobytes())
    assert array.array().tolist() == [2.5]


@pytest.mark.parametrize("reader", READERS)
def test_a_pipe_is_no_file(reader: str, tmp_path: Path) -> None:
    pytest.importorskip("h5py" if reader == "hdf5" else "minari" if reader == "minari" else "numpy")
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises((UserError, PolicyError)) as error:
        READERS[reader](tmp_path / "pipe.npz")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["state.npy", "meta.json", "epymarl_cpa.json", "part-00000.npz", "part_0.h5",
                                  "metadata.json"])
def test_a_pipe_in_a_folder_is_no_file(name: str, tmp_path: Path) -> None:
    for other in ("filled", "state", "actions", "avail_actions", "reward", "terminated") if name[0] in "sme" else ():
        np.save(tmp_path / f"{other}.npy", np.ones((1, 2, 1)))
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(UserError, match=rf"{re.escape(str(tmp_path))}|pip install"):  # where h5py is missing
        load(tmp_path)


def test_a_pipe_in_a_checkpoint_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "agent.th").write_bytes(b"x")
    write_manifest(tmp_path, 1, {"game": {}, "config": {}})
    (tmp_path / "agent.th").unlink()
    os.mkfifo(tmp_path / "agent.th")
    with pytest.raises(UserError, match="no regular file"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("how", ["claimed", "chunk"])
def test_hdf5_that_claims_a_thousand_million_episodes(how: str, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    episodes = 10**9 if how == "claimed" else 1
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for key, shape, dtype in (("state", (2, 1), "f4"), ("actions", (2, 2, 1), "i8"), ("reward", (2, 1), "f4"),
                                  ("avail_actions", (2, 2, 2), "i4"), ("terminated", (2, 1), "u1"),
                                  ("filled", (2, 1), "i8")):
            more = {"chunks": (2**26, *shape), "maxshape": (None, *shape)} if how == "chunk" and key == "actions" else {
                "chunks": (1, *shape)}
            file.create_dataset(key, shape=(episodes, *shape), dtype=dtype, fillvalue=1, **more)
    with pytest.raises(UserError, match="claims to hold"):
        load(tmp_path / "x.h5")


def test_a_vault_that_claims_a_thousand_million_steps(tmp_path: Path) -> None:
    ts = pytest.importorskip("tensorstore")
    folder, steps = tmp_path / "x.vlt" / "Good", 10**9
    folder.mkdir(parents=True)
    arrays = {"observations.": ((1, steps, 2, 3), "float32"), "actions.": ((1, steps, 2), "int32"),
              "rewards.": ((1, steps, 2), "float32"), "terminals.": ((1, steps, 2), "float32"),
              "vault_index": ((1,), "int32")}
    for name, (shape, dtype) in arrays.items():
        spec = {"driver": "zarr", "kvstore": {"driver": "ocdbt", "base": f"file://{folder}", "path": name}}
        array = ts.open(spec, dtype=dtype, shape=shape, create=True).result()
        if name == "vault_index":
            array.write(np.array([steps], np.int32)).result()
    names = dict.fromkeys(("observations", "actions", "rewards", "terminals"), "x")
    (folder / "metadata.json").write_text(json.dumps({"structure_shape": names, "structure_dtype": names}))
    with pytest.raises(UserError, match="claims to hold"):
        load(folder)


@pytest.mark.parametrize("what", ["episodes", "steps", "actions"])
def test_a_minari_data_set_that_claims_a_thousand_million(what: str, tmp_path: Path) -> None:
    h5py, storage = pytest.importorskip("h5py"), pytest.importorskip("minari.dataset.minari_storage")
    buffer = pytest.importorskip("minari.data_collector.episode_buffer").EpisodeBuffer
    folder, many = tmp_path / "x-v0" / "data", 10**9
    folder.mkdir(parents=True)
    made = storage.MinariStorage.new(folder, spaces.Box(0, 9, (2,), np.float32),
                                     spaces.Discrete(many if what == "actions" else 2))
    made.update_episodes([buffer(observations=np.zeros((4, 2), np.float32), actions=np.zeros(3, np.int64),
                                 rewards=np.zeros(3), terminations=np.zeros(3, np.bool_),
                                 truncations=np.arange(3) == 2, infos=None)])
    made.update_metadata({"dataset_id": "x-v0", "minari_version": "0.5.3"})
    if what != "actions":
        facts = json.loads((folder / "metadata.json").read_text())
        facts |= {"total_episodes": many} if what == "episodes" else {}
        (folder / "metadata.json").write_text(json.dumps(facts))
        with h5py.File(folder / "main_data.hdf5", "r+") as file:
            file["episode_0"].attrs["total_steps"] = many if what == "steps" else 3
    with pytest.raises(UserError, match="claims to hold"):
        load(tmp_path / "x-v0")


@pytest.mark.parametrize("kind", ["external link", "soft link", "external data"])
def test_a_minari_data_set_that_leads_to_other_files(kind: str, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    pytest.importorskip("minari")
    folder = tmp_path / "x-v0" / "data"
    folder.mkdir(parents=True)
    spaces_too = {"data_format": "hdf5", "observation_space": "", "action_space": ""}
    (folder / "metadata.json").write_text(json.dumps(spaces_too))
    with h5py.File(folder / "main_data.hdf5", "w") as file:
        group = file.create_group("episode_0")
        group["again"] = file  # a circle
        if kind == "external link":
            group["rewards"] = h5py.ExternalLink("/etc/passwd", "/")
        elif kind == "soft link":
            group["rewards"] = h5py.SoftLink("/episode_0")
        else:
            group.create_dataset("rewards", (3,), "u1", external=[("/etc/passwd", 0, 3)])
    with pytest.raises(UserError, match=r"rewards' is (a link|kept in another file), which is not"):
        load(tmp_path / "x-v0")


def test_a_vault_whose_actions_are_no_numbers_of_actions(tmp_path: Path) -> None:
    ts = pytest.importorskip("tensorstore")
    folder = tmp_path / "x.vlt" / "Good"
    folder.mkdir(parents=True)
    arrays = {"observations.": np.zeros((1, 4, 2, 3), np.float32), "actions.": np.full((1, 4, 2), 10**9, np.int32),
              "rewards.": np.zeros((1, 4, 2), np.float32), "terminals.": np.ones((1, 4, 2), np.float32),
              "vault_index": np.array([4], np.int32)}
    for name, array in arrays.items():
        spec = {"driver": "zarr", "kvstore": {"driver": "ocdbt", "base": f"file://{folder}", "path": name}}
        ts.open(spec, dtype=array.dtype.name, shape=array.shape, create=True).result().write(array).result()
    names = dict.fromkeys(("observations", "actions", "rewards", "terminals"), "x")
    (folder / "metadata.json").write_text(json.dumps({"structure_shape": names, "structure_dtype": names}))
    with pytest.raises(UserError, match="key 'actions' holds 1000000000"):
        load(folder)


YAMLS = {
    "aliases": "a: &a [1, 2]\n" + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n"
                                          for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    "merges": "a: &a {x: 1}\n" + "".join(f"{b}: &{b} {{<<: [{', '.join([f'*{a}'] * 9)}]}}\n"
                                         for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    "itself": "a: &a [*a]\n", "itself as a mapping": "a: &a {b: *a}\n"}


@pytest.mark.parametrize("name", YAMLS)
def test_yaml_whose_aliases_make_it_large(name: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(YAMLS[name])
    with pytest.raises(UserError, match="is not valid YAML: its aliases"):
        read_yaml(tmp_path / "x.yaml")


def test_yaml_with_a_few_aliases_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: [*a, *a]\n")
    assert read_yaml(tmp_path / "x.yaml")["b"] == {"x": 1, "y": 2}


def test_yaml_of_many_megabytes_is_no_configuration(tmp_path: Path) -> None:
    with open(tmp_path / "x.yaml", "wb") as file:
        file.truncate(2**30)
    with pytest.raises(UserError, match="is larger than 17 MB"):
        read_yaml(tmp_path / "x.yaml")


@pytest.mark.parametrize("content", [b"\x80\x02Nr\xff\xff\xff\x7f.", b"\x80\x05\x96\x00\x00\x00\x00\x00\x01\x00\x00.",
                                     b"\x80\x02X\xff\xff\xff\x7f.", pickle.dumps(np.ndarray)],
                         ids=["memo", "bytearray", "text", "class"])
def test_a_pickled_table_that_makes_something_large(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.pickle").write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match=r"is damaged|is no table|is refused"):
        read_trials(tmp_path / "x.pickle")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "kilobytes"


# ------------------------------------------------------------------------------------------ tensors
def saved(content: Any) -> zipfile.ZipFile:
    buffer = io.BytesIO()
    th.save(content, buffer)
    return zipfile.ZipFile(buffer)


def test_compressed_tensors_are_refused(tmp_path: Path) -> None:
    whole = saved({"a": th.zeros(10**6)})
    with zipfile.ZipFile(tmp_path / "x.th", "w", zipfile.ZIP_DEFLATED) as archive:
        for member in whole.infolist():
            archive.writestr(member.filename, whole.read(member))
    with pytest.raises(UserError, match="is compressed, as files of this program never are"):
        load_tensors(tmp_path / "x.th")


class Large:
    def __reduce__(self) -> Any:
        return bytearray, (10**12,)


def test_plain_values_that_make_something_large_are_refused(tmp_path: Path) -> None:
    whole = saved({"a": 1})
    with zipfile.ZipFile(tmp_path / "x.th", "w") as archive:
        for member in whole.infolist():
            is_plain = member.filename.endswith("data.pkl")
            archive.writestr(member.filename, pickle.dumps(Large(), 2) if is_plain else whole.read(member))
    with pytest.raises(UserError, match=r"more than tensors and plain values; .* run \(it names '\w+ bytearray'\)"):
        load_tensors(tmp_path / "x.th")


def test_a_tensor_that_claims_to_be_larger_than_what_is_stored(tmp_path: Path) -> None:
    th.save({"a": th.zeros(1).expand(10**9)}, tmp_path / "x.th")
    with pytest.raises(UserError, match="damaged or holds more"):
        load_tensors(tmp_path / "x.th")
    th.save({"a": th.zeros(3, 2)[:2].T, "b": [th.arange(3)], "c": 1}, tmp_path / "y.th")
    assert load_tensors(tmp_path / "y.th")["b"][0].tolist() == [0, 1, 2]


# ------------------------------------------------------------------------------------------ policies
META = {"format": policy_file.FORMAT, "agent": 0, "n_agents": 2, "n_actions": 2, "n_seen": 1, "state_levels": 0,
        "pool_size": 2, "key_numbers": 1, "repeat_limit": 0, "input": "state", "key_per": "step", "key": "prior",
        "encoder": "memoryless", "env": "xor", "env_args": {}, "entry_floor": 0.0, "team": "t", "greedy": True}


def policy(path: Path, compressed: bool = False, extra: dict[str, Any] | None = None, **meta: Any) -> Path:
    shapes = {"entries.w0": (1, 4), "entries.b0": (4,), "head.w0": (2, 2), "head.b0": (2,), "shares.w0": (1, 2),
              "shares.b0": (2,)}
    arrays = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    said = {**META, **meta}
    (np.savez_compressed if compressed else np.savez)(
        path, meta=np.array(json.dumps(said)), digest=np.array(policy_file.digest(said, arrays)),
        **{**arrays, **(extra or {})})  # type: ignore[arg-type]
    return path


def test_a_sound_policy_is_read(tmp_path: Path) -> None:
    found = Policy.load(policy(tmp_path / "x.npz"))
    found.agree(1)
    assert found.act(np.zeros(1)) in (0, 1)


@pytest.mark.parametrize(("meta", "words"), [
    ({"key_numbers": 10**9}, "says key_numbers=1000000000"), ({"n_agents": 10**9}, "says n_agents=1000000000"),
    ({"n_actions": 10**9}, "says n_actions"), ({"n_actions": 3}, "made for 2"), ({"pool_size": 5}, "made for 2"),
    ({"state_levels": 10**9}, "says state_levels"), ({"n_seen": "x"}, "says n_seen"), ({"agent": 2}, "agent 2 of 2"),
    ({"agent": True}, "says agent"), ({"key_per": "year"}, "says key_per"), ({"env_args": 3}, "env_args"),
    ({"encoder": "other"}, "does not have"), ({"encoder": None}, "says encoder"), ({"entry_floor": "x"}, "entry_floor"),
    ({"format": 99}, "has format 99")])
def test_a_policy_that_says_what_cannot_be(meta: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=words):
        Policy.load(policy(tmp_path / "x.npz", **meta))


def test_a_policy_that_would_unpack_to_more_than_its_size(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="it is compressed"):
        Policy.load(policy(tmp_path / "x.npz", compressed=True))
    with pytest.raises(PolicyError, match=r"it holds 'other\.npy'"):
        Policy.load(policy(tmp_path / "x.npz", extra={"other": np.zeros(1)}))


def test_the_entries_of_an_archive_are_its_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", one=np.zeros((2, 3), np.int8), two=np.zeros(0))
    assert archive_entries(tmp_path / "x.npz") == [("one", np.dtype(np.int8), (2, 3)), ("two", np.dtype(float), (0,))]


def test_an_archive_with_two_arrays_of_one_name_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        for number in (1, 2):
            buffer = io.BytesIO()
            np.save(buffer, np.full(3, number))
            archive.writestr("one.npy", buffer.getvalue())
    with pytest.raises(UserError, match="has the unknown key 'one'"):
        archive_entries(tmp_path / "x.npz")


def test_what_is_larger_than_the_memory_is_told_with_both_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 10**6}.get)
    check_memory("x", 4096 * 10**6)
    with pytest.raises(UserError, match=r"^x would take 5 GB of memory; this machine has 4\.1 GB\.$"):
        check_memory("x", 5e9)
