"""The batched rules against slow re-implementations, one state at a time, as the rules are told in words."""

from __future__ import annotations

import itertools
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

from epymarl_cpa.envs import make_game

Cell = tuple[int, int]

# ---------------------------------------------------------------------------------------------- bridge
WALLS = {(0, 2), (0, 3), (2, 2), (2, 3)}
FREE_CELLS = [(r, c) for r in range(3) for c in range(6) if (r, c) not in WALLS]
GOALS: tuple[Cell, Cell] = ((2, 5), (0, 0))
MOVES = [(0, 0), (-1, 0), (1, 0), (0, 1), (0, -1)]


def literal_bridge(pos: tuple[Cell, Cell], done: tuple[bool, bool], actions: tuple[int, int], last: bool,
                   ) -> tuple[tuple[Cell, Cell], tuple[bool, bool], float]:
    """One step of Bridge; ``last`` says that the horizon is reached with it."""
    place = list(pos)
    settled = [False, False]
    wish: list[Cell] = []
    act = [0 if done[i] else actions[i] for i in (0, 1)]
    for i in (0, 1):
        to = (pos[i][0] + MOVES[act[i]][0], pos[i][1] + MOVES[act[i]][1])
        if to not in FREE_CELLS:
            to, settled[i] = pos[i], True
        wish.append(to)

    def settle(i: int) -> None:
        if settled[i]:
            return
        other = 1 - i
        settled[i] = True
        if wish[i] == GOALS[i] or act[i] == 0 or done[other]:
            place[i] = wish[i]
        elif settled[other]:
            if wish[i] != place[other]:
                place[i] = wish[i]
        elif act[other] == 0 and wish[i] == pos[other]:
            pass
        elif wish[i] == wish[other]:
            settled[other] = True
            place[i] = wish[i]
        elif wish[i] == pos[other] and wish[other] == pos[i]:
            settled[other] = True
        elif wish[i] == pos[other]:
            settle(other)
            place[i] = wish[i]
        else:
            place[i] = wish[i]

    settle(0)
    settle(1)
    new_done = tuple(done[i] or place[i] == GOALS[i] for i in (0, 1))
    cost = sum(0.1 * ((GOALS[i][0] - place[i][0]) ** 2 + (GOALS[i][1] - place[i][1]) ** 2) ** 0.5
               for i in (0, 1) if not done[i])
    return (place[0], place[1]), (new_done[0], new_done[1]), 0.0 if last or all(new_done) else -cost / 2


def test_bridge_equals_literal_rules_everywhere() -> None:
    game = make_game("bridge")
    rows, expected = [], []
    for time, p0, p1, a0, a1 in itertools.product((0, 49), FREE_CELLS, FREE_CELLS, range(5), range(5)):
        done = (p0 == GOALS[0], p1 == GOALS[1])
        after, after_done, reward = literal_bridge((p0, p1), done, (a0, a1), time == 49)
        rows.append([time, *p0, *p1, a0, a1])
        expected.append([time + 1, *after[0], *after[1], reward, all(after_done) or time == 49])
    table, want = np.array(rows), np.array(expected)
    step = game.transition(table[:, :5], table[:, 5:], np.random.default_rng(0))
    np.testing.assert_array_equal(step.state, want[:, :5])
    np.testing.assert_allclose(step.reward, want[:, 5], rtol=0, atol=1e-15)
    np.testing.assert_array_equal(step.done, want[:, 6])


