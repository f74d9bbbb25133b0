"""What every format of data sets must hold to; a new format is found and tested by being registered."""

from __future__ import annotations

import builtins
import gc
import resource
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from epymarl_cpa.data import OfflineDataset, chunks, load_dataset
from epymarl_cpa.data.__main__ import main
from epymarl_cpa.data.chunks import split
from epymarl_cpa.data.formats import REGISTRY, load, read, recognise
from epymarl_cpa.data.generate import generate
from epymarl_cpa.data.store import write_dataset
from epymarl_cpa.envs import make_game
from epymarl_cpa.errors import UserError

#: optional packages of the formats that need some, in the order in which they are asked for; the extra that installs
#: them is called like the format
PACKAGES = {"hdf5": ("h5py",), "minari": ("h5py", "PIL", "minari"), "vault": ("tensorstore",)}
WRITABLE = [name for name, entry in REGISTRY.items() if entry.writable]


def installed(formats: Iterable[str]) -> list[Any]:
    """Formats as parameters, skipped where a package of theirs is not installed."""
    return [pytest.param(name, marks=[pytest.mark.skipif(find_spec(package) is None, reason=f"needs {package}")
                                      for package in PACKAGES.get(name, ())]) for name in formats]


def place(name: str, folder: Path) -> Path:
    """A path that suits a format."""
    entry = REGISTRY[name]
    return folder / ("data-v0" if name == "minari" else f"data{entry.suffixes[0]}" if entry.suffixes else "data")


@pytest.fixture(params=installed(WRITABLE))
def name(request: pytest.FixtureRequest) -> str:
    """A format that can be written, with its package."""
    return str(request.param)


def made(**changes: Any) -> OfflineDataset:
    """Three agents; episodes that end early, end late, are cut off early, and never take a step."""
    rng = np.random.default_rng(0)
    lead = (4, 5)
    actions = rng.integers(4, size=(*lead, 3))
    available = rng.random((*lead, 3, 4)) < 0.5
    np.put_along_axis(available, actions[..., None], True, axis=3)
    steps, time = np.array([[2], [4], [3], [0]]), np.arange(5)
    arrays: dict[str, Any] = {
        "state": rng.normal(size=(*lead, 2)).astype(np.float32), "actions": actions, "avail_actions": available,
        "reward": rng.normal(size=lead).astype(np.float32), "filled": time <= steps,
        "terminated": (time == steps - 1) & (steps % 2 == 0), "behaviour": np.array([1, 0, -1, 1]),
        "obs": rng.normal(size=(*lead, 3, 6)).astype(np.float32),
        "agent_reward": rng.normal(size=(*lead, 3)).astype(np.float32),
        "meta": {"behaviours": ["good", "schlecht ü"], "seed": 3}}
    return OfflineDataset(**{**arrays, **changes})


def cut(data: OfflineDataset, episodes: slice, slots: int) -> OfflineDataset:
    arrays = {key: array[episodes] if key == "behaviour" else array[episodes, :slots]
              for key, array in data.arrays.items()}
    return OfflineDataset(**arrays, meta=data.meta)


ODD: Mapping[str, Callable[[], OfflineDataset]] = {
    "all": made, "no_obs": lambda: made(obs=None), "team_reward": lambda: made(agent_reward=None),
    "one_episode_one_step": lambda: cut(made(terminated=np.zeros((4, 5), np.bool_)), slice(1), 2),
    "cut_off": lambda: cut(made(), slice(2, 4), 5),
    "no_next": lambda: made(no_next=np.arange(20).reshape(4, 5) == 12),  # the last step of the third episode
    "obs_is_state": lambda: made(obs=np.repeat(made().state[:, :, None], 3, axis=2)),
    "generated": lambda: generate(make_game("xor"), {"episodes": 30, "mixture": {"random": 1.0}}, 0)}


@pytest.mark.parametrize("part_bytes", [1, 2**24])
@pytest.mark.parametrize("case", ODD)
def test_round_trip(name: str, case: str, part_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "PART_BYTES", part_bytes)
    data, path = ODD[case](), place(name, tmp_path)
    stored = write_dataset(split(data), path, name)
    assert stored == (data.n_episodes, data.steps.sum(), name)
    assert [*tmp_path.iterdir()] == [path]
    assert recognise(path).title == REGISTRY[name].title
    again = load(path)
    assert again.digest == data.digest and again.meta == data.meta and again.source == str(path)
    for key, array in data.arrays.items():
        assert again.arrays[key].dtype == array.dtype and again.arrays[key].tobytes() == array.tobytes()
    starts = [part.first for part in read(path)]
    assert len(starts) == (1 if part_bytes > 1 else data.n_episodes) and starts[0] == 0


