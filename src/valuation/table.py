"""Evaluation by counting, where what was recorded repeats: an exact model of the data, and nothing beyond them.

What a joint action pays and leads to in a state is the mean of what was recorded there.  One that was never recorded
there is worth the worst return that was ever recorded from a step with as much time left.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..envs.mismatch import distinct
from .estimate import Estimate
from .recorded import Recorded

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

REPEATED = 0.9  # share of the recorded steps whose state and joint action must come again
SWEEPS, CLOSE = 2000, 1e-4  # at most so many, or until nothing changes by more than a share of the returns' spread
PRIOR = 1.0  # steps that the spread of all pairs counts for in that of one


@dataclass(frozen=True)
class Pairs:
    """U states, P pairs of a state and a joint action that were recorded there.

    Attributes:
        place: number of the state at every place ``[P']``.
        shown: a place of each state ``[U]``.
        state, after: number of the state before and after every step ``[M]``.
        pair: number of every step's pair ``[M]``.
        first: a step of each pair ``[P]``.
        n_states: U.
    """

    place: Ints
    shown: Ints
    state: Ints
    after: Ints
    pair: Ints
    first: Ints
    n_states: int

    @staticmethod
    def of(recorded: Recorded) -> Pairs:
        """Those of recorded steps."""
        first, number = distinct(recorded.seen.numpy())
        state = number[recorded.now.numpy()]
        pairs, pair = distinct(np.concatenate([state[:, None], recorded.actions.numpy()], 1))
        return Pairs(number, first, state, number[recorded.after.numpy()], pair, pairs, len(first))

    @property
    def repeated(self) -> float:
        """Share of the steps whose pair was recorded in another step, too."""
        return float((np.bincount(self.pair)[self.pair] > 1).mean())


class Table:
    """The model.

    Args:
        recorded: steps and players.
        gamma: discount.
        pairs: those of the steps, if they are known.
    """

    def __init__(self, recorded: Recorded, gamma: float, pairs: Pairs | None = None) -> None:
        self.recorded, self.gamma, self.pairs = recorded, gamma, pairs or Pairs.of(recorded)
        pair = self.pairs.pair
        self.reward, self.done = recorded.reward.double().numpy(), recorded.done.numpy()
        self.count = np.bincount(pair).astype(np.float64)
        self.pays = np.bincount(pair, self.reward) / self.count
        # What the last step leads to, in a game that its limit ends, tells nothing of earlier ones in the same state.
        self._timely = recorded.time.numpy() + 1 < recorded.limit if recorded.fixed else np.ones(len(pair), np.bool_)
        follows = ~self.done & self._timely
        known = np.bincount(pair, self._timely, len(self.count))
        flows = np.stack([pair, self.pairs.after], 1)[follows]
        kind, flow = distinct(flows) if len(flows) else (np.zeros(0, np.int64), np.zeros(0, np.int64))
        self._from, self._to = flows[kind].T
        self._share = np.bincount(flow, minlength=len(kind)) / known[self._from]  # the rest has ended
        self._lost = known == 0  # nobody recorded what follows
        to_go = recorded.returns_to_go(gamma).numpy()
        self.spread = float(to_go.std()) or 1.0
        self.worst = recorded.worst_to_go(gamma).numpy()
        begins = recorded.time.numpy() == 0
        self.starts = np.bincount(self.pairs.state[begins], minlength=self.pairs.n_states) / max(1, begins.sum())
        self.n_starts = int(begins.sum())

    def estimate(self) -> Estimate:
        """Of all teams."""
        owner = self.recorded.owner.numpy()
        found = [self.team(np.flatnonzero(owner == team)) for team in range(self.recorded.n_teams)]
        value, error, start, unseen = (np.array(column) for column in zip(*found, strict=True))
        facts = {"states": self.pairs.n_states, "pairs": len(self.count)}
        return Estimate(value, error, start, unseen, self.gamma, "table", facts)

    def team(self, players: Ints) -> tuple[float, float, float, float]:
        """Value, error, error by the first states, and unseen share, of one team."""
        return self._judged(self._policy(players))

    def of(self, actions: Ints) -> tuple[float, float]:
        """Value and error of a team that plays the joint actions ``[U, N]`` in the states."""
        states = np.arange(self.pairs.n_states)
        pair = self._pair(states, actions)
        unseen = float((pair[self.pairs.state] < 0).mean())
        return self._judged(_Policy(states, pair, np.ones(len(states)), unseen))[:2]

    @cached_property
    def _known(self) -> Ints:
        """State and joint action of each pair ``[P, 1 + N]``."""
        first = self.pairs.first
        return np.concatenate([self.pairs.state[first][:, None], self.recorded.actions.numpy()[first]], 1)

    def _pair(self, state: Ints, actions: Ints) -> Ints:
        """The numbers ``[R]`` of pairs of states ``[R]`` and joint actions ``[R, N]``; -1: never recorded."""
        known = len(self._known)
        first, number = distinct(np.concatenate([self._known, np.concatenate([state[:, None], actions], 1)]))
        which = np.full(len(first), -1)
        which[number[:known]] = np.arange(known)
        return which[number[known:]]

    def _judged(self, policy: _Policy) -> tuple[float, float, float, float]:
        """Value, error, error by the first states, and unseen share, of a policy."""
        values = self._values(policy)
        value = values[-1]
        mean = float(self.starts @ value)
        spread = float(np.sqrt(self.starts @ (value - mean) ** 2))
        return mean, self._error(policy, values), spread / np.sqrt(max(1, self.n_starts)), policy.unseen

    def _policy(self, players: Ints) -> _Policy:
        """What they play in every state: one joint action, or several with the shares in which they come."""
        pairs, recorded = self.pairs, self.recorded
        state = np.tile(pairs.place, len(players))
        asked = recorded.played[players].flatten(0, 1).numpy().astype(np.int64)
        pair = self._pair(state, asked)
        (at, used), count = np.unique(np.stack([state, pair]), axis=1, return_counts=True)
        total = np.bincount(state, minlength=pairs.n_states)
        before = pair.reshape(len(players), -1)[:, recorded.now.numpy()]
        return _Policy(at, used, count / total[at], float((before < 0).mean()))

    def _onward(self, value: Floats) -> Floats:
        """What follows each pair is worth, discounted ``[P]``, from values of states ``[U]``."""
        return self.gamma * _sums(self._from, self._share * value[self._to], len(self.count))

    def _backed(self, policy: _Policy, value: Floats, left: int) -> Floats:
        """Values of states with ``left`` steps to go, from those with one less."""
        worst = self.worst[left]
        pair = self.pays + np.where(self._lost & (left > 1), self.worst[max(0, left - 1)], self._onward(value))
        each = np.where(policy.pair >= 0, pair[policy.pair], worst)
        return _sums(policy.state, policy.share * each, self.pairs.n_states)

    def _values(self, policy: _Policy) -> list[Floats]:
        """With a fixed end, values with 0, 1, ... steps to go, each ``[U]``; else those without end, twice."""
        value = np.zeros(self.pairs.n_states)
        if self.recorded.fixed:
            values = [value]
            for left in range(1, self.recorded.limit + 1):
                values.append(self._backed(policy, values[-1], left))
            return values
        for _ in range(SWEEPS):
            before, value = value, self._backed(policy, value, 0)
            if np.abs(value - before).max() < CLOSE * self.spread:
                break
        return [value, value]

    def _error(self, policy: _Policy, values: list[Floats]) -> float:
        """Standard error of the value, to first order: every pair on the team's way has a mean of few steps."""
        way, weighed = self.starts, np.zeros(len(self.count))
        fixed, scale, known = self.recorded.fixed, 1.0, policy.pair >= 0
        onward = None if fixed else self._deviation(values[0])
        for t in range(self.recorded.limit if fixed else SWEEPS):
            mass = _sums(policy.pair[known], (way[policy.state] * policy.share)[known], len(self.count))
            left = self.recorded.limit - t - 1
            weighed += scale * mass * (self._deviation(values[left] if left else None) if onward is None else onward)
            way = _sums(self._to, self._share * mass[self._from], self.pairs.n_states)
            scale *= self.gamma
            if scale * way.sum() < CLOSE:
                break
        return float(np.sqrt((weighed ** 2).sum()))

    def _deviation(self, value: Floats | None) -> Floats:
        """Standard error of the mean of what one step of each pair leads to, ``[P]``.

        The spread is that of the pair's own steps and, as if it had :data:`PRIOR` more, that of all pairs.

        Args:
            value: of the states ``[U]``; None for the last step of an episode, after which nothing counts.
        """
        rows = self._timely if value is not None else np.ones(len(self.done), np.bool_)
        pair, size = self.pairs.pair[rows], len(self.count)
        outcome = self.reward[rows]
        if value is not None:
            outcome = outcome + self.gamma * np.where(self.done, 0.0, value[self.pairs.after])[rows]
        count = np.maximum(1.0, _sums(pair, np.ones(len(pair)), size))
        mean = _sums(pair, outcome, size) / count
        squares = _sums(pair, (outcome - mean[pair]) ** 2, size)
        again = float((count - 1).sum())
        # Where no pair was recorded twice nothing tells how far its outcomes are apart: as far as all, at most.
        common = squares.sum() / again if again else outcome.var() if len(outcome) else 0.0
        return np.asarray(np.sqrt((squares + PRIOR * common) / (count - 1 + PRIOR) / count))


@dataclass(frozen=True)
class _Policy:
    """What a team plays: in ``state``, with probability ``share``, ``pair`` (-1: never recorded there), ``[R]`` each.

    Attributes:
        unseen: share of the recorded steps at whose state it plays what was never recorded there.
    """

    state: Ints
    pair: Ints
    share: Floats
    unseen: float


def _sums(number: Ints, values: Floats, size: int) -> Floats:
    """Of the values with the same number, ``[size]``."""
    return np.bincount(number, values, size).astype(np.float64)
