"""The exact return of a team, beside what it gets when it plays."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch as th
from helpers import Built
from torch import Tensor

from epymarl_cpa.envs.dpomdp.library import optima
from epymarl_cpa.envs.dpomdp.policies import value
from epymarl_cpa.evaluation import exact
from epymarl_cpa.evaluation.exact import exact_return
from epymarl_cpa.evaluation.play import evaluate


class Remembering:
    """A stand-in for a controller: a team that follows policies by what each row has seen."""

    draws_in_tests, args = False, SimpleNamespace(policy_input="obs")

    def __init__(self, policies: Any, n_observed: int) -> None:
        self.policies, self.n, self.acting = policies, n_observed, self
        self.encoder = type("Encoder", (), {"n_hidden": 1})()

    def seed_tests(self) -> None:
        pass

    def init_hidden(self, batch_size: int) -> None:
        self.seen = np.zeros((batch_size, len(self.policies)), dtype=np.int64)

    def select_actions(self, ep_batch: Any, t_ep: int, t_env: int, bs: Any, test_mode: bool) -> Tensor:
        if t_ep:
            self.seen[bs] = self.seen[bs] * self.n + ep_batch["obs"][bs, t_ep].argmax(-1).numpy()
        return th.from_numpy(np.stack([policy[t_ep][self.seen[bs, i]] for i, policy in enumerate(self.policies)], 1))


@pytest.mark.parametrize(("problem", "horizon"), [("dectiger", 4), ("gridsmall", 3), ("recycling", 1)])
def test_a_team_that_remembers(problem: str, horizon: int) -> None:
    built = Built("bc", "dpomdp", f"env_args.problem={problem}", f"env_args.episode_limit={horizon}")
    model = built.game.model  # type: ignore[attr-defined]
    for worth, team in optima(model, horizon)[:3]:
        mac: Any = Remembering(team, model.n_observations[0])
        assert abs(exact_return(built.game, mac) - worth) < 1e-9  # type: ignore[operator]
        assert abs(value(model, team, horizon) - worth) < 1e-9


@pytest.mark.parametrize("alg", ["bc", "cpa_ar", "qmix", "bcq"])
@pytest.mark.parametrize("problem", ["recycling", "boxpushing"])
def test_teams_that_see_the_state(alg: str, problem: str) -> None:
    built = Built(alg, "dpomdp", f"env_args.problem={problem}", "env_args.episode_limit=4", "seed=3")
    found = exact_return(built.game, built.mac)
    played = evaluate(built.game, built.mac, built.batch(4000), 0, 0)["return"]
    assert found is not None and abs(played.mean() - found) < 5 * played.std() / len(played) ** 0.5 + 1e-6


def test_students_that_see_their_own_observations() -> None:
    built = Built("cpa_pa", "dpomdp", "policy_input=obs", "test_greedy=true", "env_args.problem=recycling")
    for stage in ("teacher", "students"):
        built.mac.enter(stage)
        found = exact_return(built.game, built.mac)
        played = evaluate(built.game, built.mac, built.batch(4000), 0, 0)["return"]
        assert found is not None and abs(played.mean() - found) < 5 * played.std() / len(played) ** 0.5 + 1e-6


def test_there_is_none_where_a_team_draws_or_sees_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    assert exact_return(Built("bc", "xor").game, Built("bc", "xor").mac) is None
    built = Built("bc", "dpomdp", "test_greedy=false")
    assert exact_return(built.game, built.mac) is None
    built = Built("bc", "dpomdp", "test_greedy=true")
    assert exact_return(built.game, built.mac) is not None
    monkeypatch.setattr(exact, "MOST_ROWS", 3)
    assert exact_return(built.game, built.mac) is None


def test_nothing_else_changes(tiny_run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run learns and plays the same with and without its exact return, which is what it is quoted by."""
    words = ("dataset=poor", "recipes.poor.episodes=60", "recipes.medium.episodes=", "env_args.problem=recycling")
    runs = []
    for most in (4096, 0):
        monkeypatch.setattr(exact, "MOST_ROWS", most)
        runs.append(tiny_run(*words, env="dpomdp", alg="cpa_ar"))
    with_it, without = (run.result() for run in runs)
    assert with_it["return"] == without["return"] and "exact_return" not in without
    assert runs[0].series()["test_return_mean"] == runs[1].series()["test_return_mean"]
    assert runs[0].series()["test_exact_return_mean"][-1][1] == with_it["exact_return"]
    assert with_it["headline"] == with_it["exact_return"] == with_it["curve"][-1][1]
    assert without["headline"] == without["return"]


def test_teams_that_see_the_state_and_their_last_actions_are_sampled() -> None:
    """What an agent did before is not told by the state, so states alone do not tell what it does."""
    built = Built("bc", "dpomdp", "policy_input=state", "use_rnn=false", "obs_last_action=true")
    assert exact_return(built.game, built.mac) is None
    assert exact_return(built.game, Built("bc", "dpomdp", "policy_input=state", "use_rnn=false").mac) is not None
