"""Writing data sets so that a crash leaves the old data or the new, and that what was written reads back the same."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import UserError
from ..utils.files import reason, swap, sync
from .chunks import some
from .dataset import OfflineDataset
from .formats import REGISTRY, Format, recognise
from .seal import Header, Seal, sealing


class Stored(NamedTuple):
    """What was written: its number of ``episodes`` and of complete ``steps``, and the name of its ``format``."""

    episodes: int
    steps: int
    format: str


def write_dataset(parts: Iterator[OfflineDataset], path: Path, name: str | None = None, force: bool = False) -> Stored:
    """Writes a data set, reads it back, and only then puts it in place.

    Args:
        parts: the data set; at most a few parts are in memory at once, where the format allows it.
        path: file or folder to write; its folder must exist.
        name: format; by default told by the name of ``path``.
        force: whether data that are there already may be replaced.

    Raises:
        UserError: the path is taken, does not suit the format, or cannot be written; there is nothing to
            learn from; or whatever reading ``parts`` raises.  What was there is then unchanged.
    """
    target = _target(path, name, force)
    place = Path(os.path.realpath(path))
    try:
        work = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}."))
        try:
            seal, steps = Seal(), [0]
            target.write(_counted(sealing(some(parts, str(path)), seal), steps), work / place.name)
            if not steps[0]:
                raise UserError(f"{path}: no episode has a complete step, so there is nothing to learn from.")
            _verify(target, work / place.name, seal.header(), path)
            _sync_all(work / place.name)
            _put(work / place.name, place, work / "replaced")
        finally:
            if place.exists() or not (work / "replaced").exists():  # else these are the only copies left
                shutil.rmtree(work, ignore_errors=True)
        sync(place.parent)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({reason(error)}).") from None
    return Stored(seal.header().episodes, steps[0], next(key for key in REGISTRY if REGISTRY[key] is type(target)))


def _target(path: Path, name: str | None, force: bool) -> Format:
    if os.path.lexists(path):
        if not force:
            raise UserError(f"{path} exists already; choose another name, or add --force to replace it.")
        recognise(path)  # nothing but a data set is ever replaced
    writable = {key: entry() for key, entry in REGISTRY.items() if entry.writable}
    if name is None:
        suits = [each for each in writable.values() if path.suffix.lower() in each.suffixes]
        suits = suits or [each for each in writable.values() if each.fits(path)]
        if len(suits) > 1:
            suits = [each for each in suits if not each.fits(Path("folder"))]  # a name that only one asks for
        if len(suits) != 1:
            raise UserError(f"the name {path} tells no format; give one with --to: {', '.join(sorted(writable))}.")
        return suits[0]
    target = REGISTRY[name]()
    if not target.writable:
        raise UserError(f"{target.title} cannot be written; the formats to write are: {', '.join(sorted(writable))}.")
    if not target.fits(path):
        raise UserError(f"{path} does not suit the format '{name}', which needs {target.name_wanted()}.")
    return target


def _counted(parts: Iterator[OfflineDataset], steps: list[int]) -> Iterator[OfflineDataset]:
    for part in parts:
        steps[0] += int(part.steps.sum())
        yield part


def _verify(target: Format, written: Path, header: Header, path: Path) -> None:
    seal = Seal()
    for _ in sealing(target.read(written), seal):
        pass
    if seal.header().digest != header.digest:
        raise UserError(f"{path}: what was written reads back differently, so it was not kept; check the disk.")


def _sync_all(path: Path) -> None:
    for each in (path, *path.rglob("*")):
        sync(each)


def _put(written: Path, place: Path, replaced: Path) -> None:
    """Moves ``written`` to ``place``; what was there goes to ``replaced`` if it, or this, is a folder."""
    if not (place.is_dir() or (written.is_dir() and place.exists())):
        os.replace(written, place)
        return
    if swap(written, place):
        return
    os.rename(place, replaced)
    try:
        os.rename(written, place)
    except BaseException:
        os.rename(replaced, place)
        raise
