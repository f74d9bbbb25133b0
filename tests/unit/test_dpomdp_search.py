"""Exact values, best responses, and what the search finds."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from epymarl_cpa.envs.dpomdp import library
from epymarl_cpa.envs.dpomdp.kernel import kernel_of
from epymarl_cpa.envs.dpomdp.known import KNOWN
from epymarl_cpa.envs.dpomdp.model import Model
from epymarl_cpa.envs.dpomdp.policies import Policies, random_policies, tractable, value
from epymarl_cpa.envs.dpomdp.problems import problem
from epymarl_cpa.envs.dpomdp.response import best_response
from epymarl_cpa.envs.dpomdp.search import climbed, local_optima, plain
from epymarl_cpa.envs.dpomdp.steps import composed, together


def some_model(seed: int, actions: tuple[int, ...] = (2, 3), observations: tuple[int, ...] = (2, 2), states: int = 3,
               first: bool = False) -> Model:
    """Random numbers, some of them zero."""
    rng, n_joint, n_observed = np.random.default_rng(seed), int(np.prod(actions)), int(np.prod(observations))

    def laws(*shape: int) -> np.ndarray:  # type: ignore[type-arg]
        weights = rng.random(shape) * (rng.random(shape) < 0.6) + 1e-3 * (np.arange(shape[-1]) == 0)
        return np.asarray(weights / weights.sum(-1, keepdims=True))

    names = [tuple(tuple(map(str, range(n))) for n in sizes) for sizes in (actions, observations)]
    return Model(laws(n_joint, states, states), laws(n_joint, states, n_observed), rng.normal(size=(n_joint, states)),
                 laws(states), actions, observations, tuple(map(str, range(states))), *names,
                 first=laws(states, n_observed) if first else None)


def by_hand(model: Model, policies: Policies, horizon: int) -> float:
    """The value by following every state and observation, one after the other."""
    def follow(t: int, state: int, histories: tuple[int, ...]) -> float:
        chosen = [int(policies[i][t][h]) for i, h in enumerate(histories)]
        j = int(np.ravel_multi_index(chosen, model.n_actions))
        total = float(model.reward[j, state])
        if t + 1 == horizon:
            return total
        for after, p in enumerate(model.transition[j, state]):
            for k, seen in enumerate(itertools.product(*map(range, model.n_observations))):
                if p * model.observation[j, after, k] > 0:
                    longer = tuple(h * n + o for h, n, o in zip(histories, model.n_observations, seen, strict=True))
                    total += p * model.observation[j, after, k] * follow(t + 1, after, longer)
        return total

    if model.first is None:
        return sum(p * follow(0, s, (0,) * model.n_agents) for s, p in enumerate(model.start))
    return sum(p * model.first[s, k] * follow(0, s, seen) for s, p in enumerate(model.start)
               for k, seen in enumerate(itertools.product(*map(range, model.n_observations))))


MODELS = [some_model(0), some_model(1, (3, 2), (3, 1)), some_model(2, (2, 2, 2), (2, 1, 2)), some_model(3, first=True),
          some_model(4, (2, 2, 2), (2, 2, 1), first=True)]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("horizon", [1, 2, 3])
def test_value_is_that_of_every_single_course(model: Model, horizon: int) -> None:
    policies = random_policies(model, horizon, np.random.default_rng(horizon))
    assert abs(value(model, policies, horizon) - by_hand(model, policies, horizon)) < 1e-10


@pytest.mark.parametrize("model", MODELS[:4])
def test_best_response_is_the_best_of_all_policies(model: Model) -> None:
    horizon, agent = 2, 1
    policies = random_policies(model, horizon, np.random.default_rng(5))
    sizes, best = [len(actions) for actions in policies[agent]], -np.inf
    for chosen in itertools.product(range(model.n_actions[agent]), repeat=sum(sizes)):
        mine = np.split(np.array(chosen), np.cumsum(sizes)[:-1])
        best = max(best, value(model, [policies[0], mine, *policies[2:]], horizon))
    for rng in (None, np.random.default_rng(0)):
        found, policy = best_response(model, policies, agent, horizon, rng)
        assert abs(found - best) < 1e-10
        assert abs(value(model, [policies[0], policy, *policies[2:]], horizon) - best) < 1e-10


@pytest.mark.parametrize("model", MODELS)
def test_everything_that_changes_a_team_tells_its_value_rightly(model: Model) -> None:
    horizon, rng = 3, np.random.default_rng(6)
    for policies in (random_policies(model, horizon, rng), composed(model, horizon, rng)):
        before = value(model, policies, horizon)
        for t in range(horizon):
            gain, after = together(model, policies, t, horizon, rng)
            assert gain >= 0 and abs(value(model, after, horizon) - before - gain) < 1e-9
        assert abs(value(model, plain(model, policies, horizon), horizon) - before) < 1e-10
        worths = [worth for worth, _ in climbed(model, policies, horizon, rng)]
        assert worths == sorted(worths) and worths[0] >= before - 1e-9
    for worth, team in local_optima(model, horizon, rng, ascents=8):
        assert abs(by_hand(model, team, horizon) - worth) < 1e-9
        for agent in range(model.n_agents):
            assert best_response(model, team, agent, horizon)[0] < worth + 1e-8


def test_states_from_which_all_is_alike_are_one() -> None:
    assert kernel_of(problem("firefighting")).n_states == 27
    assert kernel_of(problem("gridsmall")).n_states == 16
    assert kernel_of(problem("dectiger")).n_states == 2


QUICK = [("dectiger", 2), ("dectiger", 3), ("dectiger", 4), ("dectiger", 5), ("recycling", 2), ("recycling", 3),
         ("recycling", 4), ("gridsmall", 2), ("gridsmall", 3), ("gridsmall", 4), ("firefighting", 3),
         ("firefighting", 4), ("boxpushing", 2)]
LONG = [("dectiger", 6), ("recycling", 5), ("gridsmall", 5), ("boxpushing", 3), ("boxpushing", 4)]


@pytest.mark.parametrize(("name", "horizon"),
                         [*QUICK, *(pytest.param(*case, marks=pytest.mark.slow) for case in LONG)])
def test_the_search_finds_what_the_literature_knows(name: str, horizon: int) -> None:
    for seed in range(1 if (name, horizon) in QUICK else 3):
        found = local_optima(problem(name), horizon, np.random.default_rng(seed), ascents=40 if seed == 0 else 100)
        assert abs(found[0][0] - KNOWN[name][horizon]) < 1e-6
        assert abs(value(problem(name), found[0][1], horizon) - found[0][0]) < 1e-9


def test_a_search_is_the_same_every_time_and_knows_many_optima() -> None:
    runs = [local_optima(problem("recycling"), 3, np.random.default_rng(1), ascents=30) for _ in range(2)]
    assert [worth for worth, _ in runs[0]] == [worth for worth, _ in runs[1]]
    assert len({round(worth, 6) for worth, _ in runs[0]}) >= 6
    begun = local_optima(problem("recycling"), 3, np.random.default_rng(1), ascents=0, beginnings=[runs[0][-1][1]])
    assert begun[0][0] >= runs[0][-1][0] - 1e-9


def test_what_is_too_long_is_known_before() -> None:
    assert tractable(problem("dectiger"), 7) and tractable(problem("boxpushing"), 4)
    assert not tractable(problem("dectiger"), 50) and not tractable(problem("boxpushing"), 6)


def test_optima_are_kept_and_damage_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    model = problem("dectiger")
    library.optima.cache_clear()
    first = library.optima(model, 3)
    kept, = (tmp_path / "epymarl_cpa" / "dpomdp").iterdir()
    monkeypatch.setattr(library, "local_optima", lambda *given: pytest.fail("was searched again"))
    library.optima.cache_clear()
    again = library.optima(model, 3)
    assert [worth for worth, _ in again] == [worth for worth, _ in first]
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    content = kept.read_bytes()
    with np.load(kept) as stored:
        arrays = dict(stored)
    np.savez(tmp_path / "wrong.npz", **{**arrays, "values": arrays["values"][:, None].repeat(2, 1)})
    wrong_shape = (tmp_path / "wrong.npz").read_bytes()
    for damaged in (content[:-40], b"", content.replace(b"policy", b"policx"), wrong_shape):
        kept.write_bytes(damaged)
        library.optima.cache_clear()
        assert library.optima(model, 3)[0][0] == first[0][0]
    assert kept.read_bytes() == content
    library.optima.cache_clear()


@pytest.mark.parametrize("size", [2.0**-60, 1e-8, 1e7, 1e12])
def test_the_size_of_rewards_does_not_matter(size: float) -> None:
    """What is rounding is told by their size; with large ones a search went on for ever between two equal plans."""
    model = problem("recycling")
    plain, sized = (local_optima(each, 3, np.random.default_rng(0), 6)
                    for each in (model, replace(model, reward=model.reward * size)))
    assert sized[0][0] == pytest.approx(plain[0][0] * size, rel=1e-9)
    assert len(sized) > 3
