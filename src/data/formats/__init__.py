"""The formats in which data sets are read and, most of them, written; a new one is a file in this package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...errors import UserError
from ...utils.bounded import is_there, size_of
from ...utils.files import reason
from ...utils.registry import discover
from ..chunks import some
from ..dataset import OfflineDataset
from .base import REGISTRY, Format

discover(__name__, __path__)


def recognise(path: Path) -> Format:
    """The format of an existing file or folder, told by what it holds, else by how its name ends.

    Raises:
        UserError: there is no such path, or it looks like no format or like several.
    """
    if not is_there(path):
        raise UserError(f"there is no file or folder {path}.")
    entries = {name: REGISTRY[name]() for name in sorted(REGISTRY)}
    try:
        if not path.is_dir():
            size_of(path)  # opening a pipe might wait for ever
        found = {name: entry for name, entry in entries.items() if entry.recognises(path)}
    except OSError as error:
        raise UserError(f"{path} cannot be read ({reason(error)}).") from None
    if not found and path.is_file():
        found = {name: entry for name, entry in entries.items() if path.suffix.lower() in entry.suffixes}
    if not found:
        known = "; ".join(f"{name}: {entry.title}" for name, entry in entries.items())
        raise UserError(f"{path} is not a data set of a known format ({known}).")
    if len(found) > 1:
        raise UserError(f"{path} holds data of several formats ({', '.join(found)}); give each a folder of its own.")
    return next(iter(found.values()))


def read(path: Path, name: str | None = None) -> Iterator[OfflineDataset]:
    """A data set in parts.

    Args:
        path: an existing file or folder.
        name: its format, by default found by :func:`recognise`.

    Raises:
        UserError: as :meth:`.base.Format.read` and :func:`recognise`.
    """
    return some(_format(path, name).read(path), str(path))


def load(path: Path, name: str | None = None) -> OfflineDataset:
    """As :func:`read`, but whole."""
    return _format(path, name).load(path)


def _format(path: Path, name: str | None) -> Format:
    if name is not None and not is_there(path):
        raise UserError(f"there is no file or folder {path}.")
    if name is None:
        return recognise(path)
    entry = REGISTRY[name]()
    if not entry.file and not path.is_dir():
        raise UserError(f"{path} is no folder, and so not {entry.title}.")
    return entry


__all__ = ["REGISTRY", "Format", "load", "read", "recognise"]
