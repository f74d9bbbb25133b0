"""A model of single steps by counts, pessimistic where the data are silent."""

from __future__ import annotations

import math

import numpy as np

from ..envs.dpomdp.model import Model
from ..envs.game import FloatArray, IntArray
from .experience import Experience
from .symbols import Symbols

MOST_STATES, MOST_CELLS = 2000, 20_000_000  # of a table


def too_large(symbols: Symbols) -> str:
    """Why there is no table for these data, in words; nothing if there is."""
    states, joint, seen = symbols.n_states + 2, math.prod(symbols.n_actions), math.prod(symbols.n_observations)
    if states > MOST_STATES or joint * states * max(states, seen) > MOST_CELLS:
        return f"{symbols.n_states:,} states, {joint:,} joint actions and {seen:,} joint observations are too many"
    return ""


def table_model(data: Experience, symbols: Symbols, doubt: float, rows: IntArray) -> Model:
    """The model that episodes ``rows`` ``[K]`` (some may repeat) speak for.

    Two states are added: one where nothing more is paid, after a true end, and one for what nobody knows, which pays
    the least that was ever recorded in a step (or 0, if that is less), for good.  A step that was recorded n times
    leads to the latter with probability doubt / (n + doubt).

    Args:
        data: recorded episodes.
        symbols: the same in numbers.
        doubt: how many recorded steps the suspicion weighs.
        rows: which episodes count.
    """
    n_joint, n_obs = math.prod(symbols.n_actions), math.prod(symbols.n_observations)
    n, over, lost = symbols.n_states, symbols.n_states, symbols.n_states + 1
    played = data.played.numpy()[rows]
    e, t = np.nonzero(played)
    e = rows[e]
    seen, state = symbols.joint_obs, symbols.state
    # Time is not part of a state: an end at the horizon is none of the state's.
    ended = data.terminated.numpy()[e, t] & (t + 1 < played.shape[1])
    follows = ended | (state[e, t + 1] >= 0)
    paid = data.reward.numpy().astype(np.float64)
    least = min(0.0, float(paid[:, :-1][data.played.numpy()].min()))
    now, done, then = state[e, t], symbols.actions[e, t], np.where(ended, over, state[e, t + 1])

    step = np.zeros((n_joint, n + 2, n + 2))
    np.add.at(step, (done[follows], now[follows], then[follows]), 1.0)
    led = step.sum(2)  # [J, S]
    times = np.zeros((n_joint, n + 2))
    np.add.at(times, (done, now), 1.0)
    reward = np.zeros((n_joint, n + 2))
    np.add.at(reward, (done, now), paid[e, t])
    reward = _trust(times, doubt) * reward / np.maximum(times, 1) + (1 - _trust(times, doubt)) * least
    reward[:, over] = 0.0
    step *= (_trust(led, doubt) / np.maximum(led, 1))[:, :, None]
    step[:, :, lost] += 1 - _trust(led, doubt)
    step[:, over] = np.eye(n + 2)[over]

    sight = np.zeros((n_joint, n + 2, n_obs))
    tells = follows & ~ended & (seen[e, t + 1] >= 0)
    np.add.at(sight, (done[tells], then[tells], seen[e, t + 1][tells]), 1.0)
    start = np.bincount(state[rows, 0], minlength=n + 2).astype(np.float64)
    first: FloatArray | None = None
    if symbols.sees_first:
        table = np.zeros((n + 2, n_obs))
        np.add.at(table, (state[rows, 0], seen[rows, 0]), 1.0)
        first = _laws(table)
    return Model(step, _laws(sight), reward, start / start.sum(), symbols.n_actions, symbols.n_observations,
                 tuple(map(str, range(n + 2))), tuple(tuple(map(str, range(a))) for a in symbols.n_actions),
                 tuple(tuple(map(str, range(o))) for o in symbols.n_observations), first)


def _trust(times: FloatArray, doubt: float) -> FloatArray:
    """How far counts ``[J, S]`` are trusted."""
    trust: FloatArray = times / (times + doubt) if doubt else (times > 0).astype(np.float64)
    return trust


def _laws(counts: FloatArray) -> FloatArray:
    """Counts to shares; where there are none, the first is certain."""
    total = counts.sum(-1, keepdims=True)
    laws: FloatArray = counts / np.maximum(total, 1.0)
    laws[..., 0] += total[..., 0] == 0
    return laws
