"""The formats in which data sets are read and, most of them, written; a new one is a file in this package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...errors import UserError
from ...utils.registry import discover
from ..chunks import join
from ..dataset import OfflineDataset
from .base import REGISTRY, Format

discover(__name__, __path__)


def recognise(path: Path) -> Format:
    """The format of an existing file or folder, told by what it holds, else by how its name ends.

    Raises:
        UserError: there is no such path, or it looks like no format.
    """
    if not path.exists():
        raise UserError(f"there is no file or folder {path}.")
    try:
        found = [entry() for entry in REGISTRY.values() if entry().recognises(path)]
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from None
    if not found and path.is_file():
        found = [entry() for entry in REGISTRY.values() if path.suffix.lower() in entry.suffixes]
    if not found:
        known = "; ".join(f"{name}: {entry.title}" for name, entry in REGISTRY.items())
        raise UserError(f"{path} is not a data set of a known format ({known}).")
    return found[0]


def read(path: Path, name: str | None = None) -> Iterator[OfflineDataset]:
    """A data set in parts.

    Args:
        path: an existing file or folder.
        name: its format, by default found by :func:`recognise`.

    Raises:
        UserError: as :meth:`.base.Format.read` and :func:`recognise`.
    """
    if name is not None and not path.exists():
        raise UserError(f"there is no file or folder {path}.")
    return (recognise(path) if name is None else REGISTRY[name]()).read(path)


def load(path: Path, name: str | None = None) -> OfflineDataset:
    """As :func:`read`, but whole."""
    return join(read(path, name), str(path))


__all__ = ["REGISTRY", "Format", "load", "read", "recognise"]
