"""Random data sets survive a round trip exactly; random damage is refused or harmless, never another exception."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from epymarl_cpa.data import OfflineDataset
from epymarl_cpa.data.arrays import ARRAYS
from epymarl_cpa.data.formats.npy_folder import load_npy_folder
from epymarl_cpa.data.validate import PROVENANCE
from epymarl_cpa.errors import UserError

Arrays = dict[str, Any]
KEYS = ("state", "actions", "avail_actions", "reward", "terminated", "filled", "behaviour", "obs", "agent_reward",
        "no_next")
SIZES = st.tuples(*[st.integers(1, 5)] * 5)
PLAIN = st.recursive(st.none() | st.booleans() | st.integers(-2**60, 2**60) | st.floats(allow_nan=False) | st.text(),
                     lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
                     max_leaves=6)


@st.composite
def valid(draw: st.DrawFn) -> Arrays:
    """Arrays of up to 5 episodes, steps, agents, actions and state values: anything that validation allows."""
    e, t, n, a, s = draw(SIZES)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    length = rng.integers(0, t + 1, size=e)  # complete steps
    length[rng.integers(e)] = rng.integers(1, t + 1)
    time = np.arange(t + 1)
    ends = (rng.random(e) < 0.7) & (length > 0)
    terminated = ends[:, None] & (time == length[:, None] - 1)
    available = rng.random((e, t + 1, n, a)) < 0.5
    actions = rng.integers(a, size=(e, t + 1, n))
    np.put_along_axis(available, actions[..., None], True, axis=3)
    extreme = np.array([0.0, -0.0, 1e-45, -3.4e38, 3.4e38], dtype=np.float32)
    state = np.where(rng.random((e, t + 1, s)) < 0.2, rng.choice(extreme, (e, t + 1, s)),
                     rng.normal(size=(e, t + 1, s)).astype(np.float32))
    filled = time <= length[:, None]
    meta = draw(st.dictionaries(st.text().filter(lambda key: key not in PROVENANCE), PLAIN,
                                max_size=3))
    names = draw(st.lists(st.text(), min_size=1, max_size=3))
    return {"state": state, "actions": actions, "avail_actions": available,
            "reward": rng.normal(size=(e, t + 1)).astype(np.float32), "terminated": terminated, "filled": filled,
            "behaviour": rng.integers(-1, len(names), size=e), "meta": {**meta, "behaviours": names},
            "obs": rng.normal(size=(e, t + 1, n, s)).astype(np.float32) if draw(st.booleans()) else None,
            "agent_reward": rng.normal(size=(e, t + 1, n)).astype(np.float32) if draw(st.booleans()) else None,
            "no_next": (time == length[:, None] - 1) & ~terminated & (rng.random((e, 1)) < 0.5)
            if draw(st.booleans()) else None}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


def assert_same(one: OfflineDataset, two: OfflineDataset) -> None:
    for key in KEYS:
        first, second = getattr(one, key), getattr(two, key)
        assert (first is None) == (second is None)
        if first is not None:
            assert (first.dtype, first.shape) == (second.dtype, second.shape) and first.tobytes() == second.tobytes()
    assert one.meta == two.meta and one.digest == two.digest


@settings(max_examples=80, deadline=None)
@given(arrays=valid())
def test_round_trip(folder: Path, arrays: Arrays) -> None:
    data = OfflineDataset(**arrays)
    data.save(folder / "data.npz")
    assert_same(OfflineDataset.load(folder / "data.npz"), data)


@settings(max_examples=80, deadline=None)
@given(arrays=valid())
def test_steps_and_returns(arrays: Arrays) -> None:
    """Against a loop over each episode."""
    data = OfflineDataset(**arrays)
    for episode in range(data.n_episodes):
        total, t = 0.0, 0
        while t < data.episode_limit and data.filled[episode, t] and data.filled[episode, t + 1]:
            assert data.steps[episode, t]
            total += float(data.reward[episode, t])
            t += 1
            if data.terminated[episode, t - 1]:
                break
        assert not data.steps[episode, t:].any() and data.returns[episode] == pytest.approx(total)


@pytest.fixture(scope="module")
def whole(folder: Path) -> tuple[bytes, OfflineDataset]:
    rng = np.random.default_rng(0)
    lead = (3, 4)
    data = OfflineDataset(rng.normal(size=(*lead, 2)).astype(np.float32), rng.integers(3, size=(*lead, 2)),
                          np.ones((*lead, 2, 3), np.bool_), rng.normal(size=lead).astype(np.float32),
                          np.tile(np.arange(4) == 2, (3, 1)), np.ones(lead, np.bool_), np.full(3, -1), {"seed": 0})
    data.save(folder / "whole.npz")
    return (folder / "whole.npz").read_bytes(), data


def refused_or_same(path: Path, data: OfflineDataset) -> bool:
    """Whether the file is refused; it must be so in one sentence, or give the same data."""
    try:
        assert_same(OfflineDataset.load(path), data)
    except UserError as error:
        assert str(path) in str(error) and "\n" not in str(error) and str(error).endswith(".")
        return True
    return False


@settings(max_examples=250, deadline=None)
@given(flips=st.lists(st.tuples(st.integers(0, 2**20), st.integers(1, 255)), min_size=1, max_size=4))
def test_flipped_bytes(folder: Path, whole: tuple[bytes, OfflineDataset], flips: list[tuple[int, int]]) -> None:
    damaged = bytearray(whole[0])
    for place, change in flips:
        damaged[place % len(damaged)] ^= change
    (folder / "damaged.npz").write_bytes(damaged)
    refused_or_same(folder / "damaged.npz", whole[1])


@settings(max_examples=60, deadline=None)
@given(size=st.integers(0, 2**20))
def test_truncation(folder: Path, whole: tuple[bytes, OfflineDataset], size: int) -> None:
    (folder / "short.npz").write_bytes(whole[0][: size % len(whole[0])])
    assert refused_or_same(folder / "short.npz", whole[1])


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=300))
def test_other_files(folder: Path, whole: tuple[bytes, OfflineDataset], content: bytes) -> None:
    for lead in (b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"\x80\x04"):
        (folder / "other.npz").write_bytes(lead + content)
        assert refused_or_same(folder / "other.npz", whole[1])


class Trap:
    """Unpickling it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.path), "w")


