"""What agents that imitate their own recorded actions, each by itself, would do together, state by state.

In a state, every agent draws from (or takes the most frequent of) the actions that it has there in the data.  What the
team then does may be something that nobody ever recorded, or that pays less: the mismatch that independent imitation
suffers.  All shares are exact counts; rewards that were never recorded are asked of the game's rules, where these are
known.
"""

from __future__ import annotations

import numpy as np

from ..envs.game import BoolArray, FloatArray, Game, IntArray
from ..envs.mismatch import OptimalSets, distinct
from .dataset import OfflineDataset
from .state_table import StateTable
from .states import state_of

MOST_JOINT = 65_536  # joint actions of a state that are enumerated
DRAWS = 20_000
CLEAR = 3.0  # standard errors


class Imitation:
    """Independent imitation of a data set.

    Args:
        data: of a game with discrete actions.
        game: its rules; None where they are not known, which leaves out what only they tell.

    Attributes:
        n_states: number of different states, U.
        never: probability that independent draws in the state of a random step give a joint action that was never
            recorded in that state; exact.
        harmed: share of the steps in whose state the most frequent own actions together were never recorded, or were
            followed by a return clearly (three standard errors) below the mean of that state.
        n_pairs: number of different pairs of a state and a joint action.
    """

    def __init__(self, data: OfflineDataset, game: Game | None = None) -> None:
        self.data, self.game = data, game
        steps = data.steps
        self._episode, self._time = np.nonzero(steps)
        self._seen, self._actions = data.state[steps], data.actions[steps]
        self._reward = data.reward[steps].astype(np.float64)
        self._to_go = returns_to_go(data)[steps]
        self._first, self._state = distinct(self._seen)
        self.n_states = len(self._first)
        self.visits = np.bincount(self._state, minlength=self.n_states)
        n_agents, n_actions = self._actions.shape[1], data.avail_actions.shape[3]
        counts = np.zeros((self.n_states, n_agents, n_actions))
        np.add.at(counts, (self._state[:, None], np.arange(n_agents), self._actions), 1.0)
        self.marginals: FloatArray = counts / counts.sum(2, keepdims=True)
        pair_first, self._pair = distinct(np.concatenate([self._state[:, None], self._actions], 1))
        self._pair_state, self._pair_joint = self._state[pair_first], self._actions[pair_first]
        self._pair_count = np.bincount(self._pair)
        self._pair_drawn = self.marginals[self._pair_state[:, None], np.arange(n_agents), self._pair_joint].prod(1)
        self.n_pairs = len(pair_first)
        within = np.bincount(self._pair_state, self._pair_drawn, self.n_states)
        self.never = float((1.0 - within).clip(0.0) @ self.visits / len(self._state))
        self._below = self._is_harmed(counts.argmax(2))
        self.harmed = float(self._below @ self.visits / len(self._state))

    def _is_harmed(self, greedy: IntArray) -> BoolArray:
        """Of each state, ``[U]``; greedy joint actions ``[U, N]``."""
        mean = np.bincount(self._state, self._to_go, self.n_states) / self.visits
        spread = np.sqrt(np.bincount(self._state, (self._to_go - mean[self._state]) ** 2, self.n_states) / self.visits)
        hit = (self._pair_joint == greedy[self._pair_state]).all(1)
        worth = np.bincount(self._pair, self._to_go) / self._pair_count
        own = self._pair_state[hit]
        below = np.ones(self.n_states, dtype=np.bool_)
        below[own] = worth[hit] < mean[own] - CLEAR * spread[own] / np.sqrt(self._pair_count[hit]) - 1e-6
        return below

    def frequent(self, most: int) -> list[StateTable]:
        """Tables of the states that are visited most, at most so many; of equal ones, those seen earlier first."""
        earliest = np.full(self.n_states, np.iinfo(np.int64).max)
        np.minimum.at(earliest, self._state, self._time)
        order = np.lexsort((self._first, earliest, -self.visits))[:most]
        rows = np.argsort(self._state, kind="stable")
        ends = np.cumsum(self.visits)
        pairs = np.argsort(self._pair_state, kind="stable")
        pair_ends = np.cumsum(np.bincount(self._pair_state, minlength=self.n_states))
        tables = []
        for k in order.tolist():
            mine = rows[ends[k] - self.visits[k]:ends[k]]
            own = pairs[(pair_ends[k - 1] if k else 0):pair_ends[k]]
            tables.append(self._table(k, mine, own))
        return tables

    def _table(self, k: int, rows: IntArray, pairs: IntArray) -> StateTable:
        pairs = pairs[np.lexsort((*self._pair_joint[pairs].T[::-1], -self._pair_count[pairs]))]
        place = np.zeros(self.n_pairs, dtype=np.int64)
        place[pairs] = np.arange(len(pairs))
        where, counts = place[self._pair[rows]], self._pair_count[pairs]
        at = rows[self._time[rows].argmin()]
        first = StateTable(
            self._seen[at], int(self._time[at]), int(self._episode[at]), len(rows), self.marginals[k],
            self._pair_joint[pairs], counts, np.bincount(where, self._reward[rows]) / counts,
            np.bincount(where, self._to_go[rows]) / counts, self._pair_drawn[pairs],
            np.asarray(self.marginals[k].argmax(1)), bool(self._below[k]))
        return self._by_rules(first)

    def _by_rules(self, table: StateTable) -> StateTable:
        recorded = (table.joint == table.greedy).all(1)
        greedy = float(table.reward[recorded][0]) if recorded.any() else None
        state = None if self.game is None else state_of(self.game, table.seen[None], np.array([table.time]))
        known = {**vars(table), "greedy_reward": greedy}
        if self.game is None or state is None:
            return StateTable(**known)
        joint, chance, exact = _product(table.marginals)
        both = np.concatenate([joint, table.greedy[None]])
        reward = _rewards(self.game, state, both)
        known |= {"greedy_reward": float(reward[-1]) if greedy is None else greedy,
                  "reward_drawn": float(chance @ reward[:-1]), "exact": exact}
        sets = self.game.optimal_actions(state)
        if sets is not None:
            lookup, n = OptimalSets(sets, self.game.n_actions), len(joint)
            optimal, mismatch = lookup.classify(np.zeros(n + len(table.joint), dtype=np.int64),
                                                np.concatenate([joint, table.joint]))
            known |= {"mismatch": float(chance @ mismatch[:n]), "optimal": optimal[n:]}
        return StateTable(**known)

    def reward_per_step(self) -> tuple[float, float | None]:
        """Mean reward of a step: recorded, and if every agent draws by itself in the recorded state.

        The latter is estimated from :data:`DRAWS` steps; None where the rules are not known.
        """
        recorded = float(self._reward.mean())
        if self.game is None or not self.game.pure:
            return recorded, None
        rng = np.random.default_rng(0)
        at = rng.integers(len(self._state), size=DRAWS)
        state = state_of(self.game, self._seen[at], self._time[at])
        if state is None:
            return recorded, None
        joint = _drawn(self.marginals[self._state[at]], rng)
        return recorded, float(self.game.transition(state, joint, rng).reward.mean())


