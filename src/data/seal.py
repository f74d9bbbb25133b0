"""What goes with our data in foreign files: the provenance, and digests that reveal damage.

A foreign file holds our arrays in its own layout.  Beside them we put a header, a JSON text with the
number of episodes, the provenance, and one SHA-256 for each array, taken over its episodes in order, so
that it can be computed and checked while episodes stream by.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UserError
from .arrays import ARRAYS, OPTIONAL
from .dataset import REMEDY, OfflineDataset

FORMAT = 1
NAME = "epymarl_cpa"  # of the attribute or, with a suffix, of the file that holds the header


@dataclass(frozen=True)
class Header:
    """Attributes: ``episodes`` (their number), ``meta`` (the provenance), ``sha256`` (by array)."""

    episodes: int
    meta: dict[str, Any]
    sha256: dict[str, str]

    @property
    def content(self) -> dict[str, Any]:
        return {"format": FORMAT, "episodes": self.episodes, "meta": self.meta, "sha256": self.sha256}

    @property
    def digest(self) -> str:
        """SHA-256 of all of it, the same for the same data set in any format."""
        return _digest(self.content)

    def text(self) -> str:
        """ASCII, for :meth:`parse`."""
        return json.dumps({**self.content, "digest": self.digest})

    @classmethod
    def parse(cls, text: str | bytes, source: str) -> Header:
        """Reads what :meth:`text` wrote.

        Raises:
            UserError: the text is damaged or of another version, named as the header of ``source``.
        """
        try:
            content = json.loads(text)
            digest = content.pop("digest", None)
            sound = digest == _digest(content)
        except (ValueError, TypeError, AttributeError, RecursionError):
            sound = False
        if not sound:
            raise UserError(f"{source}: the header '{NAME}' is damaged or was altered; {REMEDY}.")
        if content.get("format") != FORMAT:
            raise UserError(f"{source}: the header '{NAME}' has format {content.get('format')!r}, "
                            f"but this program reads {FORMAT}.")
        episodes, meta, sha256 = (content.get(key) for key in ("episodes", "meta", "sha256"))
        whole = (type(episodes) is int and episodes > 0 and isinstance(meta, dict) and isinstance(sha256, dict)
                 and set(ARRAYS) <= set(sha256) <= {*ARRAYS, *OPTIONAL})
        if not whole:
            raise UserError(f"{source}: the header '{NAME}' lacks the number of episodes, the provenance or a digest.")
        return cls(episodes, meta, sha256)


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


class Alike:
    """Counts the episodes of a data set that passes by in parts, which must belong together."""

    def __init__(self) -> None:
        self._episodes = 0
        self._meta: dict[str, Any] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}

    def add(self, part: OfflineDataset) -> None:
        """Takes the next episodes.

        Raises:
            UserError: they do not belong to those before them.
        """
        shapes = {key: array.shape[1:] for key, array in part.arrays.items()}
        if not self._episodes:
            self._meta, self._shapes = part.meta, shapes
        for key in (*ARRAYS, *OPTIONAL):
            if shapes.get(key) != self._shapes.get(key):
                raise UserError(f"{part.source}: key '{key}' {_said(shapes.get(key))} in each episode, but that of the "
                                f"episodes before {_said(self._shapes.get(key))}; join such data with 'merge'.")
        if part.meta != self._meta:
            raise UserError(f"{part.source} has another provenance than the episodes before; "
                            "join such data with 'merge'.")
        self._episodes += part.n_episodes


class Seal(Alike):
    """Takes the digests of a data set that passes by in parts."""

    def __init__(self) -> None:
        super().__init__()
        self._hashes: dict[str, Any] = {}

    def add(self, part: OfflineDataset) -> None:
        super().add(part)
        for key, array in part.arrays.items():
            if key not in self._hashes:
                self._hashes[key] = hashlib.sha256(f"{key}{array.dtype}{array.shape[1:]}".encode())
            self._hashes[key].update(np.ascontiguousarray(array).data)

    def header(self) -> Header:
        """The header of all that was taken so far."""
        return Header(self._episodes, self._meta, {key: total.hexdigest() for key, total in self._hashes.items()})


def _said(shape: tuple[int, ...] | None) -> str:
    return "is absent" if shape is None else f"has shape {shape}"


def sealing(parts: Iterable[OfflineDataset], seal: Seal) -> Iterator[OfflineDataset]:
    """The parts as they are, noted in ``seal`` on the way."""
    for part in parts:
        seal.add(part)
        yield part


def checked(parts: Iterable[OfflineDataset], header: Header, source: str) -> Iterator[OfflineDataset]:
    """The parts as they are; after the last one, they must be what ``header`` tells.

    Raises:
        UserError: naming the array that was altered.
    """
    seal = Seal()
    yield from sealing(parts, seal)
    found = seal.header()
    if found.episodes != header.episodes:
        raise UserError(f"{source} holds {found.episodes} episodes, but its header tells of {header.episodes}; "
                        f"{REMEDY}.")
    for key in (*ARRAYS, *OPTIONAL):
        if found.sha256.get(key) != header.sha256.get(key):
            raise UserError(f"{source}: key '{key}' was altered: its contents do not match its digest; {REMEDY}.")
