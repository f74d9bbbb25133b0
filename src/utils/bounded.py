"""Reading files of others with a bound on what they may cost: regular files only, and no more than they can hold.

A file of a few bytes may claim to hold any amount: compressed, or as numbers that were never written.  What is claimed
is compared with what is there before anything is unpacked.
"""

from __future__ import annotations

import math
import os
import re
import stat
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import UserError

if TYPE_CHECKING:
    import numpy as np

#: below so many bytes a file may claim anything
HARMLESS = 2**29
#: how many times its size a file may claim; deflate reaches a thousand (and so may data of ours: data/archive.py)
RATIO = 100
TEXT = 2**24  # bytes of a text that people write
NPY = re.compile(r"(.+)\.npy")


class NotRegular(UserError):
    """There is something else than a file: a pipe, a device, a folder."""


def is_there(path: Path) -> bool:
    """Whether there is a file or folder; a name that no file can have is that of none."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def size_of(path: Path) -> int:
    """Bytes in a regular file.

    Raises:
        NotRegular: it is none, and reading it might never end.
        OSError: it is not there, or may not be looked at.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise NotRegular(f"{path} cannot be read: it is no regular file.")
    return found.st_size


def read_bytes(path: Path, most: int = TEXT) -> bytes:
    """What is in a regular file of bounded size.

    Raises:
        UserError: it is no regular file, or larger.
        OSError: it cannot be read.
    """
    size = size_of(path)
    if size > most:
        raise UserError(f"{path} is larger than {most / 1e6:.0f} MB and is not read.")
    with open(path, "rb") as file:
        return file.read(size)


def read_text(path: Path, most: int = TEXT) -> str:
    """As :func:`read_bytes`, as UTF-8.

    Raises:
        UnicodeDecodeError: it is none.
    """
    return read_bytes(path, most).decode("utf-8")


def check_claim(source: str | Path, claimed: float, stored: int) -> None:
    """Refuses a file that claims to hold far more than it can.

    Args:
        source: what to call it.
        claimed: bytes that would be read.
        stored: bytes that it has.

    Raises:
        UserError: the one is far more than the other, or more than the memory of this machine.
    """
    if claimed > HARMLESS and claimed > RATIO * stored:
        raise UserError(f"{source} has {stored / 1e6:.3g} MB, but claims to hold {claimed / 1e6:.3g} MB; it is not "
                        "read, since recorded data never shrink so much.")


def check_memory(source: str | Path, claimed: float) -> None:
    """Refuses what would have to be in memory as a whole and is larger than it.

    Raises:
        UserError: as said.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if claimed > memory:
        raise UserError(f"{source} would take {claimed / 1e9:.3g} GB of memory; this machine has {memory / 1e9:.3g} "
                        "GB.")


class Entry(NamedTuple):
    """One array of an archive, as its header has it."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


def archive_entries(path: Path, is_known: Callable[[str], bool] = lambda name: True) -> Sequence[Entry]:
    """The arrays of an ``.npz`` file, whose headers agree with what the archive holds, read without unpacking them.

    Args:
        path: a regular file.
        is_known: which names may occur.

    Raises:
        UserError: an unknown name, Python objects, or far more than the file can hold.
        OSError, ValueError, zipfile.BadZipFile: it is damaged.
    """
    try:
        return _entries(path, is_known)
    except (NotImplementedError, RuntimeError) as error:  # another version, compression, or a password
        raise zipfile.BadZipFile(str(error)) from None


def _entries(path: Path, is_known: Callable[[str], bool]) -> Sequence[Entry]:
    size, found, claimed = size_of(path), list[Entry](), 0
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            match = NPY.fullmatch(member.filename)
            if match is None or not is_known(match[1]) or match[1] in {entry.name for entry in found}:
                raise UserError(f"{path} has the unknown key {member.filename.removesuffix('.npy')[:80]!r}")
            claimed += member.file_size
            check_claim(path, claimed, size)
            with archive.open(member) as file:
                import numpy as np  # here: what reads only texts does without

                version = np.lib.format.read_magic(file)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else \
                    np.lib.format.read_array_header_2_0
                shape, _, dtype = read(file)
                if dtype.hasobject or file.tell() + math.prod(shape) * dtype.itemsize != member.file_size:
                    raise ValueError(f"the header of {member.filename} does not fit its contents")
            found.append(Entry(match[1], dtype, shape))
    check_memory(path, claimed)
    return found