def _rewards(game: Game, state: IntArray, joint: IntArray) -> FloatArray:
    """Rewards ``[B]`` of joint actions ``[B, N]`` in one state ``[1, K]``, whatever may follow it."""
    rng = np.random.default_rng(0)
    return np.asarray(game.transition(np.repeat(state, len(joint), 0), joint, rng).reward)


def _product(marginals: FloatArray) -> tuple[IntArray, FloatArray, bool]:
    """Joint actions ``[B, N]`` of independent agents ``[N, A]``, their probabilities, whether these are all."""
    support = [np.flatnonzero(row) for row in marginals]
    total = float(np.prod([float(len(own)) for own in support]))
    if total <= MOST_JOINT:
        grid = np.stack([axis.ravel() for axis in np.meshgrid(*support, indexing="ij")], 1)
        return grid, marginals[np.arange(len(marginals)), grid].prod(1), True
    joint = _drawn(np.broadcast_to(marginals, (DRAWS, *marginals.shape)), np.random.default_rng(0))
    return joint, np.full(DRAWS, 1 / DRAWS), False


def _drawn(marginals: FloatArray, rng: np.random.Generator) -> IntArray:
    """One joint action ``[B, N]`` of each row of independent agents ``[B, N, A]``."""
    edges = marginals.cumsum(2)
    return np.asarray((rng.random((*edges.shape[:2], 1)) * edges[..., -1:] >= edges).sum(2))


def returns_to_go(data: OfflineDataset) -> FloatArray:
    """Undiscounted, ``[E, T + 1]``."""
    reward = data.reward.astype(np.float64) * data.steps
    return np.asarray(reward[:, ::-1].cumsum(1)[:, ::-1])
