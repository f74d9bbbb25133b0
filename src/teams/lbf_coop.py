"""Teams for Level-Based Foraging with a sight of two cells, where every food needs both agents.

They agree on a corner to meet at, on who leads, and on the way that the leader then searches the field.  The other
follows it, and joins it at the food that it stands beside.  Nobody knows more than it sees and remembers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from .base import NOTHING_YET, Script, Seen, Team, add
from .lbf import LOAD, MOVES, SIZE, STAY, Cell, beside
from .lbf_walk import SIGHT, Place, around, path

FOODS, PATIENCE = 2, 4  # steps for which one looks for a partner that it has lost before it goes back to the corner
NEAR, FAR = 2, SIZE - 1 - 2  # rows and columns from which one side of the field is in sight


def distance(step: Cell) -> int:
    """How many moves a cell seen from here is away."""
    return abs(step[0]) + abs(step[1])


@dataclass(frozen=True)
class Convention:
    """What a team agrees on.

    Attributes:
        leader: number of the agent that leads.
        corner: where to meet, rows and columns 0 (first) or 1 (last).
        rows_first: whether the leader searches along rows, or along columns.
    """

    leader: int
    corner: Cell
    rows_first: bool

    def tour(self) -> list[Cell]:
        """The cells that the leader visits in turn until it sees food; the first is where the team meets."""
        row, column = (FAR if last else NEAR for last in self.corner)
        other_row, other_column = NEAR + FAR - row, NEAR + FAR - column
        second, fourth = (row, other_column), (other_row, column)
        if not self.rows_first:
            second, fourth = fourth, second
        return [(row, column), second, (other_row, other_column), fourth]


class Searcher(Script):
    """One of two agents.

    Args:
        convention: what the team agrees on.
        agent: its number.
    """

    def __init__(self, convention: Convention, agent: int) -> None:
        self.leads = convention.leader == agent
        self.corner, self.tour = convention.corner, convention.tour()
        self.row, self.column = Place(), Place()
        self.foods: set[Cell] = set()  # in sight, seen from here: rows down, columns to the right
        self.partner: Cell | None = None  # seen from here, or where it was when it was last seen
        self.lost = PATIENCE + 1  # steps since the partner was in sight; 0: it is
        self.stage = 0  # of the tour

    def act(self, seen: Seen, did: int) -> int:
        self._remember(did)
        self._look(seen)
        meal = self._load()
        if meal is not None:
            return meal
        if self.lost > PATIENCE or self.partner is None:
            return self._walk(self.tour[0])
        return self._lead() if self.leads else self._follow()

    # --- knowing ---
    def _remember(self, did: int) -> None:
        """What the last action has changed in what is known."""
        if did in (NOTHING_YET, STAY, LOAD) or MOVES[did] in self.foods:
            return
        step, certain = MOVES[did], not (self.lost == 0 and MOVES[did] == self.partner)
        self.row.move(step[0], certain)
        self.column.move(step[1], certain)
        if not certain:
            self.foods = set()  # nobody knows from where they were seen
            return
        self.foods = {(food[0] - step[0], food[1] - step[1]) for food in self.foods}
        if self.partner is not None:
            self.partner = (self.partner[0] - step[0], self.partner[1] - step[1])

    def _look(self, seen: Seen) -> None:
        things = [(int(row), int(column), int(level)) for row, column, level in seen.reshape(-1, 3)]
        row, column, _ = things[FOODS]
        self.row.see(row)
        self.column.see(column)
        self.foods = {food for food in self.foods if max(map(abs, food)) > SIGHT}
        self.foods |= {(food[0] - row, food[1] - column) for food in things[:FOODS] if food[2] > 0}
        other = things[FOODS + 1]
        self.lost += 1
        if other[2] > 0:
            self.partner, self.lost = (other[0] - row, other[1] - column), 0

    def _free(self, step: Cell) -> bool:
        """Whether a cell seen from here may be walked on, as far as one can tell."""
        inside = all(place.low + there >= 0 and (not place.known or place.high + there < SIZE)
                     for place, there in ((self.row, step[0]), (self.column, step[1])))
        reachable = max(map(abs, step)) < SIZE
        if not inside or not reachable or step in self.foods:
            return False
        if self.lost > 0 or self.partner is None:
            return True
        # The follower may be about to step between the two of them; the leader goes around.
        between = (self.partner[0] / 2, self.partner[1] / 2)
        return step != self.partner and not (self.leads and step == between)

    # --- acting ---
    def _load(self) -> int | None:
        """Loads what both stand beside; the first stays there for the other."""
        here = [food for food in self.foods if beside((0, 0), food)]
        if not here or self.lost > 0 or self.partner is None:
            return None
        if beside(self.partner, here[0]):
            return LOAD
        return STAY if self.leads else None

    def _lead(self) -> int:
        """Goes ahead while the other keeps up: to food, else on the tour."""
        assert self.partner is not None
        if self.lost > 0 or distance(self.partner) > SIGHT + 1:
            return STAY
        if self.foods:
            food = min(self.foods, key=lambda each: (distance(each), each))
            return path((0, 0), around(food), self._free) or STAY
        place = self.tour[self.stage]  # beside it will do: the other may stand there
        if self.row.known and self.column.known and distance((place[0] - self.row.low, place[1] - self.column.low)) < 2:
            self.stage = (self.stage + 1) % len(self.tour)
        return self._walk(self.tour[self.stage])

    def _follow(self) -> int:
        """Comes to the food at which the leader waits, else close to the leader; there it stands still."""
        assert self.partner is not None
        meal = [food for food in self.foods if beside(food, self.partner)]
        if meal and self.lost == 0:
            return path((0, 0), around(meal[0]), self._free) or STAY
        row, column = self.partner
        if max(abs(row), abs(column)) <= 1:
            return STAY
        wanted = [(1 if row > 0 else -1, 0), (0, 1 if column > 0 else -1)]
        if abs(column) > abs(row):
            wanted.reverse()
        return next((MOVES.index(step) for step, left in zip(wanted, sorted(map(abs, self.partner), reverse=True),
                                                             strict=True) if left and self._free(step)), STAY)

    def _walk(self, goal: Cell) -> int:
        """Towards a cell of the field; who does not know where it is goes to the corner to find out."""
        for axis, place in enumerate((self.row, self.column)):
            if not place.known:
                ahead = 1 if self.corner[axis] else -1
                return self._past(axis, ahead)
        step = (goal[0] - self.row.low, goal[1] - self.column.low)
        goals = [step] if step not in self.foods else around(step)
        return path((0, 0), goals, self._free) or STAY

    def _past(self, axis: int, ahead: int) -> int:
        """One step along an axis, or around what is in the way."""
        sideways = -1 if self.corner[1 - axis] else 1  # away from the corner: there is always room
        for row, column in ((ahead, 0), (0, sideways), (0, -sideways)):
            step = (row, column) if axis == 0 else (column, row)
            if self._free(step):
                return MOVES.index(step)
        return STAY


CONVENTIONS = {"coop_north_west": Convention(0, (0, 0), True), "coop_south_east": Convention(1, (1, 1), False),
               "coop_north_east": Convention(1, (0, 1), False), "coop_south_west": Convention(0, (1, 0), True)}
for _name, _convention in CONVENTIONS.items():
    add(Team(_name, "gymma", (2, 6, 3 * FOODS + 6), partial(Searcher, _convention)))
