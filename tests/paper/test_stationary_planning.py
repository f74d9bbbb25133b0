"""One rule for all times: the search that changes two agents at once, the wary model of rewards, and both at work."""

from __future__ import annotations

import dataclasses
import itertools
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th

from epymarl_cpa.config import resolve
from epymarl_cpa.conventions.column_model import Columns, trained_on
from epymarl_cpa.conventions.experience import Experience
from epymarl_cpa.conventions.pair_search import PairSearch
from epymarl_cpa.conventions.stage_planner import known_apart
from epymarl_cpa.conventions.stationary_planner import StationaryPlanner
from epymarl_cpa.conventions.wary_reward import WaryReward
from epymarl_cpa.envs.sensor import Sensor
from epymarl_cpa.run import prepare

SENSOR = ("env_args.rows=2", "env_args.cols=3", "env_args.n_preys=2", "env_args.observation=local", "hidden_dim=32",
          "recipes.medium.episodes=400", "student_t_max=120", "student_lr=0.01", "policy_input=obs", "use_rnn=true",
          "plans=2", "improvement=stationary", "model_t_max=300", "pool_size=2", "fit_share=0.05", "seed=0",
          "test_interval=100000", "test_greedy=true", "test_nepisode=200")


def test_two_agents_leave_together_what_neither_can_leave_alone() -> None:
    table = np.array([[1.0, -5.0], [-5.0, 2.0]])
    known, rules = np.zeros((1, 2), dtype=int), [np.zeros(1, dtype=int)] * 2
    search = PairSearch(lambda joint, rows: table[joint[:, 0], joint[:, 1]], known, [np.ones((1, 2), dtype=bool)] * 2,
                        np.ones(1), rules)
    assert [rule.tolist() for rule in search.found(np.random.default_rng(0))] == [[1], [1]]
    held = PairSearch(lambda joint, rows: table[joint[:, 0], joint[:, 1]], known,
                      [np.ones((1, 2), dtype=bool), np.array([[True, False]])], np.ones(1), rules)
    assert [rule.tolist() for rule in held.found(np.random.default_rng(0))] == [[0], [0]], "what is not allowed"


def test_no_change_of_one_decision_with_the_best_response_of_another_agent_is_left() -> None:
    """Against a literal search, in random games of three agents with three actions, by two things to know."""
    rng = np.random.default_rng(3)
    for _ in range(5):
        known, table = rng.integers(2, size=(12, 3)), rng.normal(size=(12, 3, 3, 3))
        allowed = [np.ones((2, 3), dtype=bool) for _ in range(3)]
        allowed[0][0, 2] = False
        weight = rng.dirichlet(np.ones(12))
        beginning = [rng.integers(2, size=2) for _ in range(3)]

        def value(rules: Any, known: Any = known, table: Any = table, weight: Any = weight) -> float:
            joint = np.stack([rule[known[:, i]] for i, rule in enumerate(rules)], 1)
            return float(table[np.arange(12), *joint.T] @ weight)

        rules = PairSearch(lambda joint, rows, table=table: table[rows, *joint.T], known, allowed, weight,
                           beginning).found(rng)
        assert value(rules) >= value(beginning) and rules[0][0] != 2
        for one, k, a, other in itertools.product(range(3), range(2), range(3), range(3)):
            if other == one or not allowed[one][k, a]:
                continue
            for response in itertools.product(range(3), repeat=2):
                if not all(allowed[other][n, b] for n, b in enumerate(response)):
                    continue
                changed = [rule.copy() for rule in rules]
                changed[one][k], changed[other] = a, np.array(response)
                assert value(changed) <= value(rules) + 1e-5


@pytest.mark.parametrize("seed", range(20))
def test_rounding_does_not_keep_a_search_going(seed: int) -> None:
    """Networks add up in another order when more cases are judged at once."""
    rng, calls = np.random.default_rng(seed), 0
    table = rng.normal(size=(5, 5, 5)) + 3000

    def worth(joint: Any, rows: Any) -> Any:
        nonlocal calls
        calls += 1
        return (table[tuple(joint.T)] * (1 + 1e-7 * rng.normal(size=len(joint)))).astype(np.float32)

    PairSearch(worth, np.zeros((1, 3), dtype=int), [np.ones((1, 5), dtype=bool)] * 3, np.ones(1),
               [np.zeros(1, dtype=int)] * 3).found(rng)
    assert calls < 2000


