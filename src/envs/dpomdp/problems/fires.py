"""Two fire fighters, three houses in a row (Oliehoek, Spaan, Vlassis, JAIR 2008)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from ...game import FloatArray
from ..model import Model

HOUSES, LEVELS = 3, 3
DECIMALS = 2
START = HOUSES  # the place before the first action
IGNITES, GROWS, GROWS_NEXT_TO_FIRE = 0.8, 0.4, 0.8
SHRINKS_NEXT_TO_FIRE = 0.6  # one fighter alone; without a fire next door always
FLAMES = (0.2, 0.5, 0.8)  # how often flames are seen, by level


def fire_fighting() -> Model:
    """Each fighter goes to a house; every step costs the sum of the levels that the fires have after it.

    Two fighters put a fire out, one makes it smaller; where nobody is it grows, and catches from the house next door.
    Each sees whether there are flames at its own house, not always rightly.
    """
    fires = list(itertools.product(range(LEVELS), repeat=HOUSES))
    places = list(itertools.product((*range(HOUSES), START), repeat=2))
    states = [(fire, place) for fire in fires for place in places]
    number = {state: s for s, state in enumerate(states)}
    transition = np.zeros((HOUSES**2, len(states), len(states)))
    # The published file, whose values are quoted, holds two decimals.
    for j, going in enumerate(itertools.product(range(HOUSES), repeat=2)):
        for fire in fires:
            each = [_house(fire, house, going.count(house)) for house in range(HOUSES)]
            law = {number[after, going]: round(float(np.prod([p[level] for p, level in zip(each, after, strict=True)])),
                                               DECIMALS) for after in fires}
            rows = [number[fire, place] for place in places]
            for end, probability in law.items():
                transition[j, rows, end] = probability
    transition /= transition.sum(2, keepdims=True)
    flames = np.array([[FLAMES[fire[at]] if at != START else FLAMES[0] for at in place] for fire, place in states])
    one, other = (np.stack([sight, 1 - sight], 1) for sight in flames.T)  # [S, 2]
    seen = (one[:, :, None] * other[:, None]).reshape(len(states), 4)
    cost = np.array([float(sum(fire)) for fire, _ in states])
    start = np.array([float(place == (START, START)) for _, place in states])
    words = [f"h{house + 1}" for house in range(HOUSES)] + ["start"]
    names = tuple("_".join([*(f"f{level}" for level in fire), *(words[at] for at in place)]) for fire, place in states)
    return Model(transition, np.broadcast_to(seen, (HOUSES**2, *seen.shape)).copy(), -transition @ cost,
                 start / start.sum(), (HOUSES,) * 2, (2, 2), names, (("go1", "go2", "go3"),) * 2,
                 (("flames", "no-flames"),) * 2)


def _house(fire: Sequence[int], house: int, fighters: int) -> FloatArray:
    """Law of one house's next level."""
    level, law = fire[house], np.zeros(LEVELS)
    beside = any(fire[k] for k in (house - 1, house + 1) if 0 <= k < HOUSES)
    if fighters >= 2:
        law[0] = 1.0
    elif fighters == 1:
        shrinks = SHRINKS_NEXT_TO_FIRE if beside else 1.0
        law[level] += 1 - shrinks
        law[max(level - 1, 0)] += shrinks
    else:
        grows = (GROWS_NEXT_TO_FIRE if beside else GROWS) if level else (IGNITES if beside else 0.0)
        law[level] += 1 - grows
        law[min(level + 1, LEVELS - 1)] += grows
    return law
