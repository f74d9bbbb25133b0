"""Reference values of random play, XOR, Permutation and Bridge (Sensor and Aloha have files of their own)."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from epymarl_cpa.envs import Game, make_game

Floats = NDArray[np.float64]


def rollouts(game: Game, episodes: int, seed: int) -> Floats:
    """Returns of the uniformly random policy over available actions, ``[episodes]``."""
    rng = np.random.default_rng(seed)
    state, total, alive = game.initial(episodes, rng), np.zeros(episodes), np.ones(episodes, dtype=bool)
    for _ in range(game.episode_limit):
        draw = rng.random((episodes, game.n_agents, game.n_actions)) * game.available(state)
        step = game.transition(state, draw.argmax(2), rng)
        total += step.reward * alive
        alive &= ~step.done
        state = step.state
    assert not alive.any()
    return total


@pytest.mark.parametrize(("name", "args", "mean"), [
    ("xor", {}, 0.5), ("xor", {"bb_reward": -2.0}, 0.0), ("permutation", {}, 0.09375), ("bridge", {}, -17.5586),
    ("bridge", {"episode_limit": 20}, -7.0999), ("sensor", {}, -118.76), ("sensor", {"reward": "flat"}, -118.91),
    ("aloha", {}, -845.0)])
def test_random_policy(name: str, args: dict[str, object], mean: float) -> None:
    total = rollouts(make_game(name, **args), 3000, seed=0)
    assert abs(total.mean() - mean) < 4 * total.std() / len(total) ** 0.5


# ------------------------------------------------------------------------------------- matrix games
def test_xor_and_permutation() -> None:
    xor, permutation = make_game("xor"), make_game("permutation")
    assert (xor.optimum(), permutation.optimum()) == (1.0, 1.0)
    start = np.zeros((1, 1), dtype=np.int64)
    assert (xor.optimal_actions(start) or [])[0].tolist() == [[0, 1], [1, 0]]
    every = np.array(list(itertools.product(range(4), repeat=4)))
    reward = permutation.transition(np.zeros((256, 1), dtype=np.int64), every, np.random.default_rng(0)).reward
    assert (len(reward), reward.sum()) == (256, 24)
    np.testing.assert_array_equal((permutation.optimal_actions(start) or [])[0], every[reward == 1])


@pytest.mark.parametrize(("played", "mean", "alberdice"), [
    ([(0, 1), (1, 0)], 0.5, 0.0), ([(0, 0), (0, 1), (1, 0)], 4 / 9, 2 / 9),
    ([(0, 0), (0, 1), (1, 0), (1, 1)], 0.5, 0.0)])
def test_xor_product_of_marginals(played: list[tuple[int, int]], mean: float, alberdice: float) -> None:
    p_b = np.mean(played, axis=0)
    every = np.array(list(itertools.product((0, 1), repeat=2)))
    chance = np.where(every == 1, p_b, 1 - p_b).prod(1)
    for bb_reward, want in ((0.0, mean), (-2.0, alberdice)):
        game = make_game("xor", bb_reward=bb_reward)
        reward = game.transition(np.zeros((4, 1), dtype=np.int64), every, np.random.default_rng(0)).reward
        assert chance @ reward == pytest.approx(want)


# ---------------------------------------------------------------------------------------------- bridge
RIGHT, LEFT = 3, 4
CELLS = [(r, c) for r in range(3) for c in range(6)]
START = CELLS.index((1, 2)), CELLS.index((1, 3))


def bridge_q(horizon: int, policy: Callable[[Floats], Floats], gamma: float = 1.0) -> Floats:
    """Action values at time 0, ``[18, 18, A, A]``, of the policy made from the action values of each time."""
    game, n = make_game("bridge", episode_limit=horizon), len(CELLS)
    grid = np.indices((n, n, 5, 5)).reshape(4, -1)
    places = np.concatenate([np.array(CELLS)[grid[0]], np.array(CELLS)[grid[1]]], 1)
    steps = {t: game.transition(np.insert(places, 0, t, axis=1), grid[2:].T, np.random.default_rng(0))
             for t in (0, horizon - 1)}  # the rules look at the time for the horizon only
    value, q = np.zeros((n, n)), np.zeros((n, n, 5, 5))
    for t in reversed(range(horizon)):
        state, reward, done, *_ = steps[horizon - 1 if t == horizon - 1 else 0]
        ahead = value[state[:, 1] * 6 + state[:, 2], state[:, 3] * 6 + state[:, 4]]
        q = (reward + gamma * np.where(done, 0.0, ahead)).reshape(n, n, 5, 5)
        value = (q * policy(q)).sum((2, 3))
    return q


def best(q: Floats) -> Floats:
    """The uniform policy over all optimal joint actions."""
    top = (q > q.max((2, 3), keepdims=True) - 1e-9).astype(np.float64)
    return np.asarray(top / top.sum((2, 3), keepdims=True))


def uniform(q: Floats) -> Floats:
    return np.full_like(q, 1 / 25)


def test_bridge_optimum() -> None:
    assert make_game("bridge").optimum() == pytest.approx(-1.235453, abs=5e-7)
    assert make_game("bridge", episode_limit=20).optimum() == pytest.approx(-1.235453, abs=5e-7)
    assert make_game("bridge", start="separate").optimum() == pytest.approx(-1.5517, abs=5e-5)
    assert bridge_q(50, best, 0.99)[START].max() == pytest.approx(-1.2122, abs=5e-5)


def test_bridge_policies() -> None:
    assert bridge_q(50, uniform)[START].mean() == pytest.approx(-17.5586, abs=5e-5)
    assert bridge_q(20, uniform)[START].mean() == pytest.approx(-7.0999, abs=5e-5)
    assert bridge_q(50, uniform, 0.99)[START].mean() == pytest.approx(-14.013, abs=5e-4)
    joint = best(bridge_q(50, best))
    product = joint.sum(3)[..., :, None] * joint.sum(2)[..., None, :]  # each agent draws from its own marginal
    q = bridge_q(50, lambda q: product)
    assert (q * product)[START].sum() == pytest.approx(-1.758, abs=5e-4)


def test_bridge_first_joint_actions() -> None:
    game = make_game("bridge")
    first = game.optimal_actions(game.initial(1, np.random.default_rng(0)))
    assert first is not None and first[0].tolist() == [[RIGHT, RIGHT], [LEFT, LEFT]]
    q = bridge_q(50, best)[START]
    assert q[RIGHT, LEFT] == pytest.approx(-1.5517, abs=5e-5)  # both push, both are blocked
    both_yield = -0.1 * 17 ** 0.5 + make_game("bridge", start="separate").optimum()
    assert q[LEFT, RIGHT] == pytest.approx(both_yield, abs=1e-9)
    assert both_yield == pytest.approx(-1.9640, abs=5e-5)


def test_bridge_stuck_forever() -> None:
    game, rng = make_game("bridge"), np.random.default_rng(0)
    state, total = game.initial(1, rng), 0.0
    for t in range(50):
        state, reward, done, *_ = game.transition(state, np.array([[RIGHT, LEFT]]), rng)
        total += reward[0]
        assert done[0] == (t == 49) and state[0, 1:].tolist() == [1, 2, 1, 3]
    assert total == pytest.approx(-15.495160, abs=1e-6)


def test_bridge_paths() -> None:
    """Shortest state paths by their return, found by walking back from the end."""
    game, rng = make_game("bridge"), np.random.default_rng(0)
    joint = np.array(list(itertools.product(range(5), repeat=2)))

    @cache
    def ways(row: tuple[int, ...], steps: int) -> Counter[float]:
        """How many state paths of exactly ``steps`` steps finish from here, by rounded return."""
        found: Counter[float] = Counter()
        step = game.transition(np.tile(row, (25, 1)), joint, rng)
        for after, reward, done in sorted({(tuple(s), r, d) for s, r, d in
                                           zip(step.state.tolist(), step.reward, step.done, strict=True)}):
            if done != (steps == 1):
                continue
            for rest, n in (Counter({0.0: 1}) if done else ways(after, steps - 1)).items():
                found[round(float(reward) + rest, 6)] += n
        return found

    start = (0, 1, 2, 1, 3)
    assert not any(ways(start, steps) for steps in range(1, 8))
    paths = ways(start, 8)
    assert sum(paths.values()) == 1056
    assert max(paths) == pytest.approx(-1.235453, abs=2e-6) and paths[max(paths)] == 8
    # AlberDICE's recordings hold these 16 paths, but not the eight between the last two classes.
    classes = {want: sum(n for value, n in paths.items() if abs(value - want) < 6e-5)
               for want in (-1.2355, -1.2591, -1.2855, -1.2904)}
    assert classes == {-1.2355: 8, -1.2591: 4, -1.2855: 8, -1.2904: 4}

    @cache
    def sequences(row: tuple[int, ...]) -> int:
        """Number of optimal joint-action sequences from here."""
        actions = (game.optimal_actions(np.array([row])) or [])[0]
        step = game.transition(np.tile(row, (len(actions), 1)), actions, rng)
        return sum(1 if done else sequences(tuple(after))
                   for after, done in zip(step.state.tolist(), step.done, strict=True))

    assert sequences(start) == 5000
