"""What a format of data sets is, and where the formats are registered."""

from __future__ import annotations

import importlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from ...errors import UserError
from ...utils.bounded import read_bytes, size_of
from ...utils.registry import Registry
from ..chunks import join
from ..dataset import OfflineDataset


class Format(ABC):
    """One layout of data sets on the disk.

    Attributes:
        title: the layout in words, for messages.
        suffixes: endings of its files; empty for formats that are folders only.
        file, folder: whether it can be a file, or a folder.
        writable: whether :meth:`write` works.
    """

    title: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]] = ()
    file: ClassVar[bool] = False
    folder: ClassVar[bool] = False
    writable: ClassVar[bool] = True

    @abstractmethod
    def recognises(self, path: Path) -> bool:
        """Whether an existing file or folder looks like this format; needs no optional package."""

    @abstractmethod
    def read(self, path: Path) -> Iterator[OfflineDataset]:
        """The data set in parts, at least one, each with the number of its first episode.

        Raises:
            UserError: the path does not hold a sound data set of this format, or a package is missing.
        """

    def load(self, path: Path) -> OfflineDataset:
        """The whole data set; errors as for :meth:`read`."""
        return join(self.read(path), str(path))

    def write(self, parts: Iterator[OfflineDataset], path: Path) -> None:
        """Writes a new file or folder, which a crash leaves unfinished; :func:`..store.write_dataset` leaves none.

        Raises:
            UserError: a package is missing, or whatever ``parts`` raises.
            OSError: the disk is full, or the path cannot be written.
        """
        raise UserError(f"{self.title} can be read, but not written.")

    def fits(self, path: Path) -> bool:
        """Whether ``path`` may be the name of new data, so that it does not suggest another format."""
        suffix = path.suffix.lower()
        return suffix in self.suffixes or (self.folder and suffix not in _all_suffixes())

    def name_wanted(self) -> str:
        """What :meth:`fits` asks for, in words."""
        words = [f"a name that ends in {' or '.join(self.suffixes)}"] if self.suffixes else []
        return " or ".join(words + (["the name of a folder"] if self.folder else []))


REGISTRY: Registry[type[Format]] = Registry("format of data sets")


def _all_suffixes() -> set[str]:
    return {suffix for entry in REGISTRY.values() for suffix in entry.suffixes}


def optional(package: str, what: str, extra: str) -> Any:
    """Imports an optional package.

    Args:
        package: its name, for example ``h5py``.
        what: what needs it, as the subject of a sentence in the plural.
        extra: the extra of this project that installs it.

    Raises:
        UserError: it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError:
        raise UserError(f"{what} need the package '{package.partition('.')[0]}'; install it with: "
                        f"pip install 'epymarl-cpa[{extra}]'.") from None


def starts_with(path: Path, magic: bytes) -> bool:
    """Whether ``path`` is a readable file that begins with these bytes."""
    try:
        size_of(path)
        with open(path, "rb") as file:
            return file.read(len(magic)) == magic
    except (OSError, UserError):
        return False


def metadata(folder: Path) -> dict[str, Any]:
    """The object in a folder's ``metadata.json``, which Minari and Vault have; empty if there is none."""
    try:
        content = json.loads(read_bytes(folder / "metadata.json"))
    except (OSError, ValueError, RecursionError, UserError):
        return {}
    return content if isinstance(content, dict) else {}
