"""One recorded state: what was played there, and what agents would play that imitate their own part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..envs.game import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class StateTable:
    """One state; J joint actions were recorded there, the most frequent one first.

    Attributes:
        seen: the state vector ``[S]``.
        time: the earliest step at which it was seen.
        episode: number of an episode in which it was then seen.
        visits: how many steps of the data are in it.
        marginals: share of each agent's actions, ``[N, A]``.
        joint: joint actions ``[J, N]``.
        counts: how often each was played, ``[J]``.
        reward: mean reward of each, ``[J]``.
        to_go: mean undiscounted return from this step on, ``[J]``.
        drawn: probability of each if every agent draws by itself, ``[J]``.
        greedy: the joint action of every agent's most frequent own action, ``[N]``.
        harmed: whether that was never recorded there, or was followed by a return clearly below the mean of the state.
        greedy_reward: its reward: recorded, else by the rules; None where neither is known.
        reward_drawn: mean reward if every agent draws by itself; None where the rules are not known.
        exact: whether ``reward_drawn`` and ``mismatch`` are exact; else estimated from draws.
        mismatch: probability that what they draw is a mismatch (Definition 1); None where optima are not tabulated.
        optimal: which of the J are optimal, ``[J]``; None as above.
    """

    seen: NDArray[np.float32]
    time: int
    episode: int
    visits: int
    marginals: FloatArray
    joint: IntArray
    counts: IntArray
    reward: FloatArray
    to_go: FloatArray
    drawn: FloatArray
    greedy: IntArray
    harmed: bool
    greedy_reward: float | None = None
    reward_drawn: float | None = None
    exact: bool = True
    mismatch: float | None = None
    optimal: BoolArray | None = None

    @property
    def never(self) -> float:
        """Probability that independent draws give a joint action that was never recorded in this state."""
        return max(0.0, 1.0 - float(self.drawn.sum()))

    @property
    def reward_recorded(self) -> float:
        """Mean reward of the recorded steps."""
        return float(self.reward @ self.counts / self.visits)

    @property
    def greedy_count(self) -> int:
        """How often the data have :attr:`greedy` there."""
        return int(self.counts[(self.joint == self.greedy).all(1)].sum())

    @property
    def greedy_to_go(self) -> float | None:
        """Mean return from this step on after :attr:`greedy`; None where it was never recorded."""
        hit = (self.joint == self.greedy).all(1)
        return float(self.to_go[hit][0]) if hit.any() else None

    @property
    def to_go_recorded(self) -> float:
        """Mean return from this step on, over the recorded steps."""
        return float(self.to_go @ self.counts / self.visits)
