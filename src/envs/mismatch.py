"""Which joint actions are mismatches (Definition 1).

A joint action is a mismatch in a state if each of its parts occurs in some optimal joint action
there, but the whole is not optimal: the agents disagree on the optimum.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .game import BoolArray, Game, IntArray


def distinct(rows: NDArray[Any]) -> tuple[IntArray, IntArray]:
    """Numbers the distinct rows of ``[B, ...]``: where each occurs first ``[U]``, and each row's number ``[B]``."""
    flat = _plain(rows)
    whole = flat.view(np.dtype((np.void, flat.itemsize * flat.shape[1]))).ravel()
    _, first, number = np.unique(whole, return_index=True, return_inverse=True)
    return first, number


def fingerprints(rows: NDArray[Any]) -> NDArray[np.uint64]:
    """Two numbers ``[B, 2]`` for each row of ``[B, ...]``, equal for equal rows.

    They differ for different ones but for a chance of 2^-66 for each pair, so that distinct rows can be counted without
    all of them in memory.  Rows are of whole numbers or floats of four or eight bytes.
    """
    words = _plain(rows).view(np.uint32).astype(np.uint64)
    factors = np.random.default_rng(0).integers(2**64, size=(words.shape[1], 2), dtype=np.uint64)
    return np.asarray(words @ factors)  # modulo 2^64


def _plain(rows: NDArray[Any]) -> NDArray[Any]:
    """Rows of numbers in one piece; -0.0 becomes 0.0."""
    return np.ascontiguousarray(rows.reshape(len(rows), -1) + np.zeros((), dtype=rows.dtype))


class OptimalSets:
    """The optimal joint actions of some states, laid out for looking up many joint actions at once.

    Args:
        sets: for each of U states its optimal joint actions ``[M, N]`` (may share objects).
        n_actions: A.
    """

    def __init__(self, sets: list[IntArray], n_actions: int) -> None:
        by_id = {id(rows): rows for rows in sets}
        number = {key: k for k, key in enumerate(by_id)}
        self._which = np.array([number[id(rows)] for rows in sets])
        owner = np.repeat(np.arange(len(by_id)), [len(rows) for rows in by_id.values()])
        joint = np.concatenate(list(by_id.values()))
        self._rows = np.concatenate([owner[:, None], joint], 1)
        self._parts = np.zeros((len(by_id), joint.shape[1], n_actions), dtype=np.bool_)
        self._parts[owner[:, None], np.arange(joint.shape[1]), joint] = True

    def classify(self, states: IntArray, actions: IntArray) -> tuple[BoolArray, BoolArray]:
        """Which joint actions ``[B, N]`` in the states with numbers ``[B]`` are optimal, and which mismatches."""
        owner = self._which[states]
        rows = np.concatenate([self._rows, np.concatenate([owner[:, None], actions], 1)])
        number = distinct(rows)[1]
        known = np.zeros(len(rows), dtype=np.bool_)
        known[number[: len(self._rows)]] = True
        optimal = known[number[len(self._rows):]]
        parts = self._parts[owner[:, None], np.arange(actions.shape[1]), actions].all(1)
        return optimal, parts & ~optimal


def optimal_sets(seen: NDArray[np.float32], time: IntArray, game: Game) -> tuple[OptimalSets, IntArray] | None:
    """Optimal sets of what was seen ``[B, S]`` at ``time`` ``[B]``, and the number of each row's set ``[B]``."""
    state = game.decode(seen)
    if state is None:
        return None
    state[:, 0] = time
    first, number = distinct(state)
    sets = game.optimal_actions(state[first])
    return None if sets is None else (OptimalSets(sets, game.n_actions), number)
