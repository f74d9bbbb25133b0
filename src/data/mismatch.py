"""How often recorded or independently drawn joint actions are mismatches (Definition 1).

A joint action is a mismatch in a state if each of its parts occurs in some optimal joint action
there, but the whole is not optimal: the agents disagree on the optimum.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..envs.game import BoolArray, FloatArray, Game, IntArray
from .dataset import OfflineDataset

MAX_ENUMERATED = 100_000
DRAWS = 20_000


class Shares(NamedTuple):
    """Shares of joint actions in [0, 1]; the rest is wrong in some agent's part alone.

    Attributes:
        optimal, mismatch: see the module.
        exact: false where estimated from random draws.
    """

    optimal: float
    mismatch: float
    exact: bool = True


def distinct(rows: NDArray[Any]) -> tuple[IntArray, IntArray]:
    """Numbers the distinct rows of ``[B, ...]``: where each occurs first ``[U]``, and each row's number ``[B]``."""
    flat = np.ascontiguousarray(rows.reshape(len(rows), -1) + np.zeros((), dtype=rows.dtype))  # -0.0 becomes 0.0
    whole = flat.view(np.dtype((np.void, flat.itemsize * flat.shape[1]))).ravel()
    _, first, number = np.unique(whole, return_index=True, return_inverse=True)
    return first, number


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


def recorded_shares(data: OfflineDataset, game: Game) -> Shares | None:
    """Shares of the recorded joint actions; None where the game does not tabulate optimal ones."""
    found = optimal_sets(data.state[data.steps], np.nonzero(data.steps)[1], game)
    if found is None:
        return None
    optimal, mismatch = found[0].classify(found[1], data.actions[data.steps])
    return Shares(float(optimal.mean()), float(mismatch.mean()))


class Product:
    """Agents that each draw from the data's distribution of their own action in the first state.

    Attributes:
        seen: distinct first states, ``[U, S]``.
        weight: share of the episodes that start in each, ``[U]``.
        marginals: ``[U, N, A]``, over all steps, at any time, at which the state was seen.
    """

    def __init__(self, data: OfflineDataset, n_actions: int) -> None:
        steps = data.steps
        number = np.full(steps.shape, -1)
        first, number[steps] = distinct(data.state[steps])
        starts, begun = np.unique(number[steps[:, 0], 0], return_counts=True)
        self.seen = data.state[steps][first[starts]]
        self.weight: FloatArray = begun / begun.sum()
        place = np.full(len(first), -1)
        place[starts] = np.arange(len(starts))
        where = place[number[steps]]
        joint, where = data.actions[steps][where >= 0], where[where >= 0]
        counts = np.zeros((len(starts), joint.shape[1], n_actions))
        np.add.at(counts, (where[:, None], np.arange(joint.shape[1]), joint), 1.0)
        self.marginals: FloatArray = counts / counts.sum(2, keepdims=True)

    def joint_actions(self) -> tuple[IntArray, IntArray, FloatArray, bool]:
        """States' numbers ``[B]``, joint actions ``[B, N]``, probabilities ``[B]``; whether these are all."""
        states, n_agents, n_actions = self.marginals.shape
        if states * n_actions ** n_agents <= MAX_ENUMERATED:
            shape = (states, *[n_actions] * n_agents)
            grid = np.indices(shape).reshape(n_agents + 1, -1)
            state, joint = grid[0], grid[1:].T
            chance = self.weight[state] * self.marginals[state[:, None], np.arange(n_agents), joint].prod(1)
            return state, joint, chance, True
        rng = np.random.default_rng(0)
        state = rng.choice(states, size=DRAWS, p=self.weight)
        edges = self.marginals.cumsum(2)[state]  # [DRAWS, N, A]
        joint = (rng.random((DRAWS, n_agents, 1)) * edges[..., -1:] >= edges).sum(2)
        return state, joint, np.full(DRAWS, 1 / DRAWS), False

    def shares(self, game: Game) -> Shares | None:
        """Shares of the joint actions drawn; None where the game does not tabulate optimal ones."""
        state, joint, chance, exact = self.joint_actions()
        found = optimal_sets(self.seen, np.zeros(len(self.seen), dtype=np.int64), game)
        if found is None:
            return None
        optimal, mismatch = found[0].classify(found[1][state], joint)
        return Shares(float(chance @ optimal), float(chance @ mismatch), exact)

    def penalised(self, game: Game) -> tuple[float, bool] | None:
        """Probability of a negative reward at the start, and whether it is exact; None if starts differ.

        None, too, where joint actions cannot be tried one after another from the same start.
        """
        if not game.pure:
            return None
        rng = np.random.default_rng(0)
        start = game.initial(1, rng)
        if len(self.seen) > 1 or (game.global_state(start) != self.seen).any():
            return None
        _, joint, chance, exact = self.joint_actions()
        reward = game.transition(np.repeat(start, len(joint), 0), joint, rng).reward
        return float(chance @ (reward < 0)), exact
