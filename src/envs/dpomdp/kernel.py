"""A model as exact computations need it: the states that matter, and one table per agent.

States that nothing leads to are left out, and states from which all the same follows are one (of the 432 states of
Fire fighting 27 are left), which changes no value of any team.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from ..game import FloatArray, IntArray
from .model import Model

DECIMALS = 10  # to which numbers must agree


@dataclass(frozen=True, eq=False)
class World:
    """What one agent faces: its own actions (A), observations (Oi), those of all others together (C, Oo).

    Attributes:
        step: law of observations and next state, for each joint action of the others, ``[C, S, A * Oi * Oo * S']``.
        reward: ``[A, C, S]``.
        n_actions, n_observed, n_others: A, Oi and Oo.
    """

    step: FloatArray
    reward: FloatArray
    n_actions: int
    n_observed: int
    n_others: int


@dataclass(frozen=True, eq=False)
class Kernel:
    """The reduced model.

    Attributes:
        step: law of joint observation and next state, ``[J, S, O * S']``.
        reward: ``[J, S]``.
        begin: law of the joint observation before the first action and the first state, ``[O or 1, S]``.
        n_actions, n_observations: of each agent.
        sees_first: whether there is an observation before the first action.
    """

    step: FloatArray
    reward: FloatArray
    begin: FloatArray
    n_actions: tuple[int, ...]
    n_observations: tuple[int, ...]
    sees_first: bool

    @property
    def n_agents(self) -> int:
        return len(self.n_actions)

    @property
    def n_states(self) -> int:
        return int(self.reward.shape[1])

    @property
    def n_observed(self) -> int:
        """O."""
        return int(self.step.shape[2]) // self.n_states

    @cached_property
    def worlds(self) -> list[World]:
        """One for each agent."""
        return [self._world(agent) for agent in range(self.n_agents)]

    def _world(self, agent: int) -> World:
        n, s = self.n_agents, self.n_states
        a, o = self.n_actions[agent], self.n_observations[agent]
        table = self.step.reshape(*self.n_actions, s, *self.n_observations, s)
        table = np.moveaxis(table, (agent, n + 1 + agent), (0, 1)).reshape(a, o, -1, s, self.n_observed // o, s)
        reward = np.moveaxis(self.reward.reshape(*self.n_actions, s), agent, 0).reshape(a, -1, s)
        step = np.ascontiguousarray(table.transpose(2, 3, 0, 1, 4, 5))  # [C, S, A, Oi, Oo, S']
        return World(step.reshape(*step.shape[:2], -1), np.ascontiguousarray(reward), a, o, self.n_observed // o)


@lru_cache(maxsize=8)
def kernel_of(model: Model) -> Kernel:
    """The reduced model, kept for the models that were asked for last."""
    kept = _reached(model)
    kind = _kinds(model, kept)
    n_kinds = int(kind.max()) + 1
    member = np.eye(n_kinds)[kind]  # [kept, kinds]
    heads = np.array([np.flatnonzero(kind == each)[0] for each in range(n_kinds)])
    n_joint, n_observed = model.n_joint
    step = np.empty((n_joint, n_kinds, n_observed, n_kinds))
    for j in range(n_joint):
        moved = model.transition[j][np.ix_(kept[heads], kept)]
        seen = model.observation[j][kept]
        for o in range(n_observed):
            step[j, :, o] = (moved * seen[:, o]) @ member
    begin = model.start[None, kept] if model.first is None else (model.start[:, None] * model.first)[kept].T
    return Kernel(step.reshape(n_joint, n_kinds, -1), np.ascontiguousarray(model.reward[:, kept[heads]]),
                  begin @ member, model.n_actions, model.n_observations, model.first is not None)


def _reached(model: Model) -> IntArray:
    """States that some actions can lead to."""
    leads = np.asarray((model.transition > 0).any(0))
    found = model.start > 0
    while True:
        more = found | leads[found].any(0)
        if (more == found).all():
            return np.flatnonzero(found)
        found = more


def _kinds(model: Model, kept: IntArray) -> IntArray:
    """Which states are one: numbers of kinds, for each state that is kept.

    Kinds are split until all states of one pay the same and lead, with the same observations, to the same kinds,
    where a random weight for each kind stands for the whole law over kinds.
    """
    rng = np.random.default_rng(0)
    table = np.round(model.reward[:, kept], DECIMALS).T + 0.0
    kind = _numbered(table)
    while True:
        weight = rng.random(int(kind.max()) + 1)[kind]
        mean = [model.transition[j][np.ix_(kept, kept)] @ (model.observation[j][kept] * weight[:, None])
                for j in range(len(model.transition))]
        finer = _numbered(np.column_stack([kind, *(np.round(each, DECIMALS) + 0.0 for each in mean)]))
        if finer.max() == kind.max():
            return kind
        kind = finer


def _numbered(rows: FloatArray) -> IntArray:
    """Equal rows get equal numbers."""
    return np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
