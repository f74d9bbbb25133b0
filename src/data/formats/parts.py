"""Our own folders: numbered ``.npz`` files of some episodes each, to which a recording can be streamed.

A folder holds ``part-00000.npz``, ``part-00001.npz`` and so on, each like our single files, with the
same provenance.  A finished folder has a header as well, ``epymarl_cpa.json``; a recording that was
interrupted has none, and what it holds so far can be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ...errors import UserError
from ...utils.bounded import read_bytes
from ...utils.files import reason
from ..dataset import REMEDY, OfflineDataset
from ..seal import NAME, Header, Seal, checked, sealing
from .base import REGISTRY, Format

PART = re.compile(r"part-(\d{5,})\.npz")
HEADER = f"{NAME}.json"


def part_file(folder: Path, number: int) -> Path:
    """Where the part of this number belongs."""
    return folder / f"part-{number:05d}.npz"


def read_header(path: Path) -> Header | None:
    """The header in a folder of ours, or None where there is none.

    Raises:
        UserError: it is damaged.
    """
    file = path / HEADER
    try:
        return Header.parse(read_bytes(file), str(file))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"{file} cannot be read ({reason(error)}).") from None


@REGISTRY.register("parts")
class Parts(Format):
    """Each part is read and written by itself."""

    title = "a folder of our part-00000.npz, part-00001.npz, ..."
    folder = True

    def recognises(self, path: Path) -> bool:
        return path.is_dir() and any(PART.fullmatch(file.name) for file in path.iterdir())

    def read(self, path: Path) -> Iterator[OfflineDataset]:
        header = read_header(path)
        parts = self._each(path)
        yield from parts if header is None else checked(parts, header, str(path))

    def _each(self, path: Path) -> Iterator[OfflineDataset]:
        numbers = sorted(int(found[1]) for file in path.iterdir() if (found := PART.fullmatch(file.name)))
        if not numbers:
            raise UserError(f"{path} holds no {part_file(path, 0).name}.")
        for expected, number in enumerate(numbers):
            if number != expected:
                raise UserError(f"{path}: {part_file(path, expected).name} is missing; {REMEDY}.")
        # Messages name the file of a part and count episodes within it.
        yield from sealing((OfflineDataset.load(part_file(path, number), first=0) for number in numbers), Seal())

    def write(self, parts: Iterator[OfflineDataset], path: Path) -> None:
        path.mkdir()
        seal = Seal()
        for number, part in enumerate(sealing(parts, seal)):
            part.write(part_file(path, number))
        (path / HEADER).write_text(seal.header().text(), encoding="ascii")
