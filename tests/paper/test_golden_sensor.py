"""Exact reference values of Sensor, with the law of the targets propagated independently of the game's own code."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from epymarl_cpa.envs.sensor import NOOP, Sensor

Floats = NDArray[np.float64]
FREE = [(r, c) for r in range(5) for c in range(9) if r % 2 or c % 2]
SETS = np.array(list(itertools.combinations(range(30), 3)))
EYE = np.eye(30)


def laws() -> Floats:
    """Chance of each unordered set of target cells at each of the ten steps, ``[10, 4060]``."""
    draws = np.zeros((30, 30))
    for cell, (row, col) in enumerate(FREE):
        for dr, dc in itertools.product(range(-2, 3), repeat=2):
            to = min(max(row + dr, 0), 4), min(max(col + dc, 0), 8)
            if to in FREE and to != (row, col):
                draws[cell, FREE.index(to)] += 1
    distinct = (1 - EYE)[:, :, None] * (1 - EYE)[:, None, :] * (1 - EYE)[None, :, :]
    law = distinct / distinct.sum()
    found = []
    for _ in range(10):
        found.append(sum(law[tuple(SETS[:, order].T)] for order in itertools.permutations(range(3))))
        for _ in range(3):  # move the first axis' target, then turn the axes
            room = draws.sum(1)[:, None, None] - draws[:, :, None] - draws[:, None, :]
            spread = np.divide(law, room, out=np.zeros_like(law), where=law > 0)
            law = np.einsum("cij,cd->dij", spread, draws) * distinct
            law = law.transpose(1, 2, 0)
    return np.array(found)


LAW = laws()


def product_values(game: Sensor, marginals: Floats) -> Floats:
    """Expected reward of independent agents with ``marginals`` ``[4060, N, A]`` in each state, ``[4060]``."""
    watchers = np.zeros((30, 4, 2), dtype=np.int64)
    count = np.zeros(30, dtype=np.int64)
    for agent, action in np.argwhere(game.scanned >= 0):
        cell = game.scanned[agent, action]
        watchers[cell, count[cell]] = agent, action
        count[cell] += 1
    pairs = watchers[SETS]  # [4060, 3, 4, 2]
    p = marginals[np.arange(len(SETS))[:, None, None], pairs[..., 0], pairs[..., 1]]
    p = p * (np.arange(4) < count[SETS][..., None])
    chance = np.zeros((*SETS.shape, 5))  # of k scans of a target
    chance[..., 0] = 1.0
    for i in range(4):
        chance[..., 1:] = chance[..., 1:] * (1 - p[..., i, None]) + chance[..., :-1] * p[..., i, None]
        chance[..., 0] *= 1 - p[..., i]
    catch = np.array([0, 0, 3, 4.5, 6] if game.reward_rule == "linear" else [0, 0, 3, 3, 3])
    return np.asarray((chance @ catch).sum(1) - (1 - marginals[..., NOOP]).sum(1))


@pytest.fixture(scope="module", params=["linear", "flat"])
def game(request: pytest.FixtureRequest) -> Sensor:
    return Sensor(reward=request.param)


def golden(game: Sensor, linear: float, flat: float) -> float:
    return linear if game.reward_rule == "linear" else flat


def test_optimum(game: Sensor) -> None:
    best = np.array([game.solution(tuple(cells))[0] for cells in SETS.tolist()])
    np.testing.assert_allclose(game.optimum_per_step(), LAW @ best, rtol=1e-12)
    assert game.optimum() == pytest.approx(golden(game, 30.866, 26.9195), abs=golden(game, 5e-4, 5e-5))
    if game.reward_rule == "flat":
        steps = game.optimum_per_step()
        assert (steps[0], steps[9]) == (pytest.approx(2.6882, abs=5e-5), pytest.approx(2.6936, abs=5e-5))
        assert steps @ 0.99 ** np.arange(10) == pytest.approx(25.74, abs=5e-3)


@pytest.mark.slow
def test_optimum_of_other_sizes() -> None:
    assert Sensor(reward="flat", episode_limit=11).optimum() == pytest.approx(29.61, abs=5e-3)
    assert Sensor(reward="flat", catch_reward=2.0).optimum() == pytest.approx(0.0, abs=1e-12)


def test_best_reward_is_best(game: Sensor) -> None:
    """The solver's joint actions pay what it says, and no other team of scanners pays more."""
    for cells in SETS[:: len(SETS) // 40]:
        value, joint = game.solution(tuple(cells.tolist()))
        preys = np.tile(cells, (len(joint), 1))
        np.testing.assert_allclose(game.reward(preys, joint), value)
        assert len(np.unique(joint, axis=0)) == len(joint)
        useful = [[NOOP, *np.flatnonzero(np.isin(row, cells))] for row in game.scanned]
        every = np.array(list(itertools.product(*useful)))  # a scan of an empty cell only costs
        reward = game.reward(np.tile(cells, (len(every), 1)), every)
        assert reward.max() == pytest.approx(value)
        assert (reward > value - 1e-9).sum() == len(joint)


def test_number_of_optimal_joint_actions(game: Sensor) -> None:
    """1.60 and .569 (flat 5.39, .371) are means under the law of the states averaged over the ten steps."""
    count = np.array([len(game.solution(tuple(cells))[1]) for cells in SETS.tolist()])
    law = LAW.mean(0)
    assert law @ count == pytest.approx(golden(game, 1.60, 5.39), abs=5e-3)
    assert law @ (count == 1) == pytest.approx(golden(game, 0.569, 0.371), abs=5e-4 + 1e-9)


def test_product_of_optimal_marginals(game: Sensor) -> None:
    joint = [game.solution(tuple(cells))[1] for cells in SETS.tolist()]
    marginals = np.array([np.eye(9)[actions].mean(0) for actions in joint])  # [4060, N, A]
    total = LAW.sum(0)
    assert total @ product_values(game, marginals) == pytest.approx(golden(game, 26.38, 17.99), abs=5e-3)
    # Of equally likely scans, each agent takes that of the target in the lowest cell.
    ranked = marginals - 1e-4 * game.scanned / 30 * (marginals > 0)
    for bonus, want in ((1e-3, golden(game, 26.48, 17.16)), (-1e-3, golden(game, 28.58, 16.74))):
        ranked[..., NOOP] = marginals[..., NOOP] + bonus
        assert total @ product_values(game, np.eye(9)[ranked.argmax(2)]) == pytest.approx(want, abs=5e-3)


def test_simple_behaviours(game: Sensor) -> None:
    """Random; U scans a random adjacent target; H does so half of the time."""
    total = LAW.sum(0)
    mask = game.available(np.zeros((1, 4), dtype=np.int64))[0].astype(float)
    random = np.tile(mask / mask.sum(1, keepdims=True), (len(SETS), 1, 1))
    assert total @ product_values(game, random) == pytest.approx(golden(game, -118.76, -118.91), abs=5e-3)
    near = (game.scanned[None, :, :, None] == SETS[:, None, None, :]).any(3).astype(float)  # [4060, N, A]
    some = near / np.maximum(near.sum(2, keepdims=True), 1)
    for share, want in ((1.0, golden(game, 24.52, 9.24)), (0.5, golden(game, -4.12, -6.75))):
        behaviour = share * some
        behaviour[..., NOOP] = 1 - behaviour.sum(2)
        assert total @ product_values(game, behaviour) == pytest.approx(want, abs=5e-3)


def test_map() -> None:
    game = Sensor()
    assert (game.n_agents, game.n_actions, game.state_dim, len(SETS)) == (15, 9, 30, 4060)
    available = game.available(np.zeros((1, 4), dtype=np.int64))[0].sum(1).reshape(3, 5)
    assert available.tolist() == [[4, 6, 6, 6, 4], [6, 9, 9, 9, 6], [4, 6, 6, 6, 4]]
    watched_by = np.bincount(game.scanned[game.scanned >= 0], minlength=30)
    assert sorted(watched_by) == [2] * 22 + [4] * 8
    assert [FREE[cell] for cell in np.flatnonzero(watched_by == 4)] == [(r, c) for r in (1, 3) for c in (1, 3, 5, 7)]