@pytest.mark.parametrize("key", ["state", "header", "extra", None])
def test_pickles_are_not_opened(tmp_path: Path, whole: tuple[bytes, OfflineDataset], key: str | None) -> None:
    """Neither in place of an array, nor beside the arrays, nor in place of the archive."""
    file, trap = tmp_path / "data.npz", tmp_path / "sprung"
    with np.load(io.BytesIO(whole[0])) as archive:
        arrays = dict(archive)
    with open(file, "wb") as stream:
        if key is None:
            pickle.dump(Trap(trap), stream)
        else:
            np.savez(stream, **{**arrays, key: np.array([Trap(trap)], dtype=object)})
    assert refused_or_same(file, whole[1]) and not trap.exists()
    with np.load(file, allow_pickle=True) as loaded:  # the trap does work where pickles are opened
        if key is not None:
            loaded[key]
    assert trap.exists()


@settings(max_examples=60, deadline=None)
@given(key=st.sampled_from((*ARRAYS, "header")), change=st.integers(0, 5), place=st.integers(0, 2**20))
def test_contents_that_were_written_anew(folder: Path, whole: tuple[bytes, OfflineDataset], key: str, change: int,
                                         place: int) -> None:
    """A sound archive whose digest does not match, or with other arrays than ours."""
    with np.load(io.BytesIO(whole[0])) as file:
        arrays = dict(file)
    flat = arrays[key].reshape(-1)
    at = place % flat.size
    if change == 0:
        del arrays[key]
    elif change == 1:
        arrays["extra"] = np.zeros(3)
    elif change == 2:
        arrays[key] = flat[: flat.size // 2]
    elif change == 3:
        arrays[key] = arrays[key].astype(np.float16)
    elif change == 4:
        extra = np.zeros((3, 4, 2, 1), np.float32)
        arrays |= {"obs": extra} if at % 2 else {"agent_reward": extra[..., 0]}
    else:
        flat[at] = not flat[at] if flat.dtype == np.bool_ else flat[at] + 1
    with open(folder / "anew.npz", "wb") as stream:
        np.savez(stream, **arrays)
    assert refused_or_same(folder / "anew.npz", whole[1])


@settings(max_examples=60, deadline=None)
@given(header=PLAIN, fields=st.dictionaries(st.sampled_from(["format", "digest", "meta"]),
                                            PLAIN | st.just(1) | st.just({}), max_size=3))
def test_forged_headers(folder: Path, whole: tuple[bytes, OfflineDataset], header: Any, fields: dict[str, Any]) -> None:
    with np.load(io.BytesIO(whole[0])) as file:
        arrays = dict(file)
    for forged in (header, fields):
        arrays["header"] = np.frombuffer(json.dumps(forged).encode(), dtype=np.uint8)
        with open(folder / "forged.npz", "wb") as stream:
            np.savez(stream, **arrays)
        assert refused_or_same(folder / "forged.npz", whole[1])


@settings(max_examples=120, deadline=None)
@given(arrays=valid(), how=st.sampled_from(["nan", "action", "unavailable", "dtype", "axes", "size"]),
       key=st.sampled_from(KEYS), pick=st.integers(0, 2**20))
def test_wrong_contents(arrays: Arrays, how: str, key: str, pick: int) -> None:
    steps = np.argwhere(OfflineDataset(**arrays).steps)
    episode, step = steps[pick % len(steps)]
    key = "state" if arrays[key] is None else key
    if how == "nan":
        key = ("state", "reward")[pick % 2]
        arrays[key][episode, step] = (np.nan, np.inf, -np.inf)[pick % 3]
    elif how == "action":
        arrays["actions"][episode, step, 0] = (-1, arrays["avail_actions"].shape[3], 2**62)[pick % 3]
    elif how == "unavailable":
        arrays["avail_actions"][episode, step, 0, arrays["actions"][episode, step, 0]] = False
    elif how == "dtype":
        with np.errstate(invalid="ignore"):
            arrays[key] = arrays[key].astype(np.complex64 if pick % 2 else np.int8)
    elif how == "axes":
        arrays[key] = arrays[key][..., None] if pick % 2 else arrays[key][0]
    else:
        arrays[key] = np.concatenate([arrays[key]] * 2)
    with pytest.raises(UserError, match=r"^data set: "):
        OfflineDataset(**arrays)


def as_folder(arrays: Arrays, folder: Path) -> None:
    files: dict[str, NDArray[Any]] = {key: arrays[key] for key in ("state", "avail_actions")}
    files |= {key: arrays[key][..., None] for key in ("actions", "reward", "terminated", "filled")}
    for key, array in files.items():
        np.save(folder / f"{key}.npy", array)


@settings(max_examples=60, deadline=None)
@given(arrays=valid())
def test_buffer_folders(folder: Path, arrays: Arrays) -> None:
    as_folder(arrays, folder)
    data, filled = load_npy_folder(folder), arrays["filled"]
    for key in ("state", "actions", "reward", "avail_actions"):
        np.testing.assert_array_equal(getattr(data, key)[filled], arrays[key][filled])
    np.testing.assert_array_equal(data.steps, OfflineDataset(**arrays).steps)


@settings(max_examples=150, deadline=None)
@given(key=st.sampled_from(["state", "avail_actions", "actions", "reward", "terminated", "filled"]),
       flips=st.lists(st.tuples(st.integers(0, 2**20), st.integers(1, 255)), min_size=1, max_size=4), cut=st.booleans())
def test_damaged_buffer_folders(folder: Path, whole: tuple[bytes, OfflineDataset], key: str,
                                flips: list[tuple[int, int]], cut: bool) -> None:
    """Such files carry no digest: damage gives a valid data set or a sentence."""
    as_folder({name: getattr(whole[1], name) for name in KEYS}, folder)
    damaged = bytearray((folder / f"{key}.npy").read_bytes())
    for place, change in flips:
        damaged[place % (256 if cut else len(damaged)) % len(damaged)] ^= change  # half of them in the header
    (folder / f"{key}.npy").write_bytes(damaged)
    try:
        load_npy_folder(folder)
    except UserError as error:
        assert str(error).startswith(f"{folder}: ") and "\n" not in str(error) and str(error).endswith(".")
