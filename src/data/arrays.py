"""The arrays of an offline data set, before anybody has looked whether they are sound."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

ARRAYS = ("state", "actions", "avail_actions", "reward", "terminated", "filled", "behaviour")
OPTIONAL = ("obs", "agent_reward", "no_next")
SELDOM = ("obs", "agent_reward")  # large, and read by few methods


def wanted(key: str, keys: Collection[str] | None) -> bool:
    """Whether an array is read where of those that few methods need only ``keys`` are asked for."""
    return keys is None or key not in SELDOM or key in keys


@dataclass(frozen=True, eq=False)  # equality is that of the digests
class EpisodeArrays:
    """E episodes of at most T steps; index T of the time axis holds the last state.

    Attributes:
        state: float32 ``[E, T + 1, S]``.
        actions: int64 ``[E, T + 1, N]``.
        avail_actions: bool ``[E, T + 1, N, A]``.
        reward: float32 team reward ``[E, T + 1]``, meaningful where an action was played.
        terminated: bool ``[E, T + 1]``, true at the last step of an episode that truly ended.
        filled: bool ``[E, T + 1]``; an episode of L steps has L + 1 entries (its last state too).
        behaviour: int64 ``[E]``, index into ``meta["behaviours"]``, or -1 where unknown or several.
        meta: provenance (game specification ``spec``, recipe, seed, names of the ``behaviours``),
            plain JSON values.
        obs: float32 ``[E, T + 1, N, O]``, or None where every agent sees the state.
        source: what to call the data set in messages.
        agent_reward: float32 individual rewards ``[E, T + 1, N]``, or None where only the team's reward is
            known.  Methods learn from ``reward``; these are kept for those who want them.
        no_next: bool ``[E, T + 1]``, true at the last step of an episode that was cut off where nobody recorded the
            state after it; the entry after that step holds nothing.  None where all such states were recorded.
        first: None for a whole data set.  In a part of one: the number of its first episode, from which
            messages count; a part may lack complete steps.
    """

    state: NDArray[np.float32]
    actions: NDArray[np.int64]
    avail_actions: NDArray[np.bool_]
    reward: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    filled: NDArray[np.bool_]
    behaviour: NDArray[np.int64]
    meta: dict[str, Any]
    obs: NDArray[np.float32] | None = None
    source: str = "data set"
    agent_reward: NDArray[np.float32] | None = None
    no_next: NDArray[np.bool_] | None = None
    first: int | None = None

    def shape(self, key: str) -> tuple[int, ...] | None:
        """The shape of an array, which is not read for it; None if there is no such array."""
        array = getattr(self, key)
        return None if array is None else tuple(array.shape)

    @property
    def episode_bytes(self) -> int:
        """Size of an episode in memory."""
        return int(sum(array.nbytes for array in self.arrays.values())) // self.n_episodes

    def column(self, key: str, span: slice) -> NDArray[Any]:
        """Some episodes of an array that is there.

        Raises:
            UserError: what is on the disk is damaged.
        """
        return np.asarray(getattr(self, key)[span])

    def part(self, span: slice, keys: Collection[str] | None = None) -> EpisodeArrays:
        """Episodes that follow one another.

        Args:
            span: their numbers, from a start to a stop.
            keys: of the arrays in :data:`SELDOM`, those that are wanted; by default all.

        Raises:
            UserError: what is on the disk is damaged.
        """
        arrays = {key: array[span] for key, array in self.arrays.items() if wanted(key, keys)}
        return EpisodeArrays(**arrays, meta=self.meta, source=self.source, first=span.start)

    def take(self, rows: NDArray[np.int64], keys: Collection[str] | None = None,
             length: int | None = None) -> EpisodeArrays:
        """Any episodes, in any order, cut to some length; arguments and errors as of :meth:`part`."""
        arrays = {key: array[rows] if key == "behaviour" else array[rows, :length]
                  for key, array in self.arrays.items() if wanted(key, keys)}
        return EpisodeArrays(**arrays, meta=self.meta, source=self.source)

    @property
    def n_episodes(self) -> int:
        return len(self.filled)

    @property
    def episode_limit(self) -> int:
        """T, the longest episode the arrays can hold."""
        return int(self.filled.shape[1]) - 1

    @property
    def arrays(self) -> dict[str, Any]:
        """All arrays that are there, by name, in the order in which they are digested."""
        return {name: getattr(self, name) for name in (*ARRAYS, *OPTIONAL) if getattr(self, name) is not None}

    @cached_property
    def steps(self) -> NDArray[np.bool_]:
        """Where an action was played and its reward is known, ``[E, T + 1]``."""
        played = self.filled.copy()
        played[:, :-1] &= self.filled[:, 1:]
        played[:, -1] = False
        ends = np.cumsum(self.terminated, axis=1, dtype=np.int64)
        return np.asarray(played & (ends == self.terminated))

    @cached_property
    def returns(self) -> NDArray[np.float64]:
        """Undiscounted return of every episode, ``[E]``."""
        return np.asarray((self.reward.astype(np.float64) * self.steps).sum(1))
