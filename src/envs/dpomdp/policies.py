"""Deterministic decentralised policies: what each agent does after each history of its own observations.

A team's policies are, for each agent and each time, an array of actions, one for each of the agent's observation
histories.  History h followed by observation o is history ``h * n_observations + o``; at time 0 there is one history,
or, where something is observed before the first action, one for each observation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..game import FloatArray, IntArray
from .kernel import Kernel, kernel_of
from .model import Model

Policy = list[IntArray]
Policies = list[Policy]

CELLS = 2**24  # the largest table that exact work may fill


def n_histories(model: Model | Kernel, agent: int, t: int) -> int:
    """How many observation histories an agent can have at time t."""
    first = model.first is not None if isinstance(model, Model) else model.sees_first
    return int(model.n_observations[agent] ** (t + first))


def tractable(model: Model, horizon: int) -> bool:
    """Whether exact values and best responses fit in memory (tables of up to ``CELLS`` numbers) and end soon."""
    n_joint, n_observed = model.n_joint
    if n_joint * model.n_states ** 2 * n_observed > 2 * CELLS:
        return False
    states, first = kernel_of(model).n_states, model.first is not None
    tables = [math.log(states) + (horizon - 1 + first) * math.log(n_observed)]
    for a, o in zip(model.n_actions, model.n_observations, strict=True):
        steps = max(horizon - 2, 0)  # a best response looks through the last two steps at once
        tables.append(math.log(states) + steps * math.log(a * n_observed) + first * math.log(n_observed))
        tables.append(math.log(states) + steps * math.log(n_observed / o) + math.log(a * o * a * n_joint))
    return max(tables) <= math.log(CELLS)


def random_policies(model: Model, horizon: int, rng: np.random.Generator) -> Policies:
    """Uniformly random ones."""
    return [[rng.integers(a, size=n_histories(model, i, t)) for t in range(horizon)]
            for i, a in enumerate(model.n_actions)]


def own_histories(sizes: Sequence[int], first: bool, horizon: int) -> list[list[IntArray]]:
    """Each agent's history in the joint histories of several, ``[t][agent][H]``.

    Joint history H followed by joint observation o is ``H * O + o``, as for one agent.

    Args:
        sizes: numbers of observations.
        first: whether something is observed before the first action.
        horizon: number of times.
    """
    joint = math.prod(sizes)
    each = np.unravel_index(np.arange(joint), tuple(sizes)) if sizes else ()
    now = [np.zeros(1, dtype=np.int64) for _ in sizes]

    def longer(known: list[IntArray]) -> list[IntArray]:
        return [(h[:, None] * n + o).reshape(-1) for h, n, o in zip(known, sizes, each, strict=True)]

    now, found = longer(now) if first else now, []
    for t in range(horizon):
        now = longer(now) if t else now
        found.append(now)
    return found


def joint_actions(policies: Sequence[Policy], histories: Sequence[IntArray], sizes: Sequence[int], t: int) -> IntArray:
    """Numbers of joint actions ``[H]`` at time t, for each agent's history in H joint ones."""
    chosen = [policy[t][h] for policy, h in zip(policies, histories, strict=True)]
    return np.asarray(np.ravel_multi_index(chosen, tuple(sizes)), dtype=np.int64)


def followed(kernel: Kernel, law: FloatArray, actions: IntArray) -> FloatArray:
    """The law one step on: from histories and states ``[H, S]`` and joint actions ``[H]`` to ``[H * O, S]``."""
    after = np.empty((len(law), kernel.step.shape[2]))
    for j in np.unique(actions):
        rows = actions == j
        after[rows] = law[rows] @ kernel.step[j]
    return after.reshape(-1, kernel.n_states)


def value(model: Model, policies: Policies, horizon: int) -> float:
    """The exact expected undiscounted return of a team, by the law of joint histories and states."""
    kernel, total = kernel_of(model), 0.0
    law, kept = kernel.begin, np.arange(len(kernel.begin))
    known = own_histories(kernel.n_observations, kernel.sees_first, horizon)
    for t in range(horizon):
        actions = joint_actions(policies, [h[kept] for h in known[t]], kernel.n_actions, t)
        total += float((law * kernel.reward[actions]).sum())
        if t + 1 < horizon:
            law = followed(kernel, law, actions)
            kept = (kept[:, None] * kernel.n_observed + np.arange(kernel.n_observed)).reshape(-1)
            likely = law.sum(1) > 0
            law, kept = law[likely], kept[likely]
    return total
