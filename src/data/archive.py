"""What a file of recorded episodes claims to hold, compared with what it can hold before anything is unpacked.

Recorded episodes may be almost all padding, which deflate shrinks a thousandfold, so that no smaller bound tells damage
from data.
"""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..utils.bounded import HARMLESS, NPY, check_memory, size_of
from .arrays import ARRAYS, OPTIONAL, EpisodeArrays
from .validate import check_shapes

#: how many bytes one byte can stand for at most, by what deflate is
DEFLATE = 1032
HEADER = "header"  # the member of an archive that is no array of episodes


def check_deflated(source: str | Path, claimed: float, stored: int) -> None:
    """Refuses a file that claims to hold more than it can.

    Args:
        source: what to call it.
        claimed: bytes that would be read.
        stored: bytes that it has.

    Raises:
        UserError: no compression that we read makes so much of so little.
    """
    if claimed > HARMLESS and claimed > DEFLATE * stored:
        raise UserError(f"{source} has {stored / 1e6:.3g} MB, but claims to hold {claimed / 1e6:.3g} MB; it is not "
                        "read, since nothing shrinks so much.")


def check_archive(path: Path) -> None:
    """Compares what the headers of an ``.npz`` file of ours say with each other and with the file.

    :func:`..utils.bounded.archive_entries` goes through files in the same way, but with a bound for those of others,
    which decides what games can read: another bound there would make other rules of them, and old rows would not count.

    Raises:
        UserError: a key is unknown or missing, arrays do not go together, or they are more than the file, or the memory
            of this machine, can hold.
        Exception: it is damaged; NumPy and zipfile raise some dozen kinds.
    """
    stored, claimed, hollow = size_of(path), 0, dict[str, Any]()
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            match = NPY.fullmatch(member.filename)
            if match is None or match[1] not in (*ARRAYS, *OPTIONAL, HEADER) or match[1] in hollow:
                raise UserError(f"{path} has the unknown key {member.filename.removesuffix('.npy')[:80]!r}")
            claimed += member.file_size
            check_deflated(path, claimed, stored)
            with archive.open(member) as file:
                version = np.lib.format.read_magic(file)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else \
                    np.lib.format.read_array_header_2_0
                shape, _, dtype = read(file)
                if dtype.hasobject or file.tell() + math.prod(shape) * dtype.itemsize != member.file_size:
                    raise ValueError(f"the header of {member.filename} does not fit its contents")
            hollow[match[1]] = np.broadcast_to(np.zeros((), dtype), shape)
    check_memory(path, claimed)
    if HEADER not in hollow or hollow.pop(HEADER).nbytes > HARMLESS:
        raise UserError(f"{path} was not written by this program: it has no header with its provenance")
    for name in ARRAYS:
        if name not in hollow:
            raise UserError(f"{path} lacks the key '{name}'")
    check_shapes(EpisodeArrays(**hollow, meta={}, source=str(path)))
