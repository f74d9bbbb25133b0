"""An ``.npy`` file of episodes, of which any are read without the others."""

from __future__ import annotations

import math
import mmap
import os
import stat
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError, one_line
from ..utils.files import reason

#: as the file is opened: no link is followed, and no pipe waited for
FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
AT_ONCE = 2**24  # bytes read at once where all is read


class ArrayFile:
    """An open ``.npy`` file, whose header was compared with what it is to hold before anything else is read.

    Rows are read by position and not through a mapping: a mapped file that shrinks ends the process, one that is read
    gives an error, and what was read does not count as this process's memory.

    Args:
        path: a regular file, not a link.
        dtype: type of its values.
        shape: what is used of it, ``[E, ...]``; it may hold more rows, those of an append that was cut off.
        remedy: what to do about damage, the end of a sentence.

    Attributes:
        dtype, shape: the arguments.

    Raises:
        UserError: it is missing, no regular file, or holds something else.
    """

    def __init__(self, path: Path, dtype: np.dtype[Any], shape: tuple[int, ...], remedy: str) -> None:
        self.path, self.dtype, self.shape, self.remedy = path, dtype, shape, remedy
        try:
            self._handle = os.open(path, FLAGS)
        except FileNotFoundError:
            raise UserError(f"{path} is missing; {remedy}.") from None
        except OSError as error:
            raise UserError(f"{path} cannot be read ({reason(error)}); it must be a file, not a link.") from None
        weakref.finalize(self, os.close, self._handle)
        found = os.fstat(self._handle)
        if not stat.S_ISREG(found.st_mode):
            raise UserError(f"{path} cannot be read: it is no regular file.")
        self._begin = self._header()
        self.row_bytes = math.prod(shape[1:]) * dtype.itemsize
        if found.st_size < self.end:
            raise self._short()

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies, here and in other processes, open the file anew: the number of its descriptor is soon another's."""
        return type(self), (self.path.absolute(), self.dtype, self.shape, self.remedy)

    def _header(self) -> int:
        """Compares the header; returns where the rows begin."""
        try:
            with open(os.dup(self._handle), "rb") as file:
                file.seek(0)
                version = np.lib.format.read_magic(file)
                if version != (1, 0):
                    raise ValueError(f"version {version} of the format")
                shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
                begin = file.tell()
        except Exception as error:  # NumPy raises various kinds for damaged headers
            raise UserError(f"{self.path} is truncated, or is no .npy file ({one_line(error)}); "
                            f"{self.remedy}.") from None
        if fortran or dtype != self.dtype or shape[1:] != self.shape[1:] or shape[0] < self.shape[0]:
            raise UserError(f"{self.path} has the header of an array {dtype} {shape}, but the manifest tells of "
                            f"{self.dtype} {self.shape}; {self.remedy}.")
        return begin

    def read_into(self, place: NDArray[Any], row: int) -> None:
        """Fills an array that lies in one piece with what begins at a row.

        Raises:
            UserError: the file ends, or cannot be read.
        """
        view, at = place.data.cast("B"), self._begin + row * self.row_bytes
        try:
            while view:
                count = os.preadv(self._handle, [view], at)
                if not count:
                    raise self._short()
                view, at = view[count:], at + count
        except OSError as error:
            raise UserError(f"{self.path} cannot be read ({reason(error)}).") from None

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Rows that follow one another; errors as of :meth:`read_into`."""
        found = np.empty((stop - start, *self.shape[1:]), self.dtype)
        self.read_into(found, start)
        return found

    def blocks(self) -> Iterator[NDArray[Any]]:
        """All rows in order, some at a time; errors as of :meth:`read_into`."""
        at_once = max(1, AT_ONCE // max(1, self.row_bytes))
        for start in range(0, self.shape[0], at_once):
            yield self.read(start, min(start + at_once, self.shape[0]))

    def take(self, rows: NDArray[np.int64], length: int | None = None) -> NDArray[Any]:
        """Any rows, of each the first ``length`` entries; errors as of :meth:`read_into`."""
        entries = self.shape[1] if length is None else min(length, self.shape[1])
        found = np.empty((len(rows), entries, *self.shape[2:]), self.dtype)
        for place, row in zip(found, rows.tolist(), strict=True):
            self.read_into(place, row)
        return found

    @property
    def end(self) -> int:
        """Where in the file the rows end."""
        return self._begin + self.shape[0] * self.row_bytes

    def mapped(self) -> NDArray[Any]:
        """All rows as an array that stays on the disk."""
        whole = mmap.mmap(self._handle, self.end, access=mmap.ACCESS_READ)
        return np.frombuffer(whole, self.dtype, offset=self._begin).reshape(self.shape)

    def _short(self) -> UserError:
        return UserError(f"{self.path} is truncated: it holds less than {self.shape[0]} episodes; {self.remedy}.")
