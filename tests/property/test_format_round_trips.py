"""Random data sets go through every format and back without a difference."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_dataset_files import assert_same, valid

from epymarl_cpa.data import OfflineDataset, chunks
from epymarl_cpa.data.chunks import split
from epymarl_cpa.data.formats import REGISTRY, load, read, recognise
from epymarl_cpa.data.merge import merge
from epymarl_cpa.data.store import write_dataset

PACKAGES = {"hdf5": "h5py", "minari": "minari"}
FORMATS = [name for name, entry in REGISTRY.items()
           if entry.writable and importlib.util.find_spec(PACKAGES.get(name, "numpy")) is not None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("formats")


@pytest.fixture(scope="module", autouse=True)
def no_waiting() -> Iterator[None]:
    """Nothing here is about crashes of the machine, and waiting for the disk takes most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("epymarl_cpa.data.store.sync", lambda path: None)
        patch.setattr("epymarl_cpa.utils.files.os.fsync", lambda handle: None)
        yield


def place(name: str, folder: Path) -> Path:
    entry = REGISTRY[name]
    return folder / (f"{name}-v0" if name == "minari" else f"data{entry.suffixes[0]}" if entry.suffixes else name)


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def through_every_format(folder: Path, arrays: dict[str, Any], part_bytes: int, order: list[str]) -> None:
    """From one format to the next, the last one's contents being those of the first."""
    data = OfflineDataset(**arrays)
    kept, chunks.PART_BYTES = chunks.PART_BYTES, part_bytes
    try:
        for name in order:
            remove(place(name, folder))
        write_dataset(split(data), place(order[0], folder), order[0])
        for name, following in pairwise(order):
            assert isinstance(recognise(place(name, folder)), REGISTRY[name])
            write_dataset(read(place(name, folder)), place(following, folder), following)
        for name in order:
            assert_same(load(place(name, folder)), data)
    finally:
        chunks.PART_BYTES = kept


CASES = given(arrays=valid(), part_bytes=st.sampled_from([1, 400, 2**24]), order=st.permutations(FORMATS))


@settings(max_examples=25, deadline=None)
@CASES
def test_through_every_format(folder: Path, arrays: dict[str, Any], part_bytes: int, order: list[str]) -> None:
    through_every_format(folder, arrays, part_bytes, order)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@CASES
def test_a_thousand_through_every_format(folder: Path, arrays: dict[str, Any], part_bytes: int,
                                         order: list[str]) -> None:
    through_every_format(folder, arrays, part_bytes, order)


@settings(max_examples=60, deadline=None)
@given(arrays=valid(), cut=st.integers(0, 4), part_bytes=st.sampled_from([1, 2**24]))
def test_merging_what_was_split(arrays: dict[str, Any], cut: int, part_bytes: int) -> None:
    data = OfflineDataset(**arrays)
    cut = cut % data.n_episodes
    pieces = [OfflineDataset(**{key: array[span] for key, array in data.arrays.items()}, meta=data.meta, first=0)
              for span in (slice(cut), slice(cut, None)) if len(data.filled[span])]
    kept, chunks.PART_BYTES = chunks.PART_BYTES, part_bytes
    try:
        merged = chunks.join(merge([lambda piece=piece: split(piece) for piece in pieces]), "data set")
    finally:
        chunks.PART_BYTES = kept
    assert merged.digest == data.digest


@settings(max_examples=60, deadline=None)
@given(arrays=valid(), other=st.lists(st.text(), min_size=1, max_size=3), more=st.integers(0, 3))
def test_merging_keeps_episodes_and_names(arrays: dict[str, Any], other: list[str], more: int) -> None:
    """The same arrays, recorded twice: with other names of behaviours and a longer horizon the second time."""
    one = OfflineDataset(**arrays)
    second = chunks.pad(OfflineDataset(**{**arrays, "behaviour": arrays["behaviour"].clip(-1, len(other) - 1),
                                          "meta": {**arrays["meta"], "behaviours": other}}),
                        one.episode_limit + more)
    merged = chunks.join(merge([lambda: split(one), lambda: split(second)]), "data set")
    assert merged.n_episodes == 2 * one.n_episodes and merged.episode_limit == second.episode_limit
    for half, data in ((slice(one.n_episodes), one), (slice(one.n_episodes, None), second)):
        names, own = (each.meta["behaviours"] for each in (merged, data))
        assert [names[k] for k in merged.behaviour[half] if k >= 0] == [own[k] for k in data.behaviour if k >= 0]
        np.testing.assert_array_equal(merged.returns[half], data.returns)
        np.testing.assert_array_equal(merged.state[half][merged.filled[half]], data.state[data.filled])