def test_bridge_states_and_mismatch_by_literal_dynamic_programming() -> None:
    """The specification's census keeps "done" apart from the position: an agent may stand on its goal undone."""
    states = [((p0, p1), (False, False)) for p0 in FREE_CELLS for p1 in FREE_CELLS]
    states += [((GOALS[0], p), (True, False)) for p in FREE_CELLS]
    states += [((p, GOALS[1]), (False, True)) for p in FREE_CELLS]
    assert len(states) == 224
    joint = [(a, b) for a in range(5) for b in range(5)]
    step = {s: [literal_bridge(*s, a, False) for a in joint] for s in states}
    value = dict.fromkeys(states, 0.0)
    q: dict[tuple[tuple[Cell, Cell], tuple[bool, bool]], list[float]] = {}
    for t in range(50):
        q = {s: [0.0 if t == 0 else r + (0.0 if all(done) else value[pos, done]) for pos, done, r in step[s]]
             for s in states}
        value = {s: max(q[s]) for s in states}
    best = {s: {a for a, v in zip(joint, q[s], strict=True) if v > value[s] - 1e-9} for s in states}
    assert value[((1, 2), (1, 3)), (False, False)] == pytest.approx(-1.235453, abs=5e-7)
    active = [s for s in states if s[1] == (False, False)]
    assert sum(len(best[s]) > 1 for s in active) == 57
    mixed = [s for s in states
             if len(best[s]) < len({a for a, _ in best[s]}) * len({b for _, b in best[s]})]
    assert mixed == [(((1, 2), (1, 3)), (False, False))]
    game = make_game("bridge")
    for s in active:
        if s[0][0] != GOALS[0] and s[0][1] != GOALS[1]:
            found = game.optimal_actions(np.array([[0, *s[0][0], *s[0][1]]]))
            assert found is not None and {tuple(a) for a in found[0].tolist()} == best[s]


# ---------------------------------------------------------------------------------------------- sensor
SCAN = [(1, 1), (1, -1), (1, 0), (-1, 0), (-1, 1), (-1, -1), (0, 1), (0, -1)]  # (dx, dy): column, row