@pytest.mark.parametrize("other", installed(WRITABLE))
def test_every_pair_of_formats(name: str, other: str, tmp_path: Path) -> None:
    write_dataset(split(made()), place(name, tmp_path), name)
    second = tmp_path / "second"
    second.mkdir()
    write_dataset(read(place(name, tmp_path)), place(other, second), other)
    assert load(place(other, second)).digest == made().digest


def files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())


def refused(path: Path, name: str | None = None) -> str:
    """The sentence with which a damaged data set is refused."""
    with pytest.raises(UserError) as error:
        load(path, name)
    text = str(error.value)
    assert str(path) in text and text.endswith(".") and "\n" not in text
    return text


def test_truncated_and_missing_files(name: str, tmp_path: Path) -> None:
    path = place(name, tmp_path)
    write_dataset(split(made()), path, name)
    for file in files(path):
        if file.name == "meta.json":
            continue  # AlberDICE's numbers, which the header has too
        whole = file.read_bytes()
        for size in (0, 7, len(whole) // 2, len(whole) - 1):
            file.write_bytes(whole[:size])
            assert file.name in refused(path, name)
        file.unlink()
        if file.name == "actions_onehot.npy":
            assert load(path, name).digest == made().digest  # the actions are there a first time
        elif file.name != "epymarl_cpa.json":  # without it, the data are taken for somebody else's
            assert file.name in refused(path, name)
        file.write_bytes(whole)
    assert load(path).digest == made().digest


def test_flipped_bits(name: str, tmp_path: Path) -> None:
    """Never another exception, never other data."""
    path, rng, told = place(name, tmp_path), np.random.default_rng(0), set()
    write_dataset(split(made()), path, name)
    for file in files(path):
        whole = file.read_bytes()
        for spot in rng.integers(len(whole), size=25).tolist():
            damaged = bytearray(whole)
            damaged[spot] ^= 1 << int(rng.integers(8))
            file.write_bytes(damaged)
            try:
                assert load(path, name).digest == made().digest, (file.name, spot)
            except UserError as error:
                told.add(file.name)
                assert str(path) in str(error) and str(error).endswith(".") and "\n" not in str(error)
        file.write_bytes(whole)
    assert told >= {file.name for file in files(path)} - {"meta.json"}


@pytest.mark.parametrize("other", installed(sorted(REGISTRY)))
def test_mislabelled_files(name: str, other: str, tmp_path: Path) -> None:
    """Told to be of a format that it is not; recognised as what it is."""
    path = place(name, tmp_path)
    write_dataset(split(made()), path, name)
    if other != name:
        refused(path, other)
    if path.is_file():
        path = path.rename(tmp_path / "data.bin")
        assert load(path).digest == made().digest


def test_strange_paths(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no file or folder"):
        load(tmp_path / "absent", name)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"")
    refused(tmp_path / "empty", name)
    refused(tmp_path / "file", name)
    for path in (tmp_path / "empty", tmp_path / "file"):
        assert "is not a data set of a known format" in refused(path)


@pytest.mark.parametrize(("needs", "package"), [(needs, package) for needs in sorted(PACKAGES)
                                                for package in PACKAGES[needs]])
def test_missing_extra(needs: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = next(each for each in PACKAGES[needs] if each == package or find_spec(each) is None)  # that is asked for
    real = builtins.__import__

    def blocked(module: str, *args: Any, **kwargs: Any) -> Any:
        if module.partition(".")[0] == package:
            raise ImportError(module)
        return real(module, *args, **kwargs)

    for module in [module for module in sys.modules if module.partition(".")[0] == package]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(builtins, "__import__", blocked)
    told = rf"need the package '{first}'; install it with: pip install 'epymarl-cpa\[{needs}\]'\.$"
    path = tmp_path / "data"
    if needs == "vault":
        path.mkdir()
        leaves = ", ".join(f'"{key}": "(1, 9, 2)"' for key in ("observations", "actions", "rewards", "terminals"))
        (path / "metadata.json").write_text(f'{{"structure_shape": {{{leaves}}}}}')
        with pytest.raises(UserError, match=told):
            load(path)
        return
    with pytest.raises(UserError, match=told):
        write_dataset(split(made()), place(needs, tmp_path), needs)
    assert [*tmp_path.iterdir()] == []
    (path if needs == "minari" else tmp_path).mkdir(exist_ok=True)
    if needs == "hdf5":
        (tmp_path / "data.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
        with pytest.raises(UserError, match=told):
            load(tmp_path / "data.h5")
    else:
        (path / "metadata.json").write_text('{"data_format": "hdf5", "observation_space": "", "action_space": ""}')
        with pytest.raises(UserError, match=told):
            load(path)


def test_nothing_is_left_after_a_failure(name: str, tmp_path: Path) -> None:
    def broken() -> Iterator[OfflineDataset]:
        yield from split(made())
        raise UserError("the source is damaged.")

    path = place(name, tmp_path)
    with pytest.raises(UserError, match="the source is damaged"):
        write_dataset(broken(), path, name)
    assert [*tmp_path.iterdir()] == []
    write_dataset(split(made()), path, name)
    with pytest.raises(UserError, match="exists already; choose another name, or add --force"):
        write_dataset(split(made(obs=None)), path, name)
    with pytest.raises(UserError, match="the source is damaged"):
        write_dataset(broken(), path, name, force=True)
    assert load(path).digest == made().digest and [*tmp_path.iterdir()] == [path]
    write_dataset(split(made(obs=None)), path, name, force=True)
    assert load(path).digest == made(obs=None).digest and [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("room", [100, 1000])
def test_a_full_disk_is_told(name: str, room: int, tmp_path: Path) -> None:
    """Also by libraries that do not survive it: the process goes on, and nothing is left."""
    path, (usual, most) = place(name, tmp_path), resource.getrlimit(resource.RLIMIT_FSIZE)
    data = split(made())
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, most))
    try:
        with pytest.raises(UserError) as error:
            write_dataset(data, path, name)
        gc.collect()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (usual, most))
    assert str(error.value) == f"{path} cannot be written (File too large)." and [*tmp_path.iterdir()] == []
    write_dataset(split(made()), path, name)
    assert load(path).digest == made().digest


def test_parts_that_do_not_belong_together(name: str, tmp_path: Path) -> None:
    for other in (made(obs=None), made(meta={"behaviours": ["a", "b"]}), made(state=made().state[..., :1])):
        with pytest.raises(UserError, match="join such data with 'merge'"):
            write_dataset(iter([*split(made()), *split(other)]), place(name, tmp_path), name)
    assert [*tmp_path.iterdir()] == []


def test_load_dataset_finds_the_format(name: str, tmp_path: Path) -> None:
    game = make_game("xor")
    data = generate(game, {"episodes": 30, "mixture": {"random": 1.0}}, 0)
    write_dataset(split(data), place(name, tmp_path), name)
    assert load_dataset(str(place(name, tmp_path)), game, {}, 0, tmp_path / "cache").digest == data.digest
    with pytest.raises(UserError, match="was recorded with"):
        load_dataset(str(place(name, tmp_path)), make_game("bridge"), {}, 0, tmp_path / "cache")


def run(words: Sequence[object], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status = main([str(word) for word in words])
    out, err = capsys.readouterr()
    assert (out if status else err) == "" and (out + err).count("\n") == 1
    return status, (err if status else out).strip()


def test_command_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made().save(tmp_path / "start.npz")
    path = place(name, tmp_path)
    words = ["convert", tmp_path / "start.npz", path]
    assert run([*words, f"--to={name}"], capsys) == (0, f"{path} ({name}): 4 episodes and 9 steps.")
    status, text = run([*words, f"--to={name}"], capsys)
    assert status == 2 and text == f"{path} exists already; choose another name, or add --force to replace it."
    assert run([*words, f"--to={name}", "--force"], capsys)[0] == 0
    back = tmp_path / "back.npz"
    assert run(["convert", path, back], capsys) == (0, f"{back} (npz): 4 episodes and 9 steps.")
    assert OfflineDataset.load(back).digest == made().digest
    both = tmp_path / "both.npz"
    assert run(["merge", path, back, f"--out={both}"], capsys) == (0, f"{both} (npz): 8 episodes and 18 steps.")
    whole: NDArray[Any] = OfflineDataset.load(both).state
    np.testing.assert_array_equal(whole, np.concatenate([made().state] * 2))
    if path.is_dir():
        shutil.rmtree(path)
        (path).mkdir()
        (path / "mine.txt").write_text("not data")
        status, text = run([*words, f"--to={name}", "--force"], capsys)
        assert status == 2 and "is not a data set of a known format" in text and (path / "mine.txt").exists()
