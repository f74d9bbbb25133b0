"""Teams for Level-Based Foraging where everything is seen: they agree on which food comes first.

Both agents see the whole field, so each works out the same joint plan and plays its own part of it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from .base import Script, Seen, Team, add

SIZE, FOODS, FAR = 8, 3, 99
STAY, LOAD = 0, 5
#: actions in the order of the environment: stay, north, south, west, east
MOVES = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))

Cell = tuple[int, int]
#: which food comes first, the least; of a food's row and column
Order = Callable[[Cell], tuple[int, int]]
Distances = NDArray[np.int64]

ORDERS: dict[str, Order] = {
    "lbf_top": lambda cell: (cell[0], cell[1]), "lbf_bottom": lambda cell: (-cell[0], -cell[1]),
    "lbf_left": lambda cell: (cell[1], -cell[0]), "lbf_right": lambda cell: (-cell[1], cell[0])}


def beside(one: Cell, other: Cell) -> bool:
    """Whether two cells share an edge."""
    return abs(one[0] - other[0]) + abs(one[1] - other[1]) == 1


@lru_cache(maxsize=4096)
def joint_distances(foods: frozenset[Cell], goal: Cell) -> Distances:
    """Steps until both agents stand beside the goal, from every pair of cells, ``[8, 8, 8, 8]``; FAR: never."""
    free = np.ones((SIZE, SIZE), dtype=np.bool_)
    for food in foods:
        free[food] = False
    rows, columns = np.indices((SIZE, SIZE))
    near = free & (abs(rows - goal[0]) + abs(columns - goal[1]) == 1)
    allowed = free[:, :, None, None] & free
    allowed &= (rows[:, :, None, None] != rows) | (columns[:, :, None, None] != columns)
    steps = np.where(allowed & near[:, :, None, None] & near, 0, FAR)
    while True:
        # One agent moves, then the other: places of both at once are forbidden only where the step ends.
        ahead = _nearest(_nearest(steps, 0), 2) + 1
        better = np.where(allowed, np.minimum(steps, ahead), FAR)
        if (better == steps).all():
            return better
        steps = better


def _nearest(steps: Distances, axis: int) -> Distances:
    """The least over the moves of the agent whose row is on ``axis``."""
    least = steps.copy()
    for along in (axis, axis + 1):
        ahead, behind = [slice(None)] * 4, [slice(None)] * 4
        ahead[along], behind[along] = slice(1, None), slice(None, -1)
        for here, there in ((ahead, behind), (behind, ahead)):
            least[tuple(here)] = np.minimum(least[tuple(here)], steps[tuple(there)])
    return least


class Forager(Script):
    """One of two agents that fetch the foods in the same order.

    Args:
        order: which food comes first.
        agent: its number.
    """

    def __init__(self, order: Order, agent: int) -> None:
        self.order, self.agent = order, agent

    def act(self, seen: Seen, did: int) -> int:
        things = [(int(row), int(column), int(level)) for row, column, level in seen.reshape(-1, 3)]
        foods = {thing[:2]: thing[2] for thing in things[:FOODS] if thing[2] > 0}
        (*here, level), (*there, _) = things[FOODS:]
        own, other = (here[0], here[1]), (there[0], there[1])
        if not foods:
            return STAY
        goal = min(foods, key=self.order)
        if beside(own, goal) and (beside(other, goal) or level >= foods[goal]):
            return LOAD
        distances = joint_distances(frozenset(foods), goal)
        pair = (own, other) if self.agent == 0 else (other, own)
        return _joint_move(distances, *pair)[self.agent]


def _joint_move(distances: Distances, one: Cell, other: Cell) -> tuple[int, int]:
    """The actions that bring both nearest to the goal; of those as good, the first that moves most."""
    best, chosen = FAR + 1, (STAY, STAY)
    for first in (1, 2, 3, 4, STAY):
        for second in (1, 2, 3, 4, STAY):
            cells = [(cell[0] + MOVES[move][0], cell[1] + MOVES[move][1])
                     for cell, move in ((one, first), (other, second))]
            if all(0 <= place < SIZE for cell in cells for place in cell) and distances[cells[0] + cells[1]] < best:
                best, chosen = distances[cells[0] + cells[1]], (first, second)
    return chosen


for _name, _order in ORDERS.items():
    add(Team(_name, "gymma", (2, 6, 3 * FOODS + 6), partial(Forager, _order)))
