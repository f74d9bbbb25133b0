"""How an agent of Level-Based Foraging that sees two cells far finds out where it is, and gets anywhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from .lbf import MOVES, SIZE, Cell

SIGHT = 2


class Place:
    """Where an agent stands in one direction, as far as it can know: from ``low`` to ``high``.

    It sees how far it is from the first row (or column) where that is in sight, never the last one; it counts its
    steps, of which some may have been blocked.
    """

    def __init__(self) -> None:
        self.low, self.high = 0, SIZE - 1

    @property
    def known(self) -> bool:
        return self.low == self.high

    def move(self, step: int, certain: bool) -> None:
        """A step was made, or perhaps not."""
        low, high = (min(max(each + step, 0), SIZE - 1) for each in (self.low, self.high))
        self.low, self.high = (low, high) if certain else (min(low, self.low), max(high, self.high))

    def see(self, number: int) -> None:
        """It is so many cells from the first one, or more where ``number`` is as far as it sees."""
        low, high = (number, number) if number < SIGHT else (max(self.low, SIGHT), max(self.high, SIGHT))
        self.low, self.high = low, high


def path(here: Cell, goals: Iterable[Cell], free: Callable[[Cell], bool]) -> int | None:
    """The first action on a shortest path to one of the goals, 0 if there already; None where there is none."""
    wanted, first = set(goals), {here: 0}
    queue = deque([here])
    while queue:
        cell = queue.popleft()
        if cell in wanted:
            return first[cell]
        for action in (1, 2, 3, 4):
            step = (cell[0] + MOVES[action][0], cell[1] + MOVES[action][1])
            if step not in first and free(step):
                first[step] = first[cell] or action
                queue.append(step)
    return None


def around(cell: Cell) -> list[Cell]:
    """The four cells beside a cell."""
    return [(cell[0] + row, cell[1] + column) for row, column in MOVES[1:]]
