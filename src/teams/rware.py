"""Teams for the tiny warehouse of RWARE: they agree on which robot fetches from which shelves.

A robot sees one cell around it.  It walks along the shelves of its own until it sees one that is requested, carries it
to its goal by the free lanes, takes it back, and walks on.  What the other one's shelves look like, it never knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from .base import Script, Seen, Team, add
from .rware_map import GOALS, NOOP, RACKS, TOGGLE, Cell, Pose, action, ahead

SELF, CELL = 8, 7  # numbers about the robot itself, and about each of the nine cells
AROUND = [(x, y) for y in (-1, 0, 1) for x in (-1, 0, 1)]
HERE = AROUND.index((0, 0))
NO_CELLS: frozenset[Cell] = frozenset()


@dataclass(frozen=True)
class Zone:
    """What one robot serves.

    Attributes:
        columns: x of its shelves.
        tour: the cells that it visits in turn while it looks for requests.
        goal: where it delivers.
    """

    columns: tuple[int, ...]
    tour: tuple[Cell, ...]
    goal: Cell


WEST = Zone((1, 2), ((1, 1), (1, 8)), GOALS[0])
EAST = Zone((7, 8), ((8, 8), (8, 1)), GOALS[1])
INNER = Zone((2, 7), ((2, 1), (7, 1), (7, 8), (2, 8)), GOALS[0])
OUTER = Zone((1, 8), ((1, 8), (8, 8), (8, 1), (1, 1)), GOALS[1])


class Robot(Script):
    """One of two robots.

    Args:
        zones: of both.
        first: number of the robot that insists on its way where two meet; the other goes around it.
        agent: its number.
    """

    def __init__(self, zones: tuple[Zone, Zone], first: int, agent: int) -> None:
        self.zone, self.insists = zones[agent], first == agent
        self.requested: set[Cell] = set()  # as far as it knows
        self.home: Cell | None = None  # of the shelf that it carries
        self.loaded = False
        self.stage = 0  # of the tour

    def act(self, seen: Seen, did: int) -> int:
        pose: Pose = (int(seen[0]), int(seen[1]), int(seen[3:7].argmax()))
        here = pose[:2]
        cells = {(here[0] + x, here[1] + y): seen[SELF + CELL * i:SELF + CELL * (i + 1)]
                 for i, (x, y) in enumerate(AROUND)}
        for cell, facts in cells.items():
            if facts[6] and cell in RACKS and cell[0] in self.zone.columns:
                self.requested.add(cell)
            else:
                self.requested.discard(cell)
        was_loaded, self.loaded = self.loaded, bool(seen[2])
        if self.loaded and not was_loaded:
            self.home = here
        others = frozenset(cell for cell, facts in cells.items() if facts[0] and cell != here)
        return self._carry(pose, bool(cells[here][6]), others) if self.loaded else self._look(pose, others)

    def _carry(self, pose: Pose, wanted: bool, others: frozenset[Cell]) -> int:
        """To the goal while the shelf is requested, then back to where it came from."""
        assert self.home is not None
        target = self.zone.goal if wanted else self.home
        if pose[:2] == target:
            return NOOP if wanted else TOGGLE
        return self._way(pose, target, RACKS, others)

    def _look(self, pose: Pose, others: frozenset[Cell]) -> int:
        """To the nearest requested shelf that it knows, else on along its shelves."""
        here = pose[:2]
        if here in self.requested:
            return TOGGLE
        if self.requested:
            target = min(self.requested, key=lambda cell: (abs(cell[0] - here[0]) + abs(cell[1] - here[1]), cell))
            return self._way(pose, target, NO_CELLS, others)
        if here == self.zone.tour[self.stage]:
            self.stage = (self.stage + 1) % len(self.zone.tour)
        return self._way(pose, self.zone.tour[self.stage], NO_CELLS, others)

    def _way(self, pose: Pose, target: Cell, closed: frozenset[Cell], others: frozenset[Cell]) -> int:
        straight = action(pose, target, closed)
        if self.insists or ahead(pose) not in others:
            return straight
        around = action(pose, target, closed | others)
        return straight if around == NOOP else around


CONVENTIONS = {"rware_west_east": ((WEST, EAST), 0), "rware_east_west": ((EAST, WEST), 1),
               "rware_inner_outer": ((INNER, OUTER), 1), "rware_outer_inner": ((OUTER, INNER), 0)}
for _name, (_zones, _first) in CONVENTIONS.items():
    add(Team(_name, "gymma", (2, 5, SELF + CELL * len(AROUND)), partial(Robot, _zones, _first)))
