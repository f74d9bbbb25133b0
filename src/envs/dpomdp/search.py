"""Good decentralised policies of any small problem: local optima, which no agent can leave alone.

Agents respond to each other in turn, exactly, until nobody can do better; then all decide one step anew together.
What this ends in depends on where it begins, so it begins often: at random, and from the best ends so far, of which a
part is made random or halves are put together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from time import monotonic

import numpy as np

from ..game import FloatArray
from .kernel import kernel_of
from .model import Model
from .policies import Policies, random_policies, tractable, value
from .response import best_response
from .steps import composed, laws, together

__all__ = ["Found", "best_response", "climbed", "local_optima", "tractable", "value"]

Found = tuple[float, Policies]  # a team's exact value, and its policies
LESS = 1e-9  # smaller gains are rounding
ALIKE = 4  # so many optima of one value are kept, lest they push out all others


def climbed(model: Model, policies: Policies, horizon: int, rng: np.random.Generator) -> list[Found]:
    """The local optima on the way up from some policies, worst first.

    No agent can leave the first of them alone; the last is none that all together can better at a single step, as
    far as they find out.
    """
    now, ends = list(policies), []
    while True:
        worth, now = _alone(model, now, horizon, rng)
        ends.append((worth, now))
        gains = 0.0
        for t in rng.permutation(horizon):
            gain, now = together(model, now, int(t), horizon, rng)
            gains += gain
        if gains < LESS:
            return ends


def _alone(model: Model, policies: Policies, horizon: int, rng: np.random.Generator) -> Found:
    """What agents that respond to each other in turn end in."""
    now, worth, idle, agent = list(policies), -np.inf, 0, 0
    while idle < model.n_agents:
        found, policy = best_response(model, now, agent, horizon, rng)
        idle = 0 if found > worth + LESS else idle + 1
        if found > worth - LESS:  # ties move on, too
            now[agent], worth = policy, found
        agent = (agent + 1) % model.n_agents
    return worth, now


def local_optima(model: Model, horizon: int, rng: np.random.Generator, ascents: int = 200,
                 seconds: float | None = None, beginnings: Sequence[Policies] = (), keep: int = 32) -> list[Found]:
    """Different local optima, best first.

    Args:
        model: the problem; must be :func:`tractable`.
        horizon: number of steps.
        rng: decides where to begin.
        ascents: how often to begin; the same number and generator give the same optima.
        seconds: if given, stop after this time even if there were fewer ascents.
        beginnings: policies to begin with, besides.
        keep: how many optima to keep.
    """
    if (unit := _unit(model.reward)) != 1.0:
        same = replace(model, reward=model.reward / unit)
        return [(worth * unit, policies) for worth, policies in
                local_optima(same, horizon, rng, ascents, seconds, beginnings, keep)]
    end = monotonic() + seconds if seconds is not None else np.inf
    pool: list[Found] = []
    known: set[bytes] = set()
    for n in range(len(beginnings) + ascents):
        if n < len(beginnings):
            policies = beginnings[n]
        elif n % 4 == 0 or len(pool) < 2:
            policies = random_policies(model, horizon, rng)
        elif n % 4 == 1:
            policies = composed(model, horizon, rng, beginnings=int(rng.integers(1, 5)))
        else:
            policies = _mixed(model, pool, horizon, rng)
        for found, ends in climbed(model, policies, horizon, rng):
            ends = plain(model, ends, horizon)
            mark = b"".join(actions.tobytes() for policy in ends for actions in policy)
            if mark not in known:
                known.add(mark)
                pool.append((found, ends))
        pool = _kept(pool, keep)
        if monotonic() > end:
            break
    return pool


def _unit(reward: FloatArray) -> float:
    """A power of two near the largest reward where that is far from 1: what is rounding is told by its size."""
    largest = float(np.abs(reward).max())
    return 1.0 if largest == 0.0 or 2.0**-13 <= largest <= 2.0**13 else 2.0 ** math.floor(math.log2(largest))


def _kept(pool: list[Found], most: int) -> list[Found]:
    """The best, with some of each value."""
    pool = sorted(pool, key=lambda each: -each[0])  # of equal ones, the first that were found
    return [each for k, each in enumerate(pool) if k < ALIKE or pool[k - ALIKE][0] > each[0] + 1e-7][:most]


def plain(model: Model, policies: Policies, horizon: int) -> Policies:
    """The same team, where histories that it never has repeat the decision before: alike in all that tells alike."""
    new: Policies = [[] for _ in policies]
    for t, law in enumerate(laws(kernel_of(model), policies, horizon - 1)):
        for policy, kept, own in zip(policies, new, law.own, strict=True):
            before = kept[-1] if t else np.zeros(1, dtype=np.int64)
            actions = np.repeat(before, len(policy[t]) // len(before))
            actions[own] = policy[t][own]
            kept.append(actions)
    return new


def _mixed(model: Model, pool: list[Found], horizon: int, rng: np.random.Generator) -> Policies:
    """A beginning made of good ends; the better, the likelier."""
    one, other = (pool[int(len(pool) * rng.random() ** 2)][1] for _ in range(2))
    new = [list(policy) for policy in one]
    way = rng.integers(4)
    if way == 0:  # one agent follows another team
        agent = rng.integers(model.n_agents)
        new[agent] = list(other[agent])
    elif way == 1:  # all change teams at some time
        t = int(rng.integers(horizon))
        new = [[*a[:t], *b[t:]] for a, b in zip(one, other, strict=True)]
    elif way == 2:  # all forget what they do at one time, or from then on
        first, whole = int(rng.integers(horizon)), rng.random() < 0.5
        for i, policy in enumerate(random_policies(model, horizon, rng)):
            for k in range(first, horizon if whole else first + 1):
                new[i][k] = policy[k]
    if way == 3:  # some decisions of everybody
        share = rng.choice([0.05, 0.15, 0.4])
        for i, policy in enumerate(random_policies(model, horizon, rng)):
            new[i] = [np.where(rng.random(len(a)) < share, b, a) for a, b in zip(one[i], policy, strict=True)]
    return new
