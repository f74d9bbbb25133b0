"""A recording on its way to the disk: parts of some episodes each, in the end one file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..data.dataset import OfflineDataset
from ..data.formats import load
from ..data.formats.parts import part_file
from ..data.store import write_dataset
from ..errors import UserError
from ..utils.files import named_path, reason
from .player import Arrays

FOLDER = ".mapped"  # of a target that is larger than the memory may be
SIZE = 50  # episodes in a part


def seed_of(target: str) -> int | None:
    """The seed of a recording that was begun, so that the same command without one can go on; None if there is none."""
    path = named_path(target)
    for file in (path, part_file(_folder(path), 0)) if path.name else ():
        if file.is_file() or (file.is_dir() and file.suffix == FOLDER):
            seed = load(file).meta.get("seed")
            return seed if type(seed) is int else None
    return None


class PartFiles:
    """The folder ``<target>.parts``, a data set itself, and so is each of its files ``part-00000.npz`` ...

    Args:
        target: the file that they become.
        meta: provenance, the same in every part.

    Attributes:
        whole: the recording, if it is complete already.
        episodes: how many are in parts.

    Raises:
        UserError: what is there belongs to another recording, is damaged, or cannot be written.
    """

    def __init__(self, target: Path, meta: Mapping[str, Any]) -> None:
        self.target, self.meta, self.folder = target, dict(meta), _folder(target)
        self.episodes, self._count = 0, 0
        self.whole = self._checked(target) if target.exists() else None
        if self.whole is not None:
            self._clear()
            return
        self._make()
        for leftover in self.folder.glob(".part-*"):  # of a write that a kill cut off
            leftover.unlink(missing_ok=True)
        for file in sorted(self.folder.glob("part-*.npz"), key=lambda file: (len(file.name), file.name)):  # by number
            wanted = part_file(self.folder, self._count)
            if file != wanted:
                raise UserError(f"{self.folder} lacks {wanted.name}; delete the folder to record afresh.")
            self.episodes += self._checked(file).n_episodes
            self._count += 1

    def _make(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(f"the recording cannot be written to {self.folder} ({reason(error)}); choose another place "
                         "with record_to=<file>.npz.")

    def _checked(self, file: Path) -> OfflineDataset:
        data = load(file)
        for key, value in self.meta.items():
            if data.meta.get(key) != value:
                raise UserError(f"{file} is of another recording, with {key}={_said(data.meta.get(key))} instead of "
                                f"{_said(value)}; go on with those settings, choose another record_to, or delete it.")
        return data

    def add(self, episodes: Sequence[Arrays]) -> None:
        """Writes the next part, all or nothing.

        Raises:
            UserError: it cannot be written, or the environment gave what no data set may hold.
        """
        file = part_file(self.folder, self._count)
        if file.exists():
            raise UserError(f"{file} has just been written by another process; stop one of the two recordings.")
        stacked = {key: np.stack([episode[key] for episode in episodes]) for key in episodes[0]}
        data = OfflineDataset(**stacked, meta=self.meta, source=str(self.target), first=self.episodes)
        try:
            data.write(file)
        except OSError as error:
            raise self._unwritable(error) from None
        self._count, self.episodes = self._count + 1, self.episodes + len(episodes)

    def merge(self) -> OfflineDataset:
        """Puts the parts together and, once that has been read back, removes them; observations that are the state are
        left out.

        A folder is written a part at a time; a file takes the memory of all of them.

        Raises:
            UserError: a part has been damaged since, or the file cannot be written.  The parts are still there then.
        """
        redundant = all(_obs_is_state(part) for part in self._each())
        parts = (replace(part, obs=None) if redundant else part for part in self._each())
        write_dataset(parts, self.target)  # which reads it back before it puts it in place
        data = load(self.target)
        self._clear()
        return data

    def _each(self) -> Iterator[OfflineDataset]:
        """The parts, one after the other."""
        for number in range(self._count):
            yield OfflineDataset.load(part_file(self.folder, number), first=0)

    def _clear(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def _obs_is_state(part: OfflineDataset) -> bool:
    """Whether every agent sees the state."""
    obs, state = part.obs, part.state
    return obs is None or (obs.shape[3] == state.shape[2] and bool((obs == state[:, :, None]).all()))


def _folder(target: Path) -> Path:
    return target.with_name(f"{target.name}.parts")


def _said(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 200 else f"{text[:197]}..."
