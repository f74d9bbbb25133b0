"""Our own folders of plain ``.npy`` files that stay on the disk: for data that are larger than the memory.

``arrays/<key>.npy`` holds each array of :mod:`..arrays` for all episodes, as ``np.load(..., mmap_mode="r")`` reads it,
too.  ``epymarl_cpa_mapped.json``, the manifest, has the number of episodes, the provenance and a digest for each array
of every few episodes, so that what is read can be checked without the rest.  More episodes are appended to the arrays;
the manifest, replaced in one move, makes them count.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ...utils.files import reason, sync
from ..array_file import ArrayFile
from ..chunks import split
from ..dataset import REMEDY, OfflineDataset, digest_of
from ..manifest import NAME, Manifest
from ..mapped import FOLDER, MappedDataset, array_path
from ..merge import adding
from ..seal import Alike
from ..validate import LAYOUT
from .base import REGISTRY, Format
from .growing import GrowingArray

CHUNK_BYTES = 2**21  # of episodes that have digests of their own: read as a whole when one of them is read first
IN_MEMORY = 2**28  # bytes up to which data are loaded whole


@REGISTRY.register("mapped")
class Mapped(Format):
    """Read in part, and appended to."""

    title = "a folder of ours whose arrays stay on the disk"
    suffixes = (".mapped",)
    folder = True

    def recognises(self, path: Path) -> bool:
        return path.is_dir() and (path / NAME).exists()

    def read(self, path: Path) -> Iterator[OfflineDataset]:
        yield from split(MappedDataset(path))

    def load(self, path: Path) -> OfflineDataset:
        data = MappedDataset(path)
        if data.manifest.nbytes > IN_MEMORY:
            return data
        return OfflineDataset(**data.part(slice(data.n_episodes)).arrays, meta=data.meta, source=str(path))

    def write(self, parts: Iterator[OfflineDataset], path: Path) -> None:
        path.mkdir()
        (path / FOLDER).mkdir()
        _extend(path, parts, None).write(path)


def append(parts: Iterable[OfflineDataset], path: Path) -> Manifest:
    """Adds episodes to a folder, all or none; provenances are joined as by :func:`..merge.merge`.

    Returns:
        What the folder says of itself then.

    Raises:
        UserError: the folder is damaged or cannot be written, or the episodes do not belong to those that are there.
    """
    if not (path / NAME).is_file():
        raise UserError(f"{path} is no folder that data can be added to, such as 'convert' writes by the name "
                        "x.mapped.")
    try:
        with _alone(path):
            data = MappedDataset(path)  # here: what another process has added by now is there, too
            manifest = _extend(path, adding(data, parts), data)
            manifest.write(path)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({reason(error)}).") from None
    return manifest


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """While no other process appends."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"another process is adding to {path}; wait for it, or stop one of the two.") from None
        yield
    finally:
        os.close(handle)


class _Digests:
    """The digests of the chunks of an array that passes by.

    Args:
        chunk: episodes in each.
        done: digests of the chunks that are complete.
    """

    def __init__(self, chunk: int, done: bytes = b"") -> None:
        self._chunk, self._done, self._total, self._in = chunk, [done], hashlib.sha256(), 0

    def add(self, array: NDArray[Any]) -> None:
        start = 0
        while start < len(array):
            piece = array[start: start + self._chunk - self._in]
            self._total.update(np.ascontiguousarray(piece).data)
            start, self._in = start + len(piece), self._in + len(piece)
            if self._in == self._chunk:
                self._done.append(self._total.digest())
                self._total, self._in = hashlib.sha256(), 0

    def all(self) -> bytes:
        """Of all that has passed."""
        return b"".join(self._done) + (self._total.digest() if self._in else b"")


def _extend(path: Path, parts: Iterable[OfflineDataset], old: MappedDataset | None) -> Manifest:
    """Writes episodes behind those that are there, and returns the manifest that makes them count."""
    before = None if old is None else old.manifest
    episodes, chunk, meta = (0, 0, {}) if before is None else (before.episodes, before.chunk, before.meta)
    files: dict[str, GrowingArray] = {}
    digests: dict[str, _Digests] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    alike = Alike()
    with ExitStack() as stack:
        handles = []
        for part in parts:
            alike.add(part)
            if not files:
                chunk, meta = chunk or max(1, CHUNK_BYTES // part.episode_bytes), part.meta
                shapes = {key: array.shape[1:] for key, array in part.arrays.items()}
                for key, array in part.arrays.items():
                    handles.append(handle := stack.enter_context(_opened(array_path(path, key), old is not None)))
                    files[key] = GrowingArray(handle, array, episodes)
                    digests[key] = _Digests(chunk)
                    if old is not None:
                        digests[key] = _resumed(old, key, handle)
            for key, array in part.arrays.items():
                files[key].append(array)
                digests[key].add(array)
            episodes += part.n_episodes
        for file in files.values():
            file.finish()
        for handle in handles:
            handle.flush()
            os.fsync(handle.fileno())
    sync(path / FOLDER)
    return Manifest(episodes, chunk, meta, shapes, {key: each.all() for key, each in digests.items()},
                    _whole(path, meta, shapes, episodes))


def _opened(file: Path, there: bool) -> Any:
    """An array's file, to be made or to be written behind its end; no link is followed."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | (0 if there else os.O_CREAT | os.O_EXCL)
    return open(os.open(file, flags, 0o644), "r+b" if there else "w+b")


def _resumed(old: MappedDataset, key: str, handle: Any) -> _Digests:
    """Goes to the end of an array, cuts off what an append left that did not come to its end, and goes on digesting."""
    manifest = old.manifest
    end, last = old.end_of(key), manifest.episodes // manifest.chunk
    handle.seek(end)
    handle.truncate()
    digests = _Digests(manifest.chunk, manifest.sha256[key][: last * hashlib.sha256().digest_size])
    if last * manifest.chunk < manifest.episodes:
        digests.add(old.part(slice(last * manifest.chunk, manifest.episodes)).arrays[key])
    return digests


def _whole(path: Path, meta: dict[str, Any], shapes: dict[str, tuple[int, ...]], episodes: int) -> str:
    """The digest of all that is on the disk, read array by array."""
    files = {key: ArrayFile(array_path(path, key), np.dtype(LAYOUT[key][0]), (episodes, *shape), REMEDY)
             for key, shape in shapes.items()}
    return digest_of(meta, ((key, file.dtype, file.shape, file.blocks()) for key, file in files.items()))
