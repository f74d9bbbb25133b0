"""Two agents before two doors, one of which hides a tiger (Nair et al., IJCAI 2003)."""

from __future__ import annotations

import itertools

import numpy as np

from ..model import Model

ACTIONS = ("listen", "open-left", "open-right")
HEARD = 0.85  # how often a listener hears the tiger on the right side
LISTENS, TOGETHER_WRONG, TOGETHER_RIGHT, APART = -2.0, -50.0, 20.0, -100.0
ALONE_WRONG, ALONE_RIGHT = -101.0, 9.0  # one opens while the other listens


def dec_tiger() -> Model:
    """Listening costs little; opening a door pays if the tiger is behind the other, best if both open the same.

    Any opening puts the tiger behind a random door, and nobody hears anything that means something then.
    """
    transition, observation, reward = np.full((9, 2, 2), 0.5), np.full((9, 2, 4), 0.25), np.zeros((9, 2))
    transition[0] = np.eye(2)
    for tiger in range(2):
        hears = np.where(np.arange(2) == tiger, HEARD, 1 - HEARD)
        observation[0, tiger] = np.outer(hears, hears).reshape(-1)
        for j, pair in enumerate(itertools.product(range(3), repeat=2)):
            doors = {action - 1 for action in pair if action}
            if not doors:
                reward[j, tiger] = LISTENS
            elif len(doors) == 2:
                reward[j, tiger] = APART
            elif 0 in pair:
                reward[j, tiger] = ALONE_WRONG if tiger in doors else ALONE_RIGHT
            else:
                reward[j, tiger] = TOGETHER_WRONG if tiger in doors else TOGETHER_RIGHT
    return Model(transition, observation, reward, np.full(2, 0.5), (3, 3), (2, 2), ("tiger-left", "tiger-right"),
                 (ACTIONS,) * 2, (("hear-left", "hear-right"),) * 2)
