"""Two agents push boxes; the large one needs both (Seuken, Zilberstein, UAI 2007)."""

from __future__ import annotations

import itertools

import numpy as np

from ..model import Model

ACTIONS = ("turn-left", "turn-right", "move-forward", "stay")
LEFT, RIGHT, FORWARD, STAY = range(4)
NORTH, EAST, SOUTH, WEST = range(4)
#: what a step leads to with this probability; else an agent turns or moves not at all
WORKS = 0.9
STEP, BUMP, SMALL, LARGE = -0.1, -5.0, 10.0, 100.0  # the first two for each agent
SEEN = ("empty", "wall", "agent", "small-box", "large-box")
EMPTY, WALL, AGENT, SMALL_BOX, LARGE_BOX = range(5)
GOALS = ("left-box-at-goal", "right-box-at-goal", "both-small-at-goal", "large-box-at-goal")
COLUMNS = 4  # the agents' row; before columns 0 and 3 is a small box each, before 1 and 2 the large one

#: an agent: column and direction
Agent = tuple[int, int]


def box_pushing() -> Model:
    """Agents turn and move in the row below the boxes; pushing a box to the goal pays, and all begins anew after it.

    Each sees what is in front of it.  Bumping into walls, the other agent or the large box alone costs.
    """
    pairs: list[tuple[Agent, Agent]] = [((x, d), (y, e)) for x in range(COLUMNS) for d in range(4)
                                        for y in range(x + 1, COLUMNS) for e in range(4)]
    number = {pair: 4 + k for k, pair in enumerate(pairs)}
    n, begin = 4 + len(pairs), number[(0, EAST), (COLUMNS - 1, WEST)]
    transition, reward, seen = np.zeros((16, n, n)), np.zeros((16, n)), np.zeros((n, 25))
    transition[:, :4, begin] = 1.0
    seen[:4, 0] = 1.0  # nothing
    for pair, s in number.items():
        seen[s, 5 * _ahead(pair, 0) + _ahead(pair, 1)] = 1.0
        for j, wanted in enumerate(itertools.product(range(4), repeat=2)):
            reward[j, s] = _pay(pair, wanted)
            for works in itertools.product((False, True), repeat=2):
                probability = float(np.prod([WORKS if w else 1 - WORKS for w in works]))
                goal, after = _after(pair, wanted, works)
                transition[j, s, goal if after is None else number[after]] += probability
    # The published file, whose values are quoted, turns one agent here; it is what everybody plays.
    odd, right, wrong = (number[pair] for pair in (((1, EAST), (3, WEST)), ((2, EAST), (3, WEST)),
                                                   ((2, EAST), (3, SOUTH))))
    both = FORWARD * 4 + FORWARD
    transition[both, odd, wrong], transition[both, odd, right] = transition[both, odd, right], 0.0
    names = [f"{x + 1}{'NESW'[d]}-{y + 1}{'NESW'[e]}" for (x, d), (y, e) in pairs]
    return Model(transition, np.broadcast_to(seen, (16, n, 25)).copy(), reward, np.eye(n)[begin], (4, 4), (5, 5),
                 (*GOALS, *names), (ACTIONS,) * 2, (SEEN,) * 2)


def _ahead(pair: tuple[Agent, Agent], agent: int) -> int:
    """What an agent sees."""
    column, direction = pair[agent]
    if direction == NORTH:
        return SMALL_BOX if column in (0, COLUMNS - 1) else LARGE_BOX
    after = column + (direction == EAST) - (direction == WEST)
    if direction == SOUTH or not 0 <= after < COLUMNS:
        return WALL
    return AGENT if after == pair[1 - agent][0] else EMPTY


def _lifts(pair: tuple[Agent, Agent], wanted: tuple[int, ...]) -> bool:
    """Whether both push the large box."""
    return wanted == (FORWARD, FORWARD) and all(_ahead(pair, i) == LARGE_BOX for i in range(2))


def _collide(pair: tuple[Agent, Agent], wanted: tuple[int, ...]) -> bool:
    """Whether both want into the same cell."""
    return wanted == (FORWARD, FORWARD) and _ahead(pair, 0) == _ahead(pair, 1) == EMPTY and \
        (pair[0][1], pair[1][1]) == (EAST, WEST) and pair[1][0] - pair[0][0] == 2


def _pay(pair: tuple[Agent, Agent], wanted: tuple[int, ...]) -> float:
    """What is paid: by what is tried, whether it works or not."""
    pay = 2 * STEP
    if _lifts(pair, wanted):
        return pay + LARGE
    for i in range(2):
        if wanted[i] == FORWARD:
            ahead = _ahead(pair, i)
            bumps = ahead in (WALL, AGENT, LARGE_BOX) or _collide(pair, wanted)
            pay += SMALL if ahead == SMALL_BOX else BUMP if bumps else 0.0
    return pay


def _after(pair: tuple[Agent, Agent], wanted: tuple[int, ...], works: tuple[bool, ...],
           ) -> tuple[int, tuple[Agent, Agent] | None]:
    """The goal that is reached and None, or where the agents are then."""
    active = [wanted[i] if works[i] else STAY for i in range(2)]
    pushed = [active[i] == FORWARD and _ahead(pair, i) == SMALL_BOX for i in range(2)]
    if _lifts(pair, tuple(active)):
        return 3, None
    if any(pushed):
        left = [pushed[i] and pair[i][0] == 0 for i in range(2)]
        return (2 if all(pushed) else 0 if any(left) else 1), None
    new = []
    for i, (column, direction) in enumerate(pair):
        if active[i] in (LEFT, RIGHT):
            direction = (direction + (1 if active[i] == RIGHT else -1)) % 4
        elif active[i] == FORWARD and _ahead(pair, i) == EMPTY and not _collide(pair, tuple(active)):
            column += 1 if direction == EAST else -1
        new.append((column, direction))
    return 0, (new[0], new[1])
