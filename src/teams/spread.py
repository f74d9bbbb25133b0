"""Teams for simple spread: they agree on the order in which the landmarks are counted, and agent i takes the i-th.

Every agent sees all landmarks, so each can count them; which order is meant, it cannot see.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from .base import Script, Seen, Team, add

AGENTS = 3
#: force of an action on the speed of the next step, by action: none, left, right, down, up
PUSHES = 0.5 * np.array([[0, 0], [-1, 0], [1, 0], [0, -1], [0, 1]])
STEP, KEPT = 0.1, 0.75  # time of a step; share of its speed that a body keeps in a step

#: direction in which landmarks are counted, ``[2]``
DIRECTIONS = {"spread_from_left": (1, 0), "spread_from_right": (-1, 0), "spread_from_below": (0, 1),
              "spread_from_above": (0, -1)}


class Spreader(Script):
    """One of three agents.

    Args:
        direction: in which landmarks are counted.
        agent: its number.
    """

    def __init__(self, direction: tuple[int, int], agent: int) -> None:
        self.direction, self.agent = np.array(direction), agent

    def act(self, seen: Seen, did: int) -> int:
        speed, landmarks = seen[:2].astype(np.float64), seen[4:4 + 2 * AGENTS].reshape(AGENTS, 2).astype(np.float64)
        target = landmarks[np.argsort(landmarks @ self.direction, kind="stable")[self.agent]]  # seen from here
        # Where it would come to rest if it pushed once and then no more.
        rest = STEP * speed + STEP / (1 - KEPT) * (KEPT * speed + PUSHES)
        return int(((rest - target) ** 2).sum(1).argmin())


for _name, _direction in DIRECTIONS.items():
    add(Team(_name, "pettingzoo", (AGENTS, 5, 18), partial(Spreader, _direction)))
