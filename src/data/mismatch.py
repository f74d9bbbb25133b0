"""How often recorded or independently drawn joint actions are mismatches (Definition 1)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..envs.game import FloatArray, Game, IntArray
from ..envs.mismatch import distinct, optimal_sets
from .chunks import steps_of
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


def recorded_shares(data: OfflineDataset, game: Game) -> Shares | None:
    """Shares of the recorded joint actions; None where the game does not tabulate optimal ones."""
    steps = optimal = mismatch = 0
    for _, time, seen, joint in steps_of(data, "state", "actions"):
        if not len(seen):
            continue
        found = optimal_sets(seen, time, game)
        if found is None:
            return None
        right, wrong = found[0].classify(found[1], joint)
        steps, optimal, mismatch = steps + len(seen), optimal + int(right.sum()), mismatch + int(wrong.sum())
    return Shares(optimal / steps, mismatch / steps)


class Product:
    """Agents that each draw from the data's distribution of their own action in the first state.

    Attributes:
        seen: distinct first states, ``[U, S]``.
        weight: share of the episodes that start in each, ``[U]``.
        marginals: ``[U, N, A]``, over all steps, at any time, at which the state was seen.
    """

    def __init__(self, data: OfflineDataset, n_actions: int) -> None:
        starts = np.concatenate([seen[time == 0] for _, time, seen in steps_of(data, "state")])
        first, number = distinct(starts)
        self.seen = starts[first]
        begun = np.bincount(number)
        self.weight: FloatArray = begun / begun.sum()
        counts = np.zeros((len(first), (data.shape("actions") or (0,))[-1], n_actions))
        for _, _, seen, joint in steps_of(data, "state", "actions"):
            at, number = distinct(np.concatenate([self.seen, seen]))  # of equal rows the first is one of the starts
            where = at[number[len(first):]]
            joint, where = joint[where < len(first)], where[where < len(first)]
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
