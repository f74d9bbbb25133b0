"""The best that one agent can do while the others keep their policies, exactly."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..game import BoolArray, FloatArray, IntArray
from .kernel import World, kernel_of
from .model import Model
from .policies import Policies, Policy, joint_actions, n_histories, own_histories

TIES = 1e-10  # values closer than this are alike
NOTHING = 1e-15  # probability of what does not happen


class _Level(NamedTuple):
    """The agent's own histories of actions and observations at one time, the nodes of a tree.

    Attributes:
        reward: what each action pays at once, weighted by how likely the node is, ``[K, A]``.
        history: numbers of the observation histories, ``[K]``.
        child: nodes one step later, -1 where none can be reached, ``[K, A, Oi]``.
    """

    reward: FloatArray
    history: IntArray
    child: IntArray


def best_response(model: Model, policies: Policies, agent: int, horizon: int,
                  rng: np.random.Generator | None = None) -> tuple[float, Policy]:
    """A best policy of one agent, and the team's value with it.

    For each of the agent's own histories of actions and observations it follows the law of states and of what the
    others have seen, forwards, and then chooses backwards.

    Args:
        model: the problem.
        policies: of all agents; that of ``agent`` does not matter.
        agent: who responds.
        horizon: number of steps.
        rng: breaks ties; without it the first of the best actions is chosen.

    Returns:
        The value, and the policy; where the agent cannot get, it repeats what it would have done a step before, or, at
        the last step, does anything.
    """
    kernel = kernel_of(model)
    world, others = kernel.worlds[agent], [i for i in range(kernel.n_agents) if i != agent]
    sizes, mates = [kernel.n_actions[i] for i in others], [policies[i] for i in others]
    known = own_histories([kernel.n_observations[i] for i in others], kernel.sees_first, horizon)
    acting = [joint_actions(mates, known[t], sizes, t) for t in range(horizon)]  # [H] each

    law, history = _begin(kernel.begin, kernel.n_observations, agent, kernel.sees_first)
    kept, levels = np.arange(law.shape[1]), []
    for t in range(horizon - 2):
        act = acting[t][kept]
        reward = _paid(world, law, act)
        law, child, seen, hs = _grown(world, law, act)
        levels.append(_Level(reward, history, child))
        history = (history[:, None, None] * world.n_observed + np.arange(world.n_observed)
                   + np.zeros_like(child)).reshape(-1)[seen]
        kept = (kept[:, None] * world.n_others + np.arange(world.n_others)).reshape(-1)[hs]
    act = acting[max(horizon - 2, 0)][kept]
    levels.append(_Level(_paid(world, law, act), history, np.zeros((0, 0, 0), dtype=np.int64)))
    last = _last_step(world, law, act, acting[-1].reshape(-1, world.n_others)[kept]) if horizon > 1 else None
    return _chosen(model, levels, last, agent, horizon, rng)


def _begin(begin: FloatArray, n_observations: tuple[int, ...], agent: int, first: bool) -> tuple[FloatArray, IntArray]:
    """Law ``[K, H, S]`` of what the others saw and of states, and the agent's histories, before the first action."""
    if not first:
        return begin[None], np.zeros(1, dtype=np.int64)
    table = begin.reshape(*n_observations, -1)
    law = np.moveaxis(table, agent, 0).reshape(n_observations[agent], -1, begin.shape[1])
    return law, np.arange(len(law))


def _paid(world: World, law: FloatArray, act: IntArray) -> FloatArray:
    paid: FloatArray = law.reshape(len(law), -1) @ world.reward[:, act].reshape(world.n_actions, -1).T
    return paid


def _grown(world: World, law: FloatArray, act: IntArray) -> tuple[FloatArray, IntArray, BoolArray, BoolArray]:
    """One step on: the law of the nodes that can be reached, where they are, and which nodes and histories are left."""
    k, h, s = law.shape
    a, oi, oo = world.n_actions, world.n_observed, world.n_others
    after = np.empty((k, a, oi, h, oo, s))
    for c in np.unique(act):
        rows = np.flatnonzero(act == c)
        moved = law[:, rows].reshape(-1, s) @ world.step[c]
        after[:, :, :, rows] = moved.reshape(k, len(rows), a, oi, oo, s).transpose(0, 2, 3, 1, 4, 5)
    whole = after.reshape(k * a * oi, h * oo, s)
    mass = whole.sum(2)
    seen, hs = mass.sum(1) > NOTHING, mass.sum(0) > NOTHING
    child = np.where(seen, np.cumsum(seen) - 1, -1).reshape(k, a, oi)
    return whole[np.ix_(seen, hs)] if not (seen.all() and hs.all()) else whole, child, seen, hs


def _last_step(world: World, law: FloatArray, act: IntArray, then: IntArray) -> FloatArray:
    """What the last action pays after each node's action and observation, ``[K, A, Oi, A']``.

    Args:
        world: of the agent.
        law: of the nodes at the last step but one, ``[K, H, S]``.
        act, then: what the others do there ``[H]`` and, by their observation, at the last step ``[H, Oo]``.
    """
    _, h, s = law.shape
    a, oi, oo = world.n_actions, world.n_observed, world.n_others
    pays = np.empty((h, s, a * oi * a))
    for c in np.unique(act):
        rows = np.flatnonzero(act == c)
        ends = world.reward[:, then[rows]].transpose(2, 3, 1, 0).reshape(oo * s, -1)  # [Oo * S', rows * A']
        table = world.step[c].reshape(s * a * oi, oo * s) @ ends
        pays[rows] = table.reshape(s, a * oi, len(rows), a).transpose(2, 0, 1, 3).reshape(len(rows), s, -1)
    whole: FloatArray = law.reshape(len(law), -1) @ pays.reshape(h * s, -1)
    return whole.reshape(len(law), a, oi, a)


def _picked(values: FloatArray, rng: np.random.Generator | None) -> IntArray:
    """The best along the last axis, ties broken by the generator or by order."""
    best = values >= values.max(-1, keepdims=True) - TIES
    return np.asarray((best if rng is None else best * rng.random(best.shape)).argmax(-1))


def _chosen(model: Model, levels: list[_Level], last: FloatArray | None, agent: int, horizon: int,
            rng: np.random.Generator | None) -> tuple[float, Policy]:
    """Backward induction over the tree, then forwards along what is chosen."""
    n = model.n_observations[agent]
    policy = [np.full(n_histories(model, agent, t), -1, dtype=np.int64) for t in range(horizon)]
    worth = np.zeros(0)
    picks: list[IntArray] = []
    for level in reversed(levels):
        values = level.reward
        if level is levels[-1]:
            values = values if last is None else values + last.max(3).sum(2)
        else:  # the appended 0 is what -1 reads
            values = values + np.append(worth, 0.0)[level.child].sum(2)
        worth = values.max(1)
        picks.append(_picked(values, rng))
    picks.reverse()
    nodes = np.arange(len(levels[0].history))
    for t, level in enumerate(levels):
        action = picks[t][nodes]
        policy[t][level.history[nodes]] = action
        if level is not levels[-1]:
            after = level.child[nodes, action].reshape(-1)
            nodes = after[after >= 0]
        elif last is not None:
            final = _picked(last[nodes, action], rng)  # [K, Oi]
            policy[t + 1][level.history[nodes][:, None] * n + np.arange(n)] = final
    for t, actions in enumerate(policy):  # an observation that cannot be made
        before = np.zeros(1, dtype=np.int64) if t == 0 else policy[t - 1]
        policy[t] = np.where(actions < 0, np.repeat(before, len(actions) // len(before)), actions)
    return float(worth.sum()), policy
