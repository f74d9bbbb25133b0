"""Sensor and Aloha beyond the paper's size: the same rules, and bounds that are just above the optimum."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from epymarl_cpa.data.behaviours import behaviour_named
from epymarl_cpa.envs import Game, make_game
from epymarl_cpa.envs.aloha import Aloha
from epymarl_cpa.envs.aloha_large import AlohaLarge
from epymarl_cpa.envs.optima import SHIPPED
from epymarl_cpa.envs.sensor import Sensor
from epymarl_cpa.envs.sensor_large import SensorLarge
from epymarl_cpa.errors import UserError

SIZES = [("sensor", (3, 5, 3)), ("aloha", (2, 5))]


@pytest.fixture
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def both(name: str, size: tuple[int, ...]) -> tuple[Game, Game]:
    """The paper's game, and the large one in its size."""
    words = dict(zip(("rows", "cols", "n_preys"), size, strict=False))
    return make_game(name, **words), make_game(f"{name}_large", **words)


@pytest.mark.parametrize(("name", "size"), SIZES)
def test_in_the_papers_size_it_is_the_papers_game(name: str, size: tuple[int, ...]) -> None:
    small, large = both(name, size)
    state = small.initial(200, np.random.default_rng(1))
    assert np.array_equal(state, large.initial(200, np.random.default_rng(1)))
    for t in range(small.episode_limit):
        actions = small.random_actions(state, np.random.default_rng(t))
        assert np.array_equal(small.available(state), large.available(state))
        one, two = (game.transition(state, actions, np.random.default_rng(t)) for game in (small, large))
        assert np.array_equal(one.state, two.state) and np.array_equal(one.reward, two.reward)
        assert np.array_equal(small.global_state(one.state), large.global_state(two.state))
        state = one.state
    assert large.random_headline() == pytest.approx(small.random_headline(), abs=1.0)


def test_a_plan_is_one_of_the_best_and_tastes_choose_among_them() -> None:
    rng, small, large = np.random.default_rng(0), Sensor(), SensorLarge(3, 5, 3)
    taste = rng.random((15, 9))
    for preys in np.sort(small.initial(300, rng)[:, 1:], axis=1).tolist():
        best, joint = small.solution(tuple(preys))
        assert large.plan(preys)[0] == best
        assert (joint == large.plan(preys)[1]).all(1).any()
        liked = joint[taste[np.arange(15), joint].sum(1).argmax()]
        assert np.array_equal(large.plan(preys, taste)[1], liked)


def test_tastes_never_cost_anything() -> None:
    """Also where prices leave hardly anything between one plan and the next."""
    small, large = Sensor(catch_reward=2.0002), SensorLarge(3, 5, 3, catch_reward=2.0002)
    rng = np.random.default_rng(0)
    preys = small.initial(300, rng)[:, 1:]
    for row in np.sort(preys, axis=1).tolist():
        assert large.plan(row, rng.random((15, 9)))[0] == pytest.approx(small.solution(tuple(row))[0], abs=1e-8)


def test_plans_pay_what_they_say() -> None:
    game, rng = SensorLarge(), np.random.default_rng(2)
    preys = game.initial(200, rng)[:, 1:]
    plans = [game.plan(row) for row in preys.tolist()]
    assert game.reward(preys, np.stack([joint for _, joint in plans])).tolist() == [value for value, _ in plans]


def test_targets_that_cannot_move_stay() -> None:
    game = SensorLarge(2, 2, 4)  # five free cells, and all but one taken
    rng = np.random.default_rng(0)
    state = game.initial(500, rng)
    for _ in range(20):
        state = game.transition(state, game.random_actions(state, rng), rng).state
        cells = np.sort(state[:, 1:], axis=1)
        assert cells.min() >= 0 and cells.max() < game.state_dim and (np.diff(cells) > 0).all()
    with pytest.raises(UserError, match="as many targets as there are cells"):
        SensorLarge(2, 2, 5)


@pytest.mark.usefixtures("no_cache")
def test_the_bound_of_sensor_is_just_above_the_optimum() -> None:
    small, large = Sensor(2, 3, 2), SensorLarge(2, 3, 2)
    assert small.optimum() < large.headline_bound() < 1.01 * small.optimum()
    assert large.optimum() is None and large.headline_optimum() is None


@pytest.mark.usefixtures("no_cache")
@pytest.mark.parametrize(("size", "limit"), [((1, 6), 5), ((2, 3), 8)])
def test_the_bound_of_aloha_is_that_of_its_blocks(size: tuple[int, int], limit: int, monkeypatch: pytest.MonkeyPatch,
                                                  ) -> None:
    small, large = Aloha(*size, episode_limit=limit), AlohaLarge(*size, episode_limit=limit)
    assert large.optimum() is None and large.headline_optimum() is None
    one = large.computed_bound()
    monkeypatch.setattr("epymarl_cpa.envs.aloha_large.MOST_BACKLOGS", 6**3)
    assert small.headline_optimum() == pytest.approx(one, rel=1e-6), "in one block it is the optimum"
    halves = large.computed_bound()
    assert one < halves < 1.25 * one, "halves that do not disturb each other send more"
    assert [block.n_agents for block in large.blocks()] == ([3, 3] if size[0] == 1 else [2, 2, 2])


def test_longer_queues_make_smaller_blocks() -> None:
    assert [AlohaLarge(max_backlog=most).block_columns for most in (1, 2, 5, 6, 9, 400)] == [6, 6, 5, 4, 3, 1]
    assert [block.cols for block in AlohaLarge(max_backlog=1).blocks()] == [6, 6, 3]
    assert AlohaLarge(10, 2, max_backlog=400).headline_bound() is None, "not even one column's queues can be listed"


def test_independent_sets_are_those_of_the_small_game() -> None:
    small, large = Aloha(2, 4), AlohaLarge(2, 4)
    for name in ("independent_sets", "maximal_sets"):
        assert {*map(tuple, getattr(small, name).tolist())} == {*map(tuple, getattr(large, name).tolist())}
    assert len(AlohaLarge().maximal_sets) == 1291
    with pytest.raises(UserError, match="more than 1000000 independent sets"):
        AlohaLarge(4, 12).independent_sets  # noqa: B018


@pytest.mark.usefixtures("no_cache")
def test_bounds_are_shipped() -> None:
    shipped = json.loads(SHIPPED.read_text())
    for game, bound in ((SensorLarge(), 122.963), (AlohaLarge(), 291.149)):
        assert shipped[json.dumps(game.bound_spec(), sort_keys=True)] == game.headline_bound()
        assert game.headline_bound() == pytest.approx(bound, abs=1e-3)


@pytest.mark.parametrize(("name", "best", "least"), [("sensor_large", "expert", 120.0),
                                                     ("aloha_large", "parity", 250.0)])
def test_behaviours_know_the_large_games(name: str, best: str, least: float) -> None:
    game, rng, total = make_game(name), np.random.default_rng(3), 0.0
    act, state = behaviour_named(game, best)(game, 40, rng), game.initial(40, rng)
    for _ in range(game.episode_limit):
        step = game.transition(state, act(state, np.arange(40), rng), rng)
        state, total = step.state, total + float(step.reward.mean())
    reached = total if name == "sensor_large" else float(step.info["messages_sent"].mean())
    assert least < reached <= game.headline_bound() + 3.0  # type: ignore[operator]
