"""Writing files so that a crash leaves the old file or the new one, never half of one."""

from __future__ import annotations

import argparse
import ctypes
import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from ..errors import UserError


def write_with(path: Path, write: Callable[[BinaryIO], object], named: bool = True) -> None:
    """Calls ``write`` on a temporary file beside ``path``, then puts it in place in one move.

    Args:
        path: of the file.
        write: is given the temporary file.
        named: whether to wait until the name is on the disk, too: without it, a crash of the machine (not of this
            process) may bring the old file back, never half of one.

    Raises:
        OSError: the folder cannot be written or the disk is full; ``path`` is then unchanged.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)  # it is gone if the interrupt came after the move
        raise
    if named:
        sync(path.parent)


def write_text(path: Path, text: str, named: bool = True) -> None:
    """Writes ``text`` as UTF-8, all or nothing (see :func:`write_with`)."""
    write_with(path, lambda file: file.write(text.encode()), named)


#: what the system's words for a failure mean to who reads them
PLAIN = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the quota of disk space is used up"}


def is_writable(text: str) -> bool:
    """Whether a file can hold the text: half a character, as of a pair in JSON, has no bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def reason(error: OSError) -> str:
    """Why a file could not be read or written, in a few words."""
    return PLAIN.get(error.errno or 0) or error.strerror or str(error) or type(error).__name__


class NoPath(UserError, argparse.ArgumentTypeError):
    """A path that is empty; where an option asks for one, the parser's own words say which."""


def named_path(text: str | os.PathLike[str], what: str = "the path") -> Path:
    """The path that somebody names; a shell leaves the ``~`` in ``--out=~/x`` as it is.

    Args:
        text: as it is written.
        what: what it is called in messages, such as the configuration key.

    Raises:
        NoPath: it is empty, as that of a variable which is not set: Python would take the present folder.
    """
    if not os.fspath(text):
        raise NoPath(f"{what} is empty, perhaps since a variable is not set; name a file or folder (the "
                     "present folder is .).")
    path = Path(text)
    try:
        return path.expanduser()
    except RuntimeError:  # nobody has such a home: a folder that is called so
        return path


def need_folder(folder: Path) -> None:
    """Makes a folder for results, and tries whether it can be written.

    Raises:
        UserError: it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"the results folder {folder} cannot be written ({reason(error)}); "
                        "choose another with local_results_path=<folder>.") from None


def sync(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk.

    Raises:
        OSError: they cannot be.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def swap(one: Path, other: Path) -> bool:
    """Exchanges the names of two files or folders in one move, so that a crash leaves both names in use.

    Returns:
        Whether it was done; only Linux can, and not on every kind of disk.
    """
    here, exchange = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux
    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    return bool(rename(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0)
