"""Recorded vectors as numbers: which observations and states there are, and what of a state matters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..envs.game import BoolArray, IntArray
from ..envs.mismatch import distinct
from .experience import Experience

MOST = 10**12  # states, joint observations and joint actions together, beyond which nobody will make a table


@dataclass(frozen=True)
class Symbols:
    """An :class:`.Experience` in numbers; -1 where nothing was seen.

    Attributes:
        state: the part of the state that matters, ``[E, T + 1]``.
        obs: each agent's observation, ``[E, T + 1, N]``; -1 at the first time, too, where nothing is seen yet.
        actions: the joint action, row by row, ``[E, T + 1]``.
        n_states: number of different states.
        n_actions, n_observations: of each agent.
        vectors: what each agent's observations look like, ``[n, O]`` each; the last row is what is seen first, where
            that is always the same and never again.
        sees_first: whether what is seen first tells anything.
        available: bool, actions of each agent that its observations allow, ``[n, A]`` each, as ``vectors``.
    """

    state: IntArray
    obs: IntArray
    actions: IntArray
    n_states: int
    n_actions: tuple[int, ...]
    n_observations: tuple[int, ...]
    vectors: list[NDArray[np.float32]]
    sees_first: bool
    available: list[BoolArray]

    @staticmethod
    def of(data: Experience) -> Symbols:
        """The numbers of a data set."""
        filled = data.filled.numpy()
        obs, available = data.obs.numpy(), data.available.numpy()
        n_agents, n_actions = available.shape[2:]
        numbers, vectors, masks = [], [], []
        for agent in range(n_agents):
            number, first = _numbered(obs[:, :, agent], filled)
            numbers.append(number)
            vectors.append(obs[:, :, agent].reshape(-1, obs.shape[3])[first])
            allowed = np.zeros((len(first), n_actions), dtype=np.bool_)
            np.logical_or.at(allowed, number[filled], available[:, :, agent][filled])
            masks.append(allowed)
        number = np.stack(numbers, 2)
        beginning = number[:, 0][filled[:, 0]]
        sees_first = bool((beginning != beginning[0]).any()) or bool((number[:, 1:] == beginning[0]).any())
        if not sees_first:
            number, vectors, masks = _without_first(number, beginning[0], vectors, masks)
        joint = np.zeros(number.shape[:2], dtype=np.int64)
        for agent in range(n_agents):
            joint = joint * n_actions + data.actions.numpy()[:, :, agent]
        # At least one: where no step has a following state, as of one step and no last one, nothing else is seen.
        sizes = tuple(max(1, len(each) - (not sees_first)) for each in vectors)
        state, n_states = _states(data, number, joint, sizes, n_actions**n_agents)
        return Symbols(state, number, joint, n_states, (n_actions,) * n_agents, sizes, vectors, sees_first, masks)

    @property
    def joint_obs(self) -> IntArray:
        """The joint observation, row by row, ``[E, T + 1]``; -1 where there is none."""
        return joint_number(self.obs, self.n_observations)


def joint_number(obs: IntArray, sizes: tuple[int, ...]) -> IntArray:
    """``[..., N]`` to ``[...]``, row by row; -1 where there is none."""
    joint = np.zeros(obs.shape[:-1], dtype=np.int64)
    for agent, size in enumerate(sizes):
        joint = joint * size + obs[..., agent]
    return np.where((obs >= 0).all(-1), joint, -1)


def _numbered(rows: NDArray[Any], filled: BoolArray) -> tuple[IntArray, IntArray]:
    """Numbers ``[E, T + 1]`` of vectors ``[E, T + 1, D]``, -1 where not filled, and where each is first, flat."""
    places = np.flatnonzero(filled)
    first, number = distinct(rows.reshape(-1, rows.shape[-1])[places])
    whole = np.full(filled.size, -1)
    whole[places] = number
    return whole.reshape(filled.shape), places[first]


def _without_first(number: IntArray, beginning: IntArray, vectors: list[NDArray[np.float32]], masks: list[BoolArray],
                   ) -> tuple[IntArray, list[NDArray[np.float32]], list[BoolArray]]:
    """The same without the symbol that everybody sees first and never again; it moves to the end."""
    new = number.copy()
    for agent, symbol in enumerate(beginning):
        own = number[:, :, agent]
        new[:, :, agent] = np.where(own == symbol, -1, own - (own > symbol))
        order = [k for k in range(len(vectors[agent])) if k != symbol] + [int(symbol)]
        vectors[agent], masks[agent] = vectors[agent][order], masks[agent][order]
    return new, vectors, masks


def _states(data: Experience, obs: IntArray, joint: IntArray, sizes: tuple[int, ...], n_joint: int,
            ) -> tuple[IntArray, int]:
    """Numbers of states ``[E, T + 1]``, and how many there are.

    A state vector may repeat what the agents see.  Where that part says nothing about what comes next that the rest
    would not say, as far as the marginal likelihood of the data can tell, states that differ only there are one: then
    everything that was recorded about them adds up.
    """
    state, filled = data.state.numpy(), data.filled.numpy()
    whole, first = _numbered(state, filled)
    if len(first) * math.prod(sizes) * n_joint > MOST:
        return whole, len(first)
    flat = data.obs.numpy()[filled].reshape(int(filled.sum()), -1)
    shown = {column.tobytes() for column in np.ascontiguousarray(flat.T)}
    hidden = [k for k, column in enumerate(np.ascontiguousarray(state[filled].T)) if column.tobytes() not in shown]
    if len(hidden) == state.shape[2]:
        return whole, len(first)
    rest, kept = _numbered(state[:, :, hidden], filled) if hidden else (np.where(filled, 0, -1), np.zeros(1))
    e, t = np.nonzero(data.played.numpy())
    paid = np.unique(data.reward.numpy()[e, t], return_inverse=True)[1].reshape(-1)
    seen = joint_number(obs, sizes)[e, t + 1]
    done = joint[e, t]

    def likely(now: IntArray) -> float:
        """Of the rest of the next state and the reward, given the state ``now`` [M] and the joint action."""
        given = _pairs(now, done)
        return _evidence(given, rest[e, t + 1]) + _evidence(given, paid)

    by_rest = likely(rest[e, t]) + _evidence(_pairs(rest[e, t + 1], done), seen)
    by_whole = likely(whole[e, t]) + _evidence(_pairs(_pairs(rest[e, t + 1], done), whole[e, t]), seen)
    return (rest, len(kept)) if by_rest >= by_whole else (whole, len(first))


def _pairs(one: IntArray, other: IntArray) -> IntArray:
    return one * (int(other.max()) + 2) + other + 1


def _evidence(given: IntArray, outcome: IntArray) -> float:
    """Log marginal likelihood of outcomes ``[M]`` given conditions ``[M]``, under a Dirichlet law of mass 1 for each.
    """
    _, case = np.unique(given, return_inverse=True)
    n_outcomes = len(np.unique(outcome))
    _, pair_counts = np.unique(_pairs(case.reshape(-1), outcome), return_counts=True)
    counts = np.bincount(case.reshape(-1))
    prior = 1.0 / n_outcomes
    gamma = np.vectorize(math.lgamma, otypes=[float])
    return float((gamma(pair_counts + prior) - math.lgamma(prior)).sum() - (gamma(counts + 1.0)).sum())
