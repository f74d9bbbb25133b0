"""HDF5 files, with every error of the library told as a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...utils.bounded import check_memory, size_of
from ..archive import check_deflated
from ..dataset import REMEDY
from .base import optional
from .columns import Array
from .patient_file import PatientFile, patient

MAGIC = b"\x89HDF\r\n\x1a\n"
WHAT = "HDF5 files"
CHUNK_BYTES = 2**20  # of an array, compressed at once
LIBVER = ("v110", "v110")  # its metadata have checksums, which reveal damage before it does harm


@contextmanager
def opened(path: Path, what: str = WHAT, extra: str = "hdf5") -> Iterator[Any]:
    """An ``h5py.File`` to read.

    Args:
        path: the file.
        what, extra: what needs h5py; see :func:`.base.optional`.

    Raises:
        UserError: h5py is missing, or the file cannot be opened.
    """
    h5py = optional("h5py", what, extra)
    try:
        size_of(path)
        file = h5py.File(path, "r")
    except FileNotFoundError:
        raise UserError(f"there is no file {path}.") from None
    except PermissionError:
        raise UserError(f"{path} may not be opened; change its permissions.") from None
    except UserError:
        raise
    except Exception as error:  # the library has many kinds for damaged files
        raise UserError(f"{path} is damaged or not an HDF5 file ({type(error).__name__}); {REMEDY}.") from None
    with file:
        yield file


@contextmanager
def created(path: Path, what: str = WHAT, extra: str = "hdf5") -> Iterator[tuple[Any, PatientFile]]:
    """A new ``h5py.File``, and what it writes to, which is asked now and then whether it could.

    Raises:
        UserError: h5py is missing.
        OSError: the file is there already, or the disk is full.
    """
    h5py = optional("h5py", what, extra)
    with patient(path, "x+") as target, h5py.File(target, "w", libver=LIBVER) as file:
        yield file, target


def arrays(file: Any, path: Path) -> dict[str, Any]:
    """The data sets at the top of a file, by name; what is linked from elsewhere is refused.

    Raises:
        UserError: the file is damaged or has a link to another file.
    """
    h5py = optional("h5py", WHAT, "hdf5")
    found, claimed = {}, 0
    try:
        for key in file:
            if not isinstance(file.get(key, getlink=True), h5py.HardLink):
                raise UserError(f"{path}: key '{key}' is a link, which is not followed; copy the data into the file.")
            item = file[key]
            if isinstance(item, h5py.Dataset):
                if item.external or item.is_virtual:
                    raise UserError(f"{path}: key '{key}' is kept in another file, which is not followed; "
                                    "copy the data into the file.")
                if item.dtype.kind in "fiub":  # what else there is is refused where it is asked for
                    step = math.prod(item.chunks or (0,)) * item.dtype.itemsize
                    claimed = max(claimed + math.prod(item.shape) * item.dtype.itemsize, step)
                    check_memory(f"{path}: a chunk of key '{key}'", step)
                found[key] = item
        check_deflated(path, claimed, size_of(path))
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{path} is damaged ({type(error).__name__}); {REMEDY}.") from None
    return found


def refuse_links(file: Any, path: Path) -> None:
    """Refuses a file in which anything, at any depth, is kept in another file or linked from elsewhere.

    Raises:
        UserError: naming it.
    """
    h5py, seen = optional("h5py", WHAT, "hdf5"), set[int]()
    waiting = [file]
    while waiting:
        group = waiting.pop()
        for key in group:
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise UserError(f"{path}: '{group.name}/{key}' is a link, which is not followed.")
            item = group[key]
            if isinstance(item, h5py.Group) and (place := h5py.h5o.get_info(item.id).addr) not in seen:
                seen.add(place)
                waiting.append(item)
            elif isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
                raise UserError(f"{path}: '{group.name}/{key}' is kept in another file, which is not followed.")


def append(file: Any, key: str, rows: Array) -> None:
    """Adds rows to an array of a file, which is made if it is not there."""
    if key not in file:
        size = max(1, CHUNK_BYTES // max(1, rows.itemsize * int(rows[:1].size)))
        file.create_dataset(key, shape=(0, *rows.shape[1:]), maxshape=(None, *rows.shape[1:]), dtype=rows.dtype,
                            chunks=(min(size, max(1, len(rows))), *rows.shape[1:]), compression="gzip",
                            compression_opts=4, fletcher32=True)
    array = file[key]
    start = array.shape[0]
    array.resize(start + len(rows), axis=0)
    array[start:] = rows
