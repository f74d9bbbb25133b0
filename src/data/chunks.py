"""Data sets in parts: long ones are read, converted and written a few episodes at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..utils.bounded import check_memory
from ..utils.progress import counting
from .arrays import EpisodeArrays
from .dataset import OfflineDataset

#: size of a part in memory; a part holds one episode at least
PART_BYTES = 2**24


def spans(episodes: int, episode_bytes: int) -> Iterator[slice]:
    """Slices of the episode axis, each of about :data:`PART_BYTES`."""
    size = max(1, PART_BYTES // max(1, episode_bytes))
    with counting("episodes", episodes, "episodes") as progress:
        for start in range(0, episodes, size):
            yield slice(start, end := min(start + size, episodes))
            progress.at(end)


def steps_of(data: EpisodeArrays, *keys: str) -> Iterator[tuple[NDArray[Any], ...]]:
    """The complete steps of a data set, some at a time.

    Args:
        data: the episodes.
        keys: arrays that have a time axis.

    Returns:
        For every few episodes the number of the episode and the time of each of their steps, ``[B]`` both, then the
        arrays at these steps, ``[B, ...]``.

    Raises:
        UserError: what is on the disk is damaged.
    """
    for span in spans(data.n_episodes, data.episode_bytes):
        steps = data.steps[span]
        episode, time = np.nonzero(steps)
        yield episode + span.start, time, *(data.column(key, span)[steps] for key in keys)


def split(data: OfflineDataset) -> Iterator[OfflineDataset]:
    """The parts of a data set, in order; they share its memory, or are read from the disk one by one."""
    for span in spans(data.n_episodes, data.episode_bytes):
        part = data.part(span)
        yield OfflineDataset(**part.arrays, meta=part.meta, source=part.source, first=part.first)


def some(parts: Iterable[OfflineDataset], source: str) -> Iterator[OfflineDataset]:
    """The parts as they are.

    Raises:
        UserError: there is none.
    """
    part = None
    for part in parts:
        yield part
    if part is None:
        raise UserError(f"{source} holds no episodes.")


def join(parts: Iterable[OfflineDataset], source: str) -> OfflineDataset:
    """One data set of all parts, which must be alike in provenance and in all but their number of episodes.

    Args:
        parts: as from one of the formats.
        source: what to call the result.

    Raises:
        UserError: there is nothing to learn from, a part is damaged (raised by whatever reads it), or the memory of
            this machine does not hold them all, such as where one episode is far longer than the others.
    """
    found, size = list[OfflineDataset](), 0
    for part in some(parts, source):
        found.append(part)
        size += part.episode_bytes * part.n_episodes
        check_memory(f"{source}, all of whose episodes have room for the {part.episode_limit} steps of the longest,",
                     size)
    arrays: dict[str, Any] = {key: np.concatenate([part.arrays[key] for part in found]) for key in found[0].arrays}
    return OfflineDataset(**arrays, meta=found[0].meta, source=source)


def pad(data: OfflineDataset, limit: int) -> OfflineDataset:
    """The same episodes with room for ``limit`` steps each."""
    more = limit - data.episode_limit
    if not more:
        return data

    def longer(key: str, array: NDArray[Any]) -> NDArray[Any]:
        if key == "behaviour":
            return array
        # An action must always be available, so that a masked softmax over padding has something to choose.
        return np.pad(array, [(0, more if axis == 1 else 0) for axis in range(array.ndim)],
                      constant_values=key == "avail_actions")

    return OfflineDataset(**{key: longer(key, array) for key, array in data.arrays.items()}, meta=data.meta,
                          source=data.source, first=data.first)
