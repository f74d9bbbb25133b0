"""Recorded episodes that were drawn, and all recorded steps, from which a batch needs but rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

import torch as th
from torch import Tensor

from .episode_buffer import EpisodeBatch
from .transitions import Transitions, in_columns

#: bytes that the steps of a whole data set may take; of larger ones, those of each batch are made anew
ROOM = 1 << 28
AT_ONCE = 1000  # episodes that are cut into steps together
MASKS = ("available", "next_available")
#: where steps are and of which row of their group, ``[G, M]`` each, and how often each counts; None: once
Places = tuple[Tensor, Tensor, Tensor | None]


class DrawnBatch(EpisodeBatch):
    """The recorded episodes with the numbers ``place`` ``[B]``, which are put together when somebody looks at them.

    Args:
        episodes: from numbers to a batch.
        place: the numbers.
    """

    place: Tensor

    def __init__(self, episodes: Callable[[Tensor], EpisodeBatch], place: Tensor) -> None:
        self.place, self.batch_size, self._episodes = place, len(place), episodes

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or "_episodes" not in self.__dict__:
            raise AttributeError(name)
        self.__dict__.update(vars(self.__dict__.pop("_episodes")(self.place)))
        return getattr(self, name)

    @property
    def is_untouched(self) -> bool:
        """Whether it is still but numbers."""
        return "_episodes" in self.__dict__


class RecordedSteps:
    """All steps of all E episodes, one after the other.

    Attributes:
        fields: what is kept of them, by the names of :class:`.Transitions`, ``[S, ...]``.

    Args:
        parts: the steps of some episodes after those of others.
        n_episodes: E.
        alike: whether the agents see just the state that the critics see, so that it is kept once.
    """

    def __init__(self, parts: Iterator[Transitions], n_episodes: int, alike: bool) -> None:
        self._alias = ("inputs", "next_inputs") if alike else ()
        kept: dict[str, list[Tensor]] = {}
        for part in parts:
            for field in dataclasses.fields(part):
                value = getattr(part, field.name)
                if value is not None and field.name not in self._alias:
                    kept.setdefault(field.name, []).append(value)
        self.fields = {name: th.cat(values) for name, values in kept.items()}
        # On the processor, as the numbers of the episodes are: nobody waits for a GPU to know how many steps there are.
        count = th.bincount(self.fields["episode"].cpu(), minlength=n_episodes)
        self._count, self._first = count, count.cumsum(0) - count

    def __len__(self) -> int:
        """E."""
        return len(self._count)

    @property
    def device(self) -> th.device:
        """Where the steps are kept."""
        return self.fields["episode"].device

    @cached_property
    def even(self) -> bool:
        """Whether all episodes have as many steps."""
        return bool((self._count == self._count[0]).all())

    def place(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Where the steps of the episodes with the numbers ``rows`` ``[B]`` are, and of which row, ``[M]`` each.

        All of it is on the processor.
        """
        count = self._count[rows]
        number = th.arange(len(rows)).repeat_interleave(count)
        start = self._first[rows] - (count.cumsum(0) - count)
        return start[number] + th.arange(len(number)), number

    def places(self, rows: Tensor) -> Places:
        """The same of some groups of episodes, in shapes that hardly differ from batch to batch.

        Args:
            rows: numbers of episodes, ``[G, B]``.

        Returns:
            Where their steps are and of which row of the group, ``[G, M]`` each, and how often each counts, ``[G, M]``:
            1.0, and 0.0 for what only fills up where episodes differ in length; None where they do not.
        """
        groups, size = rows.shape
        index, number = self.place(rows.flatten())
        if self.even or not len(index):
            shape = groups, len(index) // groups
            return index.view(shape), (number % size).view(shape), None
        group = number // size
        sizes = th.bincount(group, minlength=groups)
        column = th.arange(len(index)) - (sizes.cumsum(0) - sizes)[group]
        shape = groups, filled_up(int(sizes.max()))
        # Filled up with the group's own first step, so that the largest and smallest of what is computed are its own.
        first = (sizes.cumsum(0) - sizes).clamp(max=len(index) - 1)
        wide, of = (each[first][:, None].repeat(1, shape[1]) for each in (index, number % size))
        count = th.zeros(shape)
        wide[group, column], of[group, column], count[group, column] = index, number % size, 1.0
        return wide, of, count

    def views(self, drawn: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Of steps that were drawn, by name, what is kept under another name."""
        return {name: drawn[name.replace("inputs", "state")][:, None] for name in self._alias}

    def draw(self, rows: Tensor) -> Transitions:
        """The steps of the episodes with the numbers ``rows`` ``[B]``, as if only these had been recorded."""
        index, number = self.place(rows)
        return self.at(index.to(self.device), number.to(self.device))

    def at(self, index: Tensor, number: Tensor, count: Tensor | None = None) -> Transitions:
        """The steps of :data:`Places` ``[M]``, or ``[G, M]``: those of one group after those of another."""
        index, number, count = index.flatten(), number.flatten(), None if count is None else count.flatten()
        drawn: dict[str, Any] = {name: value.index_select(0, index) for name, value in self.fields.items()}
        drawn |= {name: in_columns(drawn[name]) for name in MASKS}
        return Transitions(**{**drawn, **self.views(drawn), "episode": number}, count=count)


def filled_up(size: int) -> int:
    """The next larger of the numbers of which there are eight from any power of two to the next."""
    unit = 1 << max(0, size.bit_length() - 4)
    return -(-size // unit) * unit


def recorded_steps(steps: Callable[[EpisodeBatch], Transitions], episodes: Callable[[Tensor], EpisodeBatch],
                   n_episodes: int, alike: bool, some: int) -> RecordedSteps | None:
    """The steps of a whole data set, or None where they would take too much memory.

    Args:
        steps: from episodes to their steps.
        episodes: from numbers to episodes.
        n_episodes, alike: as for :class:`RecordedSteps`.
        some: of so many episodes the size of all is estimated, the same ones always: a run that goes on must decide as
            it did before.
    """
    rows = th.linspace(0, n_episodes - 1, min(some, n_episodes), dtype=th.float64).long()
    sample = steps(episodes(rows))
    size = sum(value.nbytes for value in vars(sample).values() if value is not None)
    if not len(rows) or size / len(rows) * n_episodes > ROOM:
        return None

    def parts() -> Iterator[Transitions]:
        for first in range(0, n_episodes, AT_ONCE):
            part = steps(episodes(th.arange(first, min(first + AT_ONCE, n_episodes))))
            yield dataclasses.replace(part, episode=part.episode + first)

    return RecordedSteps(parts(), n_episodes, alike)

