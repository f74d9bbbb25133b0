"""An offline data set: padded episodes in EPyMARL's layout, with their provenance."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..utils.files import named_path, reason, write_with
from ..utils.progress import counting
from .archive import HEADER, check_archive
from .arrays import EpisodeArrays
from .validate import validate

FORMAT = 1
BLOCK = 2**24  # bytes copied at once for a digest
REMEDY = "copy it again, or delete it if a recipe makes it"


def digest_of(meta: dict[str, Any], arrays: Iterable[tuple[str, np.dtype[Any], tuple[int, ...], Iterable[Any]]]) -> str:
    """SHA-256 of a data set: of its provenance and its arrays, by name, type, shape and contents in blocks."""
    total = hashlib.sha256(json.dumps(meta, sort_keys=True).encode())
    for name, dtype, shape, blocks in arrays:
        total.update(f"{name}{dtype}{shape}".encode())
        for block in blocks:
            total.update(block)
    return total.hexdigest()


def _blocks(array: NDArray[Any]) -> Iterator[memoryview]:
    """The bytes of an array; only what does not lie in one piece is copied, a few episodes at a time."""
    if array.flags.c_contiguous:
        yield array.data
        return
    at_once = max(1, BLOCK // max(1, array[:1].nbytes))
    for start in range(0, len(array), at_once):
        yield np.ascontiguousarray(array[start: start + at_once]).data


@dataclass(frozen=True, eq=False)  # equality is that of the digests
class OfflineDataset(EpisodeArrays):
    """E episodes of at most T steps that are sound; the arrays are those of :class:`.arrays.EpisodeArrays`.

    Raises:
        UserError: the arrays contradict each other (see :mod:`epymarl_cpa.data.validate`).
    """

    def __post_init__(self) -> None:
        validate(self)

    def with_arrays(self, **arrays: Any) -> Self:
        """The same data with other arrays, as a game counts or names things; the digest stays that of what was read."""
        changed = replace(self, **arrays)
        changed.__dict__["digest"] = self.digest
        return changed

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all arrays and the provenance; where a game counts them in another way, of what was read."""
        return self.own_digest

    @cached_property
    def own_digest(self) -> str:
        """SHA-256 over all arrays as they are here, and the provenance: what a file of them is checked by."""
        return digest_of(self.meta, ((name, array.dtype, array.shape, _blocks(array))
                                     for name, array in self.arrays.items()))

    def check(self) -> None:
        """Reads all that has not been read yet; what is in memory is sound.

        Raises:
            UserError: something is damaged.
        """

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes one ``.npz`` file, all or nothing; the digest goes with it.

        Raises:
            UserError: it cannot be written.
        """
        place = named_path(path)
        try:
            self.write(place)
        except OSError as error:
            raise UserError(f"{place} cannot be written ({reason(error)}).") from None

    def write(self, path: Path) -> None:
        """As :meth:`save`, for who says more about a failure.

        Raises:
            OSError: it cannot be written.
        """
        meta = json.dumps({"format": FORMAT, "digest": self.own_digest, "meta": self.meta})
        with counting(f"writing {path.name}", unit=""):
            write_with(path, lambda file: np.savez_compressed(
                file, header=np.frombuffer(meta.encode(), dtype=np.uint8), **self.arrays))

    @classmethod
    def load(cls, path: Path, first: int | None = None) -> OfflineDataset:
        """Reads a file written by :meth:`save`.

        Args:
            path: the file.
            first: as the attribute; None where the file must be a data set by itself.

        Raises:
            UserError: the file is missing, truncated, altered, or not a data set.
        """
        try:
            check_archive(path)
            arrays: dict[str, Any] = {}
            with np.load(path, allow_pickle=False) as file, \
                    counting(f"reading {path.name}", len(file.files), "arrays") as progress:
                for name in file.files:
                    arrays[name] = file[name]
                    progress.at(len(arrays))
            header = json.loads(arrays.pop(HEADER).tobytes())
        except FileNotFoundError:
            raise UserError(f"there is no data set {path}.") from None
        except PermissionError:
            raise UserError(f"data set {path} may not be read; change its permissions.") from None
        except UserError as error:
            raise UserError(f"data set {str(error).rstrip('.')}; {REMEDY}.") from None
        except Exception as error:  # zipfile, zlib, NumPy and json raise some dozen kinds for damaged bytes
            kind = type(error).__name__
            raise UserError(f"data set {path} is damaged or not an .npz file ({kind}); {REMEDY}.") from None
        if not isinstance(header, dict) or not isinstance(header.get("meta"), dict):
            raise UserError(f"data set {path} was not written by this program: it has no header with its provenance.")
        if header.get("format") != FORMAT:
            raise UserError(f"data set {path} has format {header.get('format')!r}, but this program reads {FORMAT}.")
        data = cls(**arrays, meta=header["meta"], source=str(path), first=first)
        if data.digest != header.get("digest"):
            raise UserError(f"data set {path} was altered: its contents do not match its digest; {REMEDY}.")
        return data
