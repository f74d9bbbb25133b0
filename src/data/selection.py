"""Some of the episodes of a data set: by number, return, length, action or behaviour."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..envs.game import BoolArray
from ..errors import UserError, clipped
from .chunks import some
from .dataset import OfflineDataset

DIGITS = 6  # returns are compared after rounding, so that bounds can be written down
RANGE = re.compile(r"(\d+)(?:-(\d+))?")


@dataclass(frozen=True)
class Selection:
    """Which episodes to keep: those that meet all that is given.

    Attributes:
        episodes, without: ranges of episode numbers, from 0, both ends included; None: all, and none.
        min_return, max_return: bounds of the undiscounted return.
        min_length, max_length: bounds of the number of complete steps.
        action: number of an action that some agent must play in a complete step.
        behaviour: name of the behaviour that must have made the episode.
    """

    episodes: tuple[tuple[int, int], ...] | None = None
    without: tuple[tuple[int, int], ...] = ()
    min_return: float | None = None
    max_return: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    action: int | None = None
    behaviour: str | None = None

    def of(self, data: OfflineDataset, first: int = 0) -> BoolArray:
        """Which episodes of a data set, or of a part of one, are meant, ``[E]``.

        Args:
            data: the episodes.
            first: the number of the first of them.

        Raises:
            UserError: the data have no such action or behaviour.
        """
        number = np.arange(data.n_episodes) + first
        returns, lengths = data.returns.round(DIGITS), data.steps.sum(1)
        keep = np.ones(data.n_episodes, dtype=np.bool_) if self.episodes is None else _within(number, self.episodes)
        keep &= ~_within(number, self.without)
        for low, high, values in ((self.min_return, self.max_return, returns),
                                  (self.min_length, self.max_length, lengths)):
            keep &= (values >= (-np.inf if low is None else low)) & (values <= (np.inf if high is None else high))
        if self.action is not None:
            n_actions = data.avail_actions.shape[3]
            if not 0 <= self.action < n_actions:
                raise UserError(f"{data.source} has the actions 0 to {n_actions - 1}, not {self.action}.")
            keep &= ((data.actions == self.action).any(2) & data.steps).any(1)
        if self.behaviour is not None:
            names = [str(name) for name in data.meta.get("behaviours", [])]
            if self.behaviour not in names:
                raise UserError(f"{data.source} has no behaviour '{clipped(self.behaviour)}'; it has: "
                                f"{clipped(', '.join(names)) or 'none'}.")
            keep &= np.isin(data.behaviour, [k for k, name in enumerate(names) if name == self.behaviour])
        return np.asarray(keep)


def select(parts: Iterator[OfflineDataset], selection: Selection, source: str,
           judged: Callable[[OfflineDataset], OfflineDataset] = lambda part: part) -> Iterator[OfflineDataset]:
    """The episodes that are meant, in parts; their provenance stays.

    Args:
        parts: the data set, in order.
        selection: which episodes.
        source: what to call the data set.
        judged: a part as its returns and actions count, such as in the terms of a game; it is written as it is.

    Raises:
        UserError: an episode that is asked for by number is not there, none is left, or whatever ``parts`` raises.
    """
    seen, kept = 0, 0
    for part in some(parts, source):
        keep = selection.of(judged(part), seen)  # files of one data set may each count their episodes from 0
        seen += part.n_episodes
        if keep.any():
            yield OfflineDataset(**{key: array[keep] for key, array in part.arrays.items()}, meta=part.meta,
                                 source=part.source, first=kept)
            kept += int(keep.sum())
    last = max((high for _, high in selection.episodes or ()), default=0)
    if last >= seen:
        raise UserError(f"{source} has the episodes 0 to {seen - 1}, but --episodes asks for {last}.")
    if not kept:
        raise UserError(f"no episode of {source} meets what was asked for; nothing was written.")


def ranges(text: str, option: str) -> tuple[tuple[int, int], ...]:
    """Ranges of episode numbers from a text such as ``1,5-9``.

    Raises:
        UserError: it is none.
    """
    found = []
    for word in text.split(","):
        match = RANGE.fullmatch(word.strip())
        low, high = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if low > high or high >= 2**62:
            raise UserError(f"{option} must be numbers of episodes, from 0, such as 1,5-9, not '{clipped(word)}'.")
        found.append((low, high))
    return tuple(found)


def _within(number: NDArray[np.int64], spans: tuple[tuple[int, int], ...]) -> BoolArray:
    """Which numbers lie in one of the ranges."""
    if not spans:
        return np.zeros(len(number), dtype=np.bool_)
    low, high = np.array(sorted(spans)).T
    high = np.maximum.accumulate(high)
    place = np.searchsorted(low, number, side="right") - 1
    return np.asarray((place >= 0) & (number <= high[place.clip(0)]))
