"""A file for a library that does not survive a full disk."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class PatientFile(io.FileIO):
    """A file that takes all that is written to it, and says afterwards whether it could be kept.

    HDF5 tries to write again what it could not write before, whenever something is closed, and crashes over it.

    Attributes:
        error: the first that a write met; what came after it is not there.
    """

    error: OSError | None = None

    def write(self, data: Any, /) -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        try:
            while left and self.error is None:
                left = left[super().write(left):]
        except OSError as error:
            self.error = error
        return size

    def truncate(self, size: int | None = None, /) -> int:
        try:
            return super().truncate(size) if self.error is None else self.tell()
        except OSError as error:
            self.error = error
            return self.tell()

    def readinto(self, buffer: Any, /) -> int:
        place = memoryview(buffer).cast("B")
        count = super().readinto(place) or 0
        if self.error is not None:  # zeros for what is not there
            place[count:] = bytes(len(place) - count)
            count = len(place)
        return count

    def check(self) -> None:
        """Raises:
            OSError: not everything could be kept.
        """
        if self.error is not None:
            raise self.error


@contextmanager
def patient(path: Path, mode: str) -> Iterator[PatientFile]:
    """A :class:`PatientFile`, closed in the end.

    Raises:
        OSError: it cannot be opened, or not everything could be kept, whatever else that led to.
    """
    with PatientFile(path, mode) as file:
        try:
            yield file
        except Exception:
            file.check()
            raise
        file.check()
