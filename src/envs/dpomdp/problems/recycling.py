"""Two robots look for cans; the big one needs both (Amato, Bernstein, Zilberstein, UAI 2007)."""

from __future__ import annotations

import itertools

import numpy as np

from ..model import Model

ACTIONS = ("recharge", "search-small", "search-big")
#: whether the battery is full after each action, by whether it was (row 0: it was full)
STAYS_FULL = np.array([[1.0, 0.7, 0.5], [1.0, 0.2, 0.3]])
EMPTY = np.array([0.0, 0.2, 0.3])  # how often a low battery runs out, by action; then it is changed for a full one
SMALL, BIG, COST = 2.0, 5.0, 10.0


def recycling() -> Model:
    """Searching empties the battery; only the state of the own battery is seen.

    A small can pays 2, a big one 5 if both search for it; only if no battery runs out, and each that does costs 10.
    In the published file the actions have other names, but the same numbers.
    """
    states, pairs = list(itertools.product(range(2), repeat=2)), list(itertools.product(range(3), repeat=2))
    transition, reward = np.zeros((9, 4, 4)), np.zeros((9, 4))
    for j, pair in enumerate(pairs):
        for s, low in enumerate(states):
            one, other = (STAYS_FULL[low[i], pair[i]] for i in range(2))
            transition[j, s] = np.outer([one, 1 - one], [other, 1 - other]).reshape(-1)
            empty = [EMPTY[pair[i]] * low[i] for i in range(2)]
            found = SMALL * pair.count(1) + BIG * (pair == (2, 2))
            reward[j, s] = (1 - empty[0]) * (1 - empty[1]) * found - COST * sum(empty)
    observation = np.broadcast_to(np.eye(4), (9, 4, 4)).copy()
    words = ("full", "low")
    return Model(transition, observation, reward, np.eye(4)[0], (3, 3), (2, 2),
                 tuple(f"{words[a]}-{words[b]}" for a, b in states), (ACTIONS,) * 2, (words,) * 2)
