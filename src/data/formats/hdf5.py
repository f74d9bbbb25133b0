"""HDF5 files in offpymarl's layout: one array for each key of PyMARL's episode batch.

offpymarl reads folders of ``part_0.h5``, ``part_1.h5``, ...; we read and write those as well as single
files.  Arrays ``behaviour`` and ``agent_reward`` and the attribute ``epymarl_cpa`` (the header) are
ours.  Where every agent sees the state, ``obs``, which offpymarl needs, repeats it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError
from ..dataset import OfflineDataset
from ..seal import NAME, Header, Seal, sealing
from .base import REGISTRY, Format, metadata, starts_with
from .columns import NEEDED, OURS, POSSIBLE, Columns, own, to_columns
from .foreign import foreign
from .h5 import MAGIC, append, arrays, created, opened


@REGISTRY.register("hdf5")
class Hdf5(Format):
    """Read and written in slices of the episode axis."""

    title = "HDF5 in offpymarl's layout (a file, or a folder of them)"
    suffixes = (".h5", ".hdf5")
    file = folder = True

    def recognises(self, path: Path) -> bool:
        if path.is_dir():
            return bool(_files(path)) and not metadata(path)  # Minari's folders hold such files, too
        return starts_with(path, MAGIC)

    def read(self, path: Path) -> Iterator[OfflineDataset]:
        files = _files(path) if path.is_dir() else [path]
        if not files:
            raise UserError(f"{path} holds no .h5 files.")
        with ExitStack() as stack:
            opens = [(file, stack.enter_context(opened(file))) for file in files]
            headers = [_header(file, handle) for file, handle in opens]
            columns = [_columns(file, handle) for file, handle in opens]
            if any(headers):
                if len(files) > 1:
                    raise UserError(f"{path} holds several files, and some of ours among them; "
                                    "join such data with 'merge'.")
                assert headers[0] is not None
                yield from own(columns[0], headers[0])
            else:
                _alike(columns)
                yield from foreign(columns, {"format": "offpymarl"})

    def write(self, parts: Iterator[OfflineDataset], path: Path) -> None:
        file = path
        if path.suffix.lower() not in self.suffixes:
            path.mkdir()
            file = path / "part_0.h5"
        seal = Seal()
        with created(file) as (handle, target):
            for part in sealing(parts, seal):
                target.check()
                for key, array in to_columns(part).items():
                    append(handle, key, array)
                if part.obs is None:
                    append(handle, "obs", np.repeat(part.state[:, :, None], part.actions.shape[2], axis=2))
            # Of fixed length: other texts lie where HDF5 has no checksum, and damage there can hang the library.
            handle.attrs[NAME] = np.bytes_(seal.header().text())


def _files(folder: Path) -> list[Path]:
    """Its HDF5 files, part_10 after part_9."""
    found = (file for file in folder.iterdir() if file.suffix.lower() in Hdf5.suffixes)
    return sorted(found, key=lambda file: [int(word) if word.isdigit() else word
                                           for word in re.split(r"(\d+)", file.name)])


def _header(file: Path, handle: Any) -> Header | None:
    try:
        text = handle.attrs.get(NAME)
    except Exception as error:  # the library has many kinds for damaged files
        raise UserError(f"{file}: the header '{NAME}' is damaged ({type(error).__name__}).") from None
    if text is None:
        return None
    return Header.parse(text if isinstance(text, (str, bytes)) else "", str(file))


def _columns(file: Path, handle: Any) -> Columns:
    found = arrays(handle, file)
    for key in NEEDED:
        if key not in found:
            raise UserError(f"{file} lacks the key '{key}', which offpymarl's layout needs; "
                            f"it holds {', '.join(sorted(found)) or 'nothing'}.")
    kept = {key: array for key, array in found.items() if key in (*NEEDED, *POSSIBLE, *OURS)}
    return Columns(str(file), kept, lambda key: f"key '{key}'", individual=True)


def _alike(files: list[Columns]) -> None:
    for columns in files:
        columns.check()
        for key in (*NEEDED, *POSSIBLE):
            first, here = (tuple(each.arrays[key].shape[1:]) if key in each.arrays else None
                           for each in (files[0], columns))
            if first != here:
                raise UserError(f"{columns.source}: key '{key}' has shape {here} in each episode, but {first} in "
                                f"{files[0].source}; join such data with 'merge'.")
