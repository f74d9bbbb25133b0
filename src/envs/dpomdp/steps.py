"""What all agents decide together at one step, and teams that are put together so, step after step."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..game import FloatArray, IntArray
from .kernel import Kernel, kernel_of
from .model import Model
from .policies import Policies, followed, joint_actions, n_histories, own_histories

NOTHING = 1e-15  # probability of what does not happen


class Law(NamedTuple):
    """How likely joint histories and states are at one time.

    Attributes:
        probability: ``[H, S]``, of the H joint histories that can be.
        joint: their numbers ``[H]``.
        own: the number of each agent's part, ``[H]`` each.
    """

    probability: FloatArray
    joint: IntArray
    own: list[IntArray]


def laws(kernel: Kernel, policies: Policies, until: int) -> list[Law]:
    """The laws at the times 0 to ``until``, which the decisions before lead to."""
    known = own_histories(kernel.n_observations, kernel.sees_first, until + 1)
    joint = np.flatnonzero(kernel.begin.sum(1) > NOTHING)
    found = [Law(kernel.begin[joint], joint, [h[joint] for h in known[0]])]
    for t in range(until):
        law, joint, own = found[-1]
        law = followed(kernel, law, joint_actions(policies, own, kernel.n_actions, t))
        joint = (joint[:, None] * kernel.n_observed + np.arange(kernel.n_observed)).reshape(-1)
        likely = law.sum(1) > NOTHING
        law, joint = law[likely], joint[likely]
        found.append(Law(law, joint, [h[joint] for h in known[t + 1]]))
    return found


def worths(kernel: Kernel, policies: Policies, t: int, horizon: int, law: Law) -> FloatArray:
    """What each joint action is worth at time t, weighted by how likely each joint history is, ``[H, J]``.

    Args:
        kernel: the problem.
        policies: what is done after t.
        t: when.
        horizon: number of steps.
        law: at time t.
    """
    known = own_histories(kernel.n_observations, kernel.sees_first, horizon)
    table: FloatArray = law.probability @ kernel.reward.T
    kept = [law.joint]
    for _ in range(t + 1, horizon):
        kept.append((kept[-1][:, None] * kernel.n_observed + np.arange(kernel.n_observed)).reshape(-1))
    ahead: FloatArray | None = None  # what is still to come, [H, S] at each time
    for now in reversed(range(t + 1, horizon)):
        actions = joint_actions(policies, [h[kept[now - t]] for h in known[now]], kernel.n_actions, now)
        worth = kernel.reward[actions]
        if ahead is not None:
            rest = ahead.reshape(len(actions), -1)  # [H, O * S']
            for j in np.unique(actions):
                rows = actions == j
                worth[rows] += rest[rows] @ kernel.step[j].T
        ahead = worth
    if ahead is not None:
        rest = ahead.reshape(len(table), -1)
        for j in range(table.shape[1]):
            table[:, j] += ((law.probability @ kernel.step[j]) * rest).sum(1)
    return table


def agreed(table: FloatArray, own: list[IntArray], rules: list[IntArray], n_actions: tuple[int, ...],
           ) -> tuple[FloatArray, list[IntArray]]:
    """Decisions of all agents at one step, which none of them can better alone, from many beginnings at once.

    Args:
        table: what joint actions are worth, ``[H, J]``.
        own: each agent's part of the H joint histories.
        rules: beginnings, for each agent actions by its history ``[B, h]``.
        n_actions: of each agent.

    Returns:
        What they end in is worth ``[B]``, and the decisions, ``[B, h]`` each.
    """
    strides = [int(np.prod(n_actions[i + 1:])) for i in range(len(n_actions))]
    belongs = [np.eye(rule.shape[1])[h] for rule, h in zip(rules, own, strict=True)]  # [H, h]
    rules, rows, worth = list(rules), np.arange(len(table)), np.full(len(rules[0]), -np.inf)
    while True:
        for i, a in enumerate(n_actions):
            base = np.sum([rules[k][:, own[k]] * strides[k] for k in range(len(rules)) if k != i], axis=0)
            gains = np.stack([table[rows, base + each * strides[i]] @ belongs[i] for each in range(a)], -1)
            rules[i] = gains.argmax(-1)
        found = gains.max(-1).sum(1)
        if (found < worth + 1e-9).all():
            return found, rules
        worth = found


def together(model: Model, policies: Policies, t: int, horizon: int, rng: np.random.Generator, beginnings: int = 16,
             ) -> tuple[float, Policies]:
    """The best decisions of all agents at time t that they find from random beginnings, all else as it is.

    Returns:
        By how much the value grows (0: nothing better was found), and the policies with it.
    """
    kernel = kernel_of(model)
    law = laws(kernel, policies, t)[-1]
    table = worths(kernel, policies, t, horizon, law)
    start = float(table[np.arange(len(table)), joint_actions(policies, law.own, kernel.n_actions, t)].sum())
    worth, rules = agreed(table, law.own, _rules(kernel, t, rng, beginnings), kernel.n_actions)
    best = int(worth.argmax())
    if worth[best] < start + 1e-9:
        return 0.0, policies
    return float(worth[best]) - start, [[*policy[:t], rule[best], *policy[t + 1:]]
                                        for policy, rule in zip(policies, rules, strict=True)]


def composed(model: Model, horizon: int, rng: np.random.Generator, beginnings: int = 1) -> Policies:
    """A team that agrees step after step, as if all would see the state from the next step on.

    The fewer the beginnings, the more the teams differ.
    """
    kernel = kernel_of(model)
    ahead, seeing = np.zeros(kernel.n_states), []
    for _ in range(horizon):
        values = kernel.reward + kernel.step @ np.tile(ahead, kernel.n_observed)  # [J, S]
        ahead = values.max(0)
        seeing.append(values)
    seeing.reverse()
    policies: Policies = [[] for _ in kernel.n_actions]
    for t in range(horizon):
        law = laws(kernel, policies, t)[-1]
        worth, rules = agreed(law.probability @ seeing[t].T, law.own, _rules(kernel, t, rng, beginnings),
                              kernel.n_actions)
        for policy, rule in zip(policies, rules, strict=True):
            policy.append(rule[int(worth.argmax())])
    return policies


def _rules(kernel: Kernel, t: int, rng: np.random.Generator, beginnings: int) -> list[IntArray]:
    return [rng.integers(a, size=(beginnings, n_histories(kernel, i, t))) for i, a in enumerate(kernel.n_actions)]
