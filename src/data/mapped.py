"""A data set whose large arrays stay on the disk, where it may be larger than the memory."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..utils.progress import counting
from .array_file import ArrayFile
from .arrays import ARRAYS, OPTIONAL, EpisodeArrays, wanted
from .dataset import REMEDY, OfflineDataset, digest_of
from .manifest import SHA, Manifest
from .validate import LAYOUT, check_episodes, check_shapes, check_some_step, check_values

#: arrays that stay on the disk; the others take a few bytes a step
LARGE = ("state", "actions", "avail_actions", "obs", "agent_reward")
PLAYED = frozenset(("actions", "avail_actions"))  # checked together
FOLDER = "arrays"
AT_ONCE = 2**22  # flags checked at once


def array_path(folder: Path, key: str) -> Path:
    """Where an array of a folder is."""
    return folder / FOLDER / f"{key}.npy"


class MappedDataset(OfflineDataset):
    """A data set in a folder.  :meth:`take` and :meth:`part` read what is asked for.

    Small arrays are read and checked at once.  Large ones are checked chunk by chunk, before anything of a chunk is
    used for the first time: against their digests, and for everything that :mod:`.validate` asks of data.  Attributes
    such as ``state`` are arrays of the whole data that stay on the disk; whoever asks for one has it checked whole.

    Args:
        folder: where it is.
        manifest: what the folder said of itself when somebody looked before; by default what it says now.

    Attributes:
        folder: where it is.
        manifest: what the folder says of itself.

    Raises:
        UserError: a file is missing, damaged, or contradicts the manifest.
    """

    folder: Path
    manifest: Manifest

    def __init__(self, folder: Path, manifest: Manifest | None = None) -> None:
        manifest = Manifest.read(folder) if manifest is None else manifest
        if (folder / FOLDER).is_symlink():
            raise UserError(f"{folder / FOLDER} is a link, which is not followed; copy the arrays into the folder.")
        files = {key: ArrayFile(array_path(folder, key), np.dtype(LAYOUT[key][0]), (manifest.episodes, *shape), REMEDY)
                 for key, shape in manifest.shapes.items()}
        # as the frozen class that it is one of sets its attributes
        self.__dict__.update(folder=folder.absolute(), manifest=manifest, meta=manifest.meta, source=str(folder),
                             first=None, _files=files, _given={}, digest=manifest.whole,
                             _sound={key: np.zeros(manifest.chunks, np.bool_) for key in files})
        small = {key: self._checked_whole(key) for key in files if key not in LARGE}
        self.__dict__.update(small)
        self._check_small()

    _files: dict[str, ArrayFile]
    _given: dict[str, NDArray[Any]]  # instead of what the files hold
    _sound: dict[str, NDArray[np.bool_]]  # which chunks have been checked

    if not TYPE_CHECKING:  # attributes of the data class, each of them read when somebody asks for it
        state = cached_property(lambda self: self._whole("state"))
        actions = cached_property(lambda self: self._whole("actions"))
        avail_actions = cached_property(lambda self: self._whole("avail_actions"))
        obs = cached_property(lambda self: self._whole("obs"))
        agent_reward = cached_property(lambda self: self._whole("agent_reward"))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.source}, {self.n_episodes} episodes)"

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies, here and in other processes, open the folder anew, and check again what they read."""
        return _reopened, (self.folder, self.manifest, {**self._given, "source": self.source})

    def _check_small(self) -> None:
        at_once = max(1, AT_ONCE // self.filled.shape[1])
        for start in range(0, self.n_episodes, at_once):
            span = slice(start, min(start + at_once, self.n_episodes))
            arrays = {key: self._hollow(key, span) if key in LARGE else self.__dict__[key][span] for key in self.keys}
            check_episodes(EpisodeArrays(**arrays, meta=self.meta, source=self.source, first=start))
        check_some_step(self)

    @property
    def keys(self) -> list[str]:
        """Names of the arrays that are there."""
        return [key for key in (*ARRAYS, *OPTIONAL) if key in self._files]

    @property
    def episode_bytes(self) -> int:
        return self.manifest.nbytes // self.n_episodes

    def shape(self, key: str) -> tuple[int, ...] | None:
        given = self._given.get(key)
        return tuple(given.shape) if given is not None else self._files[key].shape if key in self._files else None

    def with_arrays(self, **arrays: Any) -> Self:
        """As of any data set; these arrays are in memory.  Large ones are checked as those on the disk are."""
        changed = type(self).__new__(type(self))
        changed.__dict__.update({key: value for key, value in self.__dict__.items()
                                 if key not in ("steps", "returns", *LARGE)})
        given = {**self._given, **arrays}
        anew = {*arrays, *(() if PLAYED.isdisjoint(arrays) else PLAYED)}
        changed.__dict__.update(given, _given=given,
                                _sound={key: sound & (key not in anew) for key, sound in self._sound.items()})
        hollow: dict[str, Any] = {key: changed._hollow(key, slice(0, self.n_episodes)) for key in self.keys}
        check_shapes(EpisodeArrays(**hollow, meta=changed.meta, source=changed.source))
        if not anew.isdisjoint(LAYOUT.keys() - {*LARGE}):
            changed._check_small()
        return changed

    def column(self, key: str, span: slice) -> NDArray[Any]:
        if key not in LARGE:
            return np.asarray(self.__dict__[key][span])
        start, stop, _ = span.indices(self.n_episodes)
        self._check(range(start // self.manifest.chunk, -(-stop // self.manifest.chunk)), (key,))
        given = self._given.get(key)
        return self._files[key].read(start, stop) if given is None else np.asarray(given[start:stop])

    def part(self, span: slice, keys: Collection[str] | None = None) -> EpisodeArrays:
        start, stop, _ = span.indices(self.n_episodes)
        arrays = {key: self.column(key, slice(start, stop)) for key in self.keys if wanted(key, keys)}
        return EpisodeArrays(**arrays, meta=self.meta, source=self.source, first=start)

    def take(self, rows: NDArray[np.int64], keys: Collection[str] | None = None,
             length: int | None = None) -> EpisodeArrays:
        rows, arrays = np.asarray(rows), dict[str, Any]()
        self._check(np.unique(rows // self.manifest.chunk).tolist(), [key for key in LARGE if wanted(key, keys)])
        for key in (key for key in self.keys if wanted(key, keys)):
            if key in LARGE and key not in self._given:
                arrays[key] = self._files[key].take(rows, length)
            else:
                arrays[key] = self.__dict__[key][rows] if key == "behaviour" else self.__dict__[key][rows, :length]
        return EpisodeArrays(**arrays, meta=self.meta, source=self.source)

    def check(self) -> None:
        self._check(range(self.manifest.chunks), LARGE)
        found = digest_of(self.meta, ((key, self._files[key].dtype, self._files[key].shape, self._files[key].blocks())
                                      for key in self.keys))
        if found != self.manifest.whole:
            raise UserError(f"data set {self.source} was altered: its contents do not match its digest; {REMEDY}.")

    def end_of(self, key: str) -> int:
        """Where in its file the episodes of an array end."""
        return self._files[key].end

    def _check(self, chunks: Sequence[int], keys: Collection[str]) -> None:
        """Checks what of some chunks has not been checked before; only the first use of a chunk costs anything."""
        keys = [key for key in self.keys if key in keys or (key in PLAYED and not PLAYED.isdisjoint(keys))]
        keys = [key for key in keys if key in LARGE]
        left = [chunk for chunk in chunks if not all(self._sound[key][chunk] for key in keys)]
        with counting(f"checking {Path(self.source).name}", len(left), "chunks") as counter:
            for done, chunk in enumerate(left):
                span, found = self.manifest.span(chunk), [key for key in keys if not self._sound[key][chunk]]
                arrays = {key: self._hollow(key, span) if key in LARGE and key not in found
                          else self._sealed(key, chunk) if key in LARGE and key not in self._given
                          else self.__dict__[key][span] for key in self.keys}
                check_values(EpisodeArrays(**arrays, meta=self.meta, source=self.source, first=span.start), found)
                for key in found:
                    self._sound[key][chunk] = True
                counter.at(done + 1)

    def _hollow(self, key: str, span: slice) -> NDArray[Any]:
        """Zeros in place of what is not read, which take no memory."""
        like = self._given.get(key, self._files[key])
        return np.broadcast_to(np.zeros((), like.dtype), (span.stop - span.start, *like.shape[1:]))

    def _whole(self, key: str) -> NDArray[Any] | None:
        """An array of all episodes on the disk, after all of it was checked."""
        if key not in self._files:
            return None
        self._check(range(self.manifest.chunks), (key,))
        return self._files[key].mapped()

    def _checked_whole(self, key: str) -> NDArray[Any]:
        """A small array, read and compared with its digests."""
        return np.concatenate([self._sealed(key, chunk) for chunk in range(self.manifest.chunks)])

    def _sealed(self, key: str, chunk: int) -> NDArray[Any]:
        """A chunk as its digest has it."""
        span = self.manifest.span(chunk)
        found = self._files[key].read(span.start, span.stop)
        if hashlib.sha256(found.data).digest() != self.manifest.sha256[key][chunk * SHA: (chunk + 1) * SHA]:
            raise UserError(f"{self._files[key].path} was altered: what it holds of the episodes {span.start} to "
                            f"{span.stop - 1} does not match its digest; {REMEDY}.")
        if found.dtype == np.bool_ and (found.view(np.uint8) > 1).any():
            raise UserError(f"{self._files[key].path}: a value is neither 0 nor 1 in the episodes {span.start} to "
                            f"{span.stop - 1}.")
        return found


def _reopened(folder: Path, manifest: Manifest, given: dict[str, Any]) -> MappedDataset:
    """A copy: the same episodes of the same folder, with what was given instead of its arrays."""
    return MappedDataset(folder, manifest).with_arrays(**given)
