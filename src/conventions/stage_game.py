"""One decision of all agents, each by what it knows: the cooperative Bayesian game of one step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..envs.game import BoolArray, FloatArray, IntArray

#: joint actions ``[K * B, N]``, K for each of the B cases in turn, to what each is worth there, ``[K * B]``
Worth = Callable[[IntArray], FloatArray]
SWEEPS = 8


def agreed(worth: Worth, known: IntArray, counts: list[int], available: BoolArray, weight: FloatArray,
           beginning: list[IntArray], rng: np.random.Generator) -> tuple[float, list[IntArray]]:
    """Rules that no agent can better alone, from a beginning.

    Args:
        worth: of joint actions in the cases.
        known: what each agent knows in each case, numbered, ``[B, N]``.
        counts: how many different things each agent may know.
        available: actions allowed by what each agent knows, ``[B, N, A]``.
        weight: of the cases ``[B]``, adding up to 1.
        beginning: for each agent its actions by what it knows, ``[counts[i]]``.
        rng: the order in which agents choose.

    Returns:
        The mean worth, and the rules.
    """
    rules = [rule.copy() for rule in beginning]
    joint = np.stack([rule[known[:, agent]] for agent, rule in enumerate(rules)], 1)
    best = float(worth(joint) @ weight)
    for _ in range(SWEEPS):
        before = best
        for agent in rng.permutation(len(rules)):
            options = np.flatnonzero(available[:, agent].any(0))
            tried = np.repeat(joint[None], len(options), 0)
            tried[:, :, agent] = options[:, None]
            each = worth(tried.reshape(-1, len(rules))).reshape(len(options), -1)
            each = np.where(available[:, agent, options].T, each, -1e12) * weight
            gains = np.stack([np.bincount(known[:, agent], row, counts[agent]) for row in each])
            rules[agent] = options[gains.argmax(0)]
            joint[:, agent] = rules[agent][known[:, agent]]
            best = float(gains.max(0).sum())
        if best < before + 1e-9:
            break
    return best, rules
