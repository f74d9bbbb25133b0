"""Pictures of many states, by numbers of the shapes that they share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..envs.game import Game, IntArray
from ..envs.picture import Last, Mark
from .columns import packed


class Drawings:
    """Collects pictures of a game's states.

    Args:
        game: draws them.
    """

    def __init__(self, game: Game) -> None:
        self._game = game
        self._marks: dict[tuple[Any, ...], int] = {}
        self._sizes: dict[tuple[float, float], int] = {}
        self._numbers: list[int] = []
        self._lengths: list[int] = []
        self._size_of: list[int] = []

    def add(self, state: IntArray, last: Last | None = None) -> int:
        """Draws one state ``[K]``; returns the number of its picture."""
        picture = self._game.picture(state, last)
        size = float(picture.rows), float(picture.cols)
        self._size_of.append(self._sizes.setdefault(size, len(self._sizes)))
        self._lengths.append(len(picture.marks))
        self._numbers += [self._marks.setdefault(_key(mark), len(self._marks)) for mark in picture.marks]
        return len(self._lengths) - 1

    def episode(self, states: Iterable[IntArray], actions: Iterable[IntArray]) -> None:
        """Draws an episode's states ``[K]`` one after another, each with the joint action ``[N]`` that led to it."""
        last: Last | None = None
        for state, joint in zip(states, actions, strict=False):
            self.add(state, last)
            last = state, joint

    @property
    def content(self) -> dict[str, Any]:
        """For the page: the different ``marks`` and ``sizes``, and of each picture which it has."""
        return {"marks": [list(mark) for mark in self._marks], "sizes": [list(size) for size in self._sizes],
                "size": packed(np.array(self._size_of, dtype=np.int64)),
                "length": packed(np.array(self._lengths, dtype=np.int64)),
                "numbers": packed(np.array(self._numbers, dtype=np.int64))}


def _key(mark: Mark) -> tuple[Any, ...]:
    """Shape, row, column, colour, size, row and column of the end, text."""
    end = (float(mark.end[0]), float(mark.end[1])) if len(mark.end) else (0.0, 0.0)
    return mark.shape, float(mark.at[0]), float(mark.at[1]), mark.colour, float(mark.size), *end, mark.text
