"""Reference values of Aloha: its graph, simulated policies and exact optima."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from epymarl_cpa.envs import __main__ as command
from epymarl_cpa.envs.aloha import Aloha
from epymarl_cpa.envs.aloha_large import AlohaLarge
from epymarl_cpa.envs.optima import SHIPPED
from epymarl_cpa.envs.sensor_large import SensorLarge

Policy = Callable[[Aloha, NDArray[np.int64], int, np.random.Generator], NDArray[np.bool_]]


def test_aloha_sets() -> None:
    game = Aloha()
    assert (len(game.independent_sets), len(game.maximal_sets)) == (91, 11)
    assert sorted(game.maximal_sets.sum(1)) == [3] * 6 + [4] * 3 + [5] * 2
    largest = {tuple(np.flatnonzero(s).tolist()) for s in game.maximal_sets if s.sum() == 5}
    assert largest == {(0, 2, 4, 6, 8), (1, 3, 5, 7, 9)}
    assert game.neighbours[4, 5]


def epsilon_greedy(eps: float) -> Policy:
    def act(game: Aloha, backlog: NDArray[np.int64], t: int, rng: np.random.Generator) -> NDArray[np.bool_]:
        worth = ((backlog > 0) + 0.01 * backlog) @ game.maximal_sets.T.astype(float)
        plan = game.maximal_sets[worth.argmax(1)]
        return np.asarray(np.where(rng.random(plan.shape) < eps, rng.random(plan.shape) < 0.5, plan))
    return act


def one_of(name: str) -> Policy:
    def act(game: Aloha, backlog: NDArray[np.int64], t: int, rng: np.random.Generator) -> NDArray[np.bool_]:
        sets: NDArray[np.bool_] = getattr(game, name)
        return sets[rng.integers(len(sets), size=len(backlog))]
    return act


def fixed(size: int) -> Policy:
    def act(game: Aloha, backlog: NDArray[np.int64], t: int, rng: np.random.Generator) -> NDArray[np.bool_]:
        return np.tile(game.maximal_sets[game.maximal_sets.sum(1) == size][0], (len(backlog), 1))
    return act


def parity(alternate: bool) -> Policy:
    def act(game: Aloha, backlog: NDArray[np.int64], t: int, rng: np.random.Generator) -> NDArray[np.bool_]:
        turn = np.full(len(backlog), t % 2) if alternate else rng.integers(2, size=len(backlog))
        return np.asarray((np.arange(10) + turn[:, None]) % 2 == 0)
    return act


@pytest.mark.parametrize(("policy", "messages", "collisions"), [
    (epsilon_greedy(0.0), 96.98, 0.0), (parity(True), 95.5, 0.0), (parity(False), 90.9, 0.0),
    (one_of("maximal_sets"), 69.1, 0.0), (one_of("independent_sets"), 50.4, 0.0),
    (fixed(5), 62.0, 0.0), (fixed(4), 49.6, 0.0), (fixed(3), 37.2, 0.0),
    (lambda game, backlog, t, rng: rng.random(backlog.shape) < 0.5, 14.9, 84.7),
    (lambda game, backlog, t, rng: rng.random(backlog.shape) < game.maximal_sets.mean(0), 21.7, 50.4),
    (epsilon_greedy(0.05), 88.9, 8.7), (epsilon_greedy(0.1), 81.1, 17.0), (epsilon_greedy(0.2), 66.5, 32.0),
    (epsilon_greedy(0.3), 53.9, 45.0), (epsilon_greedy(0.5), 34.3, 65.0)])
def test_aloha_policies(policy: Policy, messages: float, collisions: float) -> None:
    game, rng = Aloha(), np.random.default_rng(7)
    state, total = game.initial(2000, rng), np.zeros(2000)
    for t in range(20):
        step = game.transition(state, policy(game, state[:, 3:], t, rng).astype(np.int64), rng)
        state, total = step.state, total + step.reward
    assert step.done.all()
    for key, want, rounding in (("messages_sent", messages, 0.05), ("collisions", collisions, 0.5)):
        error = step.info[key].std() / 2000 ** 0.5
        assert abs(step.info[key].mean() - want) < 4 * (error ** 2 + 0.05 ** 2) ** 0.5 + rounding
    np.testing.assert_allclose(total, 0.1 * step.info["messages_sent"] - 10 * step.info["collisions"])


@pytest.mark.parametrize(("rows", "cols", "cap", "steps"), [(2, 2, 2, 3), (1, 3, 3, 4), (2, 1, 4, 6)])
def test_aloha_optimum_of_small_ladders(rows: int, cols: int, cap: int, steps: int) -> None:
    """Dynamic programming over maximal sets against all joint actions, arrivals and the true reward."""
    n = rows * cols
    near = [[j for j in range(n) if abs(i - j) in (1, cols)] for i in range(n)]
    arrivals = [(a, 0.6 ** sum(a) * 0.4 ** (n - sum(a))) for a in itertools.product((0, 1), repeat=n)]

    @cache
    def value(backlog: tuple[int, ...], left: int) -> float:
        if left == 0:
            return 0.0
        outcomes = []
        for action in itertools.product((0, 1), repeat=n):
            reward, after = 0.0, list(backlog)
            for i in range(n):
                if action[i] and backlog[i]:
                    clash = any(action[j] for j in near[i])
                    reward += -10.0 if clash else 0.1
                    after[i] -= not clash
            outcomes.append(reward + sum(p * value(tuple(min(b + a, cap) for b, a in zip(after, came, strict=True)),
                                                   left - 1) for came, p in arrivals))
        return max(outcomes)

    game = Aloha(rows=rows, cols=cols, max_backlog=cap, episode_limit=steps)
    table = game.message_values(steps)
    for backlog in itertools.product((0, 1, cap), repeat=n):
        assert 0.1 * table[backlog] == pytest.approx(value(backlog, steps), abs=1e-6)


def test_aloha_shipped_optimum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    shipped = json.loads(SHIPPED.read_text())
    values = {spec["episode_limit"]: value for key, value in shipped.items()
              if (spec := json.loads(key))["game"] == "aloha"}
    assert values == {10: pytest.approx(47.9738, abs=1e-3), 20: pytest.approx(97.0051, abs=1e-3)}
    assert Aloha().optimum() == pytest.approx(9.70051, abs=1e-4)
    assert Aloha(send_reward=1.0, collision_reward=0.0, episode_limit=10).optimum() == pytest.approx(47.9738, abs=1e-3)
    assert not list(tmp_path.iterdir())  # nothing had to be computed


def test_aloha_optimum_of_a_variant_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = Aloha(rows=1, cols=2, episode_limit=3).optimal_messages()
    monkeypatch.setattr(Aloha, "message_values", lambda self, steps: pytest.fail("computed a second time"))
    assert Aloha(rows=1, cols=2, episode_limit=3).optimal_messages() == first


@pytest.mark.slow
@pytest.mark.parametrize(("steps", "messages"), [(10, 47.9738), (20, 97.0051)])
def test_aloha_dynamic_programming_of_ten_islands(steps: int, messages: float) -> None:
    assert Aloha().message_values(steps)[(1,) * 10] == pytest.approx(messages, abs=1e-3)


def test_the_command_writes_the_table_that_games_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                      capsys: pytest.CaptureFixture[str]) -> None:
    small = partial(Aloha, rows=1, cols=3)
    islands, sensors = AlohaLarge(1, 3), SensorLarge(2, 2, 1)
    monkeypatch.setattr(command, "Aloha", small)
    monkeypatch.setattr(command, "AlohaLarge", lambda: islands)
    monkeypatch.setattr(command, "SensorLarge", lambda: sensors)
    monkeypatch.setattr(command, "SHIPPED", tmp_path / "optima.json")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    command.main()
    told = json.loads((tmp_path / "optima.json").read_text())
    exact = {json.dumps(game.messages_spec(), sort_keys=True): game.headline_optimum()
             for game in (small(episode_limit=10), small(episode_limit=20))}
    bounds = {json.dumps(game.bound_spec(), sort_keys=True): game.headline_bound() for game in (islands, sensors)}
    assert told == {**exact, **bounds}
    assert "aloha, 20 steps" in capsys.readouterr().out
