"""Aloha beyond the paper's size: so many islands that their backlogs cannot be listed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import UserError
from .aloha import Aloha
from .game import BoolArray
from .optima import cached_optimum
from .registry import REGISTRY

MOST_BACKLOGS = 6**10  # that are listed at once: of ten islands with queues of five
MOST_ISLANDS = 12  # of a game whose backlogs are listed (`Aloha`)
MOST_ROWS = 10
MOST_SETS = 1_000_000  # independent sets, from which data are made


@REGISTRY.register("aloha_large")
class AlohaLarge(Aloha):
    """Aloha with more islands: any number to play, up to a million independent sets (2 x 15 islands) for its recipes.

    The optimum is not known, but it is at most what its blocks of columns could send if they did not disturb each
    other: whatever the whole team does, each block could do by itself.  Arguments that are not named here
    are those of :class:`.Aloha`.

    Args:
        rows, cols: size of the grid; at most 10 rows.
    """

    name = "aloha_large"

    def __init__(self, rows: int = 2, cols: int = 15, arrival_rate: float = 0.6, max_backlog: int = 5,
                 send_reward: float = 0.1, collision_reward: float = -10.0, observation: str = "state",
                 episode_limit: int = 20) -> None:
        # One island, as so many would be refused there: backlogs are listed only for an exact optimum.
        super().__init__(1, 1, arrival_rate, max_backlog, send_reward, collision_reward, observation, episode_limit)
        if not 1 <= rows <= MOST_ROWS or cols < 1:
            raise UserError(f"env_args of aloha_large need rows from 1 to {MOST_ROWS} and cols >= 1, not {rows} x "
                            f"{cols}.")
        self.rows, self.cols = rows, cols
        self.n_agents = self.state_dim = rows * cols
        place = np.arange(self.n_agents)
        gap = abs(place[:, None] - place)
        self.neighbours = (gap == 1) | (gap == cols)

    @cached_property
    def independent_sets(self) -> BoolArray:
        sets = np.zeros((1, self.n_agents), dtype=np.bool_)
        for island in range(self.n_agents):
            free = ~(sets & self.neighbours[island]).any(1)
            more = sets[free]
            more[:, island] = True
            sets = np.concatenate([sets, more])
            if len(sets) > MOST_SETS:
                raise UserError(f"the {self.rows} x {self.cols} islands of aloha_large have more than {MOST_SETS} "
                                "independent sets, from which its recipes draw; use fewer islands.")
        return sets

    @property
    def block_columns(self) -> int:
        """Columns in a block; 0 where the backlogs of one column are too many."""
        wide = 0
        while self.rows * (wide + 1) <= MOST_ISLANDS and (
                self.max_backlog + 1) ** (self.rows * (wide + 1)) <= MOST_BACKLOGS:
            wide += 1
        return wide

    def blocks(self) -> Iterator[Aloha]:
        """Games of some columns each, as they are without the others."""
        wide = self.block_columns
        for first in range(0, self.cols, wide):
            cols = min(wide, self.cols - first)
            block = Aloha(self.rows, cols, self.arrival_rate, self.max_backlog, episode_limit=self.episode_limit)
            own = (np.arange(self.rows)[:, None] * self.cols + np.arange(first, first + cols)).flatten()
            block.neighbours = self.neighbours[own][:, own]
            yield block

    def optimum(self) -> None:  # type: ignore[override]
        """Not known; see :meth:`headline_bound`."""
        return None

    def headline_optimum(self) -> None:  # type: ignore[override]
        """Not known."""
        return None

    def headline_bound(self) -> float | None:
        """More messages than these no team can expect to send; None where not even one column's backlogs can be listed.

        The first time, it may take minutes.
        """
        return cached_optimum(self.bound_spec(), self.computed_bound) if self.block_columns else None

    def bound_spec(self) -> dict[str, Any]:
        """What decides the bound."""
        return {**self.messages_spec(), "blocks": self.rows * self.block_columns}

    def computed_bound(self) -> float:
        """The bound, computed afresh."""
        known: dict[bytes, float] = {}
        total = 0.0
        for block in self.blocks():
            key = block.neighbours.tobytes()
            if key not in known:
                known[key] = float(block.message_values(self.episode_limit)[(1,) * block.n_agents])
            total += known[key]
        return total
