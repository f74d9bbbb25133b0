"""Writing data sets so that a crash leaves the old data or the new, and that what was written reads back the same."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from ..errors import UserError
from ..utils.files import reason, swap, sync
from .chunks import some
from .dataset import OfflineDataset
from .formats import REGISTRY, Format, recognise
from .seal import Header, Seal, sealing

REPLACED = "replaced"  # in a folder of work: what was there before


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
        with _workplace(place) as work:
            seal, steps = Seal(), [0]
            target.write(_counted(sealing(some(parts, str(path)), seal), steps), work / place.name)
            if not steps[0]:
                raise UserError(f"{path}: no episode has a complete step, so there is nothing to learn from.")
            _verify(target, work / place.name, seal.header(), path)
            _sync_all(work / place.name)
            _put(work / place.name, place, work / REPLACED)
        sync(place.parent)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({reason(error)}).") from None
    return Stored(seal.header().episodes, steps[0], next(key for key in REGISTRY if REGISTRY[key] is type(target)))


@contextmanager
def _workplace(place: Path) -> Iterator[Path]:
    """A folder beside ``place`` to write in; what was left in such folders by writers that were killed is removed.

    While it is in use it is locked, and a lock ends with its process.
    """
    _tidy(place)
    work = Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}."))
    with _locked(work):
        try:
            yield work
        finally:
            if place.exists() or not (work / REPLACED).exists():  # else these are the only copies left
                shutil.rmtree(work, ignore_errors=True)


def _tidy(place: Path) -> None:
    """Removes what killed writers have left: folders of our names that hold nothing but new data, and nobody locks."""
    ours = re.compile(re.escape(f".{place.name}.") + r"[a-z0-9_]{8}")
    for left in [each for each in place.parent.iterdir() if ours.fullmatch(each.name)]:
        with suppress(OSError), _locked(left) as is_free:
            if is_free and [each.name for each in left.iterdir()] == [place.name]:
                shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Locks a folder, if nobody else has and the disk can; yields whether it was done."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            done = True
        except OSError:
            done = False
        yield done
    finally:
        os.close(handle)


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