def literal_sensor_reward(rule: str, preys: list[Cell], actions: list[int]) -> float:
    """Reward of one step of the 3 x 5 sensors (agent = y * 5 + x on cell (2y, 2x))."""
    scans = []
    reward = 0.0
    for agent, action in enumerate(actions):
        if action < 8:
            reward -= 1.0
            scans.append((2 * (agent // 5) + SCAN[action][1], 2 * (agent % 5) + SCAN[action][0]))
    for prey in preys:
        k = scans.count(prey)
        if k >= 2:
            reward += 1.5 * k if rule == "linear" else 3.0
    return reward


def literal_move(preys: list[Cell], prey: int, height: int, width: int) -> dict[Cell, Fraction]:
    """Law of one target's next cell: draw and clip until the cell is free; a prey's own cell is not."""
    landings = Counter[Cell]()
    for dh, dw in itertools.product(range(-2, 3), repeat=2):
        cell = (min(max(preys[prey][0] + dh, 0), height - 1), min(max(preys[prey][1] + dw, 0), width - 1))
        if cell not in preys and not (cell[0] % 2 == 0 and cell[1] % 2 == 0):
            landings[cell] += 1
    return {cell: Fraction(n, sum(landings.values())) for cell, n in landings.items()}


@pytest.mark.parametrize("rule", ["linear", "flat"])
def test_sensor_reward_equals_literal_rules(rule: str) -> None:
    game = make_game("sensor", reward=rule)
    rng = np.random.default_rng(1)
    state = game.initial(1000, rng)
    actions = rng.integers(game.n_actions, size=(1000, 15))
    aimed = game.optimal_actions(state)
    assert aimed is not None
    for b in range(0, 1000, 2):  # random scans hardly ever agree, so half of the samples hold a good plan
        keep = rng.random(15) < 0.8
        actions[b, keep] = aimed[b][rng.integers(len(aimed[b]))][keep]
    reward = game.transition(state, actions, rng).reward
    free = [(r, c) for r in range(5) for c in range(9) if r % 2 or c % 2]
    want = [literal_sensor_reward(rule, [free[cell] for cell in state[b, 1:]], actions[b].tolist())
            for b in range(1000)]
    np.testing.assert_array_equal(reward, want)


def test_sensor_targets_move_by_literal_law() -> None:
    """On a small map, the joint law of two targets after a step, from every pair of cells."""
    game = make_game("sensor", rows=2, cols=3, n_preys=2)
    free = [(r, c) for r in range(3) for c in range(5) if r % 2 or c % 2]
    rng = np.random.default_rng(2)
    n = 4000
    for start in itertools.permutations(range(len(free)), 2):
        state = np.tile([0, *start], (n, 1))
        after = game.transition(state, np.zeros((n, 6), dtype=np.int64), rng).state[:, 1:]
        seen = Counter(map(tuple, after.tolist()))
        cells = [free[start[0]], free[start[1]]]
        law = {(free.index(c0), free.index(c1)): float(p0 * p1)
               for c0, p0 in literal_move(cells, 0, 3, 5).items()
               for c1, p1 in literal_move([c0, cells[1]], 1, 3, 5).items()}
        assert seen.keys() <= law.keys()
        for pair, p in law.items():
            assert abs(seen[pair] - n * p) < 6 * (n * p * (1 - p)) ** 0.5 + 1


def test_sensor_start_is_uniform() -> None:
    cells = make_game("sensor").initial(30_000, np.random.default_rng(3))[:, 1:]
    assert (np.sort(cells, 1)[:, 1:] > np.sort(cells, 1)[:, :-1]).all()
    counts = np.array([np.bincount(cells[:, i], minlength=30) for i in range(3)])
    assert abs(counts - 1000).max() < 5 * 1000 ** 0.5


# ---------------------------------------------------------------------------------------------- aloha
def literal_aloha(backlog: list[int], actions: list[int], arrivals: list[bool]) -> tuple[list[int], int, int]:
    """One step of the ten islands: next backlogs, successes, collisions."""
    edges = {(i, i + 1) for i in range(9)} | {(i, i + 5) for i in range(5)}  # 4-5 is the public copies' extra edge
    near = [[j for j in range(10) if (i, j) in edges or (j, i) in edges] for i in range(10)]
    after, sent, collided = list(backlog), 0, 0
    for i in range(10):
        if actions[i] == 1 and backlog[i] > 0:
            if any(actions[j] == 1 for j in near[i]):
                collided += 1
            else:
                sent += 1
                after[i] -= 1
    return [min(b + came, 5) for b, came in zip(after, arrivals, strict=True)], sent, collided


def test_aloha_equals_literal_rules() -> None:
    game = make_game("aloha")
    rng = np.random.default_rng(4)
    state = np.concatenate([np.zeros((500, 3), dtype=np.int64), rng.integers(6, size=(500, 10))], 1)
    actions = (rng.random((500, 10)) < rng.random((500, 1))).astype(np.int64)
    step = game.transition(state, actions, np.random.default_rng(5))
    arrivals = np.random.default_rng(5).random((500, 10)) < 0.6  # the same draws as the game's
    for b in range(500):
        after, sent, collided = literal_aloha(state[b, 3:].tolist(), actions[b].tolist(), arrivals[b].tolist())
        assert step.state[b].tolist() == [1, sent, collided, *after]
        assert step.reward[b] == pytest.approx(0.1 * sent - 10 * collided)
        assert (step.info["messages_sent"][b], step.info["collisions"][b]) == (sent, collided)


# ------------------------------------------------------------------------------------- matrix games
@pytest.mark.parametrize("n_agents", [2, 3, 4])
def test_matrix_games_equal_literal_rules(n_agents: int) -> None:
    rng = np.random.default_rng(0)
    plays = np.array(list(itertools.product(range(2), repeat=n_agents)))
    xor = make_game("xor", n_agents=n_agents, bb_reward=-2.0)
    reward = xor.transition(xor.initial(len(plays), rng), plays, rng).reward
    all_b = -2.0 if n_agents % 2 == 0 else 1.0
    assert reward.tolist() == [all_b if sum(p) == n_agents else float(sum(p) % 2) for p in plays.tolist()]
    plays = np.array(list(itertools.product(range(n_agents), repeat=n_agents)))
    permutation = make_game("permutation", n_agents=n_agents)
    reward = permutation.transition(permutation.initial(len(plays), rng), plays, rng).reward
    assert reward.tolist() == [float(len(set(p)) == n_agents) for p in plays.tolist()]
