"""Our own files: one ``.npz`` archive, which :class:`..dataset.OfflineDataset` itself reads and writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..chunks import join, split
from ..dataset import OfflineDataset
from .base import REGISTRY, Format, starts_with


@REGISTRY.register("npz")
class Npz(Format):
    """The archive compresses whole arrays, so a data set must fit into memory."""

    title = "an .npz file of ours"
    suffixes = (".npz",)
    file = True

    def recognises(self, path: Path) -> bool:
        return starts_with(path, b"PK\x03\x04")

    def read(self, path: Path) -> Iterator[OfflineDataset]:
        yield from split(OfflineDataset.load(path))

    def load(self, path: Path) -> OfflineDataset:
        return OfflineDataset.load(path)  # without a second copy in memory

    def write(self, parts: Iterator[OfflineDataset], path: Path) -> None:
        join(parts, str(path)).write(path)