def test_an_agent_alone_takes_what_pays_best() -> None:
    found = PairSearch(lambda joint, rows: joint[:, 0] * 1.0, np.zeros((2, 1), dtype=int),
                       [np.array([[True, True, False]])], np.full(2, 0.5), [np.zeros(1, dtype=int)])
    assert found.found(np.random.default_rng(0))[0].tolist() == [1]


def alternatives(episodes: int) -> Experience:
    """XOR as it is recorded of teams that agree: AB or BA, which always pay 1."""
    first = th.arange(episodes)[:, None].expand(-1, 2) % 2
    ones = th.ones(episodes, 2, dtype=th.bool)
    return Experience(th.zeros(episodes, 2, 1), th.zeros(episodes, 2, 2, 1), th.stack([first, 1 - first], 2),
                      th.ones(episodes, 2, 2, 2, dtype=th.bool), th.ones(episodes, 2), ones, ones[:, 1:],
                      th.zeros(episodes, 2, dtype=th.bool), ones[:, 1:])


@pytest.mark.parametrize("seed", range(5))
def test_what_nobody_did_together_is_not_trusted_although_each_did_its_part(seed: int) -> None:
    data, generator = alternatives(200), th.Generator().manual_seed(seed)
    th.manual_seed(seed)
    model = WaryReward(Columns(data.state[:, 0]), 2, 2)
    trained_on(data, model, 300, generator)
    joint = th.tensor([[0, 1], [1, 0], [0, 0], [1, 1]])
    with th.no_grad():
        known, unknown = model.wary(th.zeros(4, 1, dtype=th.long), joint).split(2)
    assert known.tolist() == pytest.approx([1, 1], abs=0.05)
    assert (unknown < known.min()).all()


def test_sensors_find_together_what_imitation_and_best_responses_do_not(tmp_path: Path) -> None:
    trial = prepare(resolve("cpa_pa", "sensor", [*SENSOR, f"local_results_path={tmp_path}",
                                                 f"datasets_path={tmp_path}"]), None, logging.getLogger("test"))
    out, learner = trial.run(), trial.learner.learners[-1]
    plan, game = learner.plan, Sensor(rows=2, cols=3, n_preys=2, observation="local")
    rules: dict[Any, set[int]] = {}
    for episode in (plan.entry == 0).nonzero()[:, 0].tolist():
        for t, agent in itertools.product(range(plan.obs.shape[1]), range(plan.obs.shape[2])):
            seen = (agent, *plan.obs[episode, t, agent].tolist())
            rules.setdefault(seen, set()).add(int(plan.actions[episode, t, agent]))
    assert all(len(actions) == 1 for actions in rules.values()), "what is seen decides, at all times alike"

    shown = dataclasses.replace(learner.args, model_t_max=1)  # for what it makes of the data, not what it learns
    planner = StationaryPlanner(learner._experience(), shown, th.Generator().manual_seed(0))
    obs = planner.view.of(planner.state)
    known, counts = known_apart(obs.numpy(), None)

    def paid(joint: Any) -> float:
        """The true mean reward of the recorded states."""
        step = game.transition(game.decode(planner.state.numpy()), joint, np.random.default_rng(0))
        return float(step.reward @ planner.weight)

    done = [planner._done(known[:, agent], count, agent) for agent, count in enumerate(counts)]
    copied = paid(np.stack([table.argmax(1)[known[:, i]] for i, table in enumerate(done)], 1))
    found = paid(np.array([[min(rules[(i, *row.tolist())]) for i, row in enumerate(each)] for each in obs]))
    assert found > copied + 0.05
    assert out["return"] == pytest.approx(10 * found, abs=1.5), "and the agents play it"
