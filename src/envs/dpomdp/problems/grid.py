"""Two agents want to meet in a grid of 2 x 2 cells (Bernstein, Hansen, Zilberstein, IJCAI 2005)."""

from __future__ import annotations

import numpy as np

from ..model import Model

ACTIONS = ("up", "down", "left", "right", "stay")
MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1), (0, 0))
RIGHT, WRONG = 0.6, 0.1  # a move goes as wanted, or in each of the other four ways
START = (1, 2)  # opposite corners


def grid_small() -> Model:
    """Each step that ends with both in one cell pays 1; each sees only whether it is in the left or right column."""
    one = np.zeros((5, 4, 4))  # [action, cell, next cell]
    for cell in range(4):
        ends = [min(max(cell // 2 + dr, 0), 1) * 2 + min(max(cell % 2 + dc, 0), 1) for dr, dc in MOVES]
        for action in range(4):
            for way, end in enumerate(ends):
                one[action, cell, end] += RIGHT if way == action else WRONG
        one[4, cell, cell] = 1.0  # staying is safe
    transition = np.einsum("apx,bqy->abpqxy", one, one).reshape(25, 16, 16)
    column = np.eye(2)[np.arange(4) % 2]
    seen = np.einsum("pa,qb->pqab", column, column).reshape(16, 4)
    met = np.eye(4).reshape(-1)
    return Model(transition, np.broadcast_to(seen, (25, 16, 4)).copy(), transition @ met,
                 np.eye(16)[4 * START[0] + START[1]], (5, 5), (2, 2), tuple(f"{p}-{q}" for p in range(4)
                                                                         for q in range(4)),
                 (ACTIONS,) * 2, (("left-column", "right-column"),) * 2)
