"""Folders that stay on the disk: random data come back in any part, in any order; random damage is refused or harmless.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_dataset_files import valid

from epymarl_cpa.data import OfflineDataset
from epymarl_cpa.data.chunks import split
from epymarl_cpa.data.formats import mapped as form
from epymarl_cpa.data.formats.mapped import Mapped, append
from epymarl_cpa.data.mapped import MappedDataset
from epymarl_cpa.errors import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mapped")


@pytest.fixture(scope="module", autouse=True)
def no_waiting() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("epymarl_cpa.utils.files.os.fsync", lambda handle: None)
        yield


def written(data: OfflineDataset, path: Path, chunk: int) -> None:
    shutil.rmtree(path, ignore_errors=True)
    kept, form.CHUNK_BYTES = form.CHUNK_BYTES, chunk
    try:
        Mapped().write(split(data), path)
    finally:
        form.CHUNK_BYTES = kept


def same(found: Any, wanted: OfflineDataset, rows: Any) -> bool:
    return all(getattr(found, key).tobytes() == array[rows].tobytes() for key, array in wanted.arrays.items())


@settings(max_examples=30, deadline=None)
@given(arrays=valid(), chunk=st.sampled_from([1, 300, 2**20]), picks=st.lists(st.integers(0, 10**6), min_size=1),
       times=st.integers(1, 3))
def test_round_trip(folder: Path, arrays: dict[str, Any], chunk: int, picks: list[int], times: int) -> None:
    """Also after the same was appended some times."""
    data, path = OfflineDataset(**arrays), folder / "round.mapped"
    written(data, path, chunk)
    for _ in range(times - 1):
        append(split(data), path)
    found, rows = MappedDataset(path), np.array(picks) % (times * data.n_episodes)
    assert found.n_episodes == times * data.n_episodes and found.meta == data.meta
    assert same(found.take(rows), data, rows % data.n_episodes)
    assert times > 1 or (found.digest == data.digest and same(found, data, slice(None)))
    found.check()


@pytest.fixture(scope="module")
def whole(folder: Path) -> OfflineDataset:
    rng, lead = np.random.default_rng(0), (4, 4)
    data = OfflineDataset(rng.normal(size=(*lead, 2)).astype(np.float32), rng.integers(3, size=(*lead, 2)),
                          np.ones((*lead, 2, 3), np.bool_), rng.normal(size=lead).astype(np.float32),
                          np.tile(np.arange(4) == 2, (4, 1)), np.ones(lead, np.bool_), np.full(4, -1), {"seed": 0},
                          obs=rng.normal(size=(*lead, 2, 2)).astype(np.float32))
    written(data, folder / "whole.mapped", 400)
    return data


@settings(max_examples=80, deadline=None)
@given(pick=st.integers(0, 100), cut=st.booleans(), rows=st.lists(st.integers(0, 3), min_size=1, max_size=4),
       flips=st.lists(st.tuples(st.integers(0, 2**20), st.integers(1, 255)), min_size=1, max_size=3))
def test_damage(folder: Path, whole: OfflineDataset, pick: int, cut: bool, rows: list[int],
                flips: list[tuple[int, int]]) -> None:
    path = folder / "damaged.mapped"
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(folder / "whole.mapped", path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    file = files[pick % len(files)]
    content = bytearray(file.read_bytes())
    for place, change in flips:
        content[place % len(content)] ^= change
    file.write_bytes(content[: flips[0][0] % len(content)] if cut else content)
    try:
        assert same(MappedDataset(path).take(np.array(rows)), whole, np.array(rows))
    except UserError as error:
        assert str(path) in str(error) and "\n" not in str(error) and str(error).endswith(".")
    else:
        assert not cut
