"""Small but real: conventions are found in the data, and improved beyond them, to the exact optimum."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import accord
import pytest
import torch as th

from epymarl_cpa.config import resolve
from epymarl_cpa.conventions.likelihood import episode_likelihood
from epymarl_cpa.run import Trial, prepare

TIGER = ("fit_share=0.2", "ascents=40", "plans=2", "pool_size=4", "batch_size=32", "hidden_dim=32",
         "student_t_max=200", "student_lr=0.01", "test_greedy=true", "test_nepisode=10")
ACCORD = ("policy_input=obs", "improvement=imitation", "pool_size=4", "hidden_dim=16", "batch_size=32",
          "student_t_max=150", "student_lr=0.02", "test_nepisode=100")


def learn(env: str, folder: Path, *words: str) -> tuple[Trial, dict[str, Any]]:
    """A run of conventions, and its last evaluation."""
    chosen = {word.partition("=")[0]: word for word in ("test_interval=100000", *words)}  # the last ones win
    config = resolve("cpa_pa", env, [*chosen.values(), "seed=0", f"local_results_path={folder}",
                                     f"datasets_path={folder}"])
    trial = prepare(config, None, logging.getLogger("test"))
    return trial, trial.run()


@pytest.fixture
def game(tmp_path: Path) -> Iterator[str]:
    """The environment file of a game in which only conventions work."""
    with accord.known(tmp_path) as file:
        yield file


@pytest.mark.parametrize(("horizon", "recipe"), [(2, "good"), (3, "good")])
def test_dec_tiger_is_solved_from_mixed_teams(horizon: int, recipe: str, tmp_path: Path) -> None:
    trial, out = learn("dpomdp", tmp_path, *TIGER, f"env_args.episode_limit={horizon}", f"dataset={recipe}",
                       f"recipes.{recipe}.episodes=2000")
    assert out["score"] == pytest.approx(1.0, abs=1e-9)
    assert out["exact_return"] == pytest.approx(out["optimum"])
    assert trial.runner.dataset.returns.mean() < out["optimum"] - 5  # type: ignore[attr-defined]


def test_teams_worse_than_the_best_are_improved_to_it(tmp_path: Path) -> None:
    """No recorded team is the best one, and half of what was done is chance."""
    poor = (*TIGER, "dataset=poor", "recipes.poor.episodes=5000", "student_t_max=500", "plans=1")
    _, out = learn("dpomdp", tmp_path, *poor, "ascents=80")
    imitation = [word for word in poor if "ascents" not in word]  # which searches for nothing
    _, imitated = learn("dpomdp", tmp_path, *imitation, "improvement=imitation")
    assert out["score"] > 0.99 > imitated["score"]


def posterior(trial: Trial) -> Any:
    """How likely each recorded episode follows each convention, ``[E, c]``."""
    learner: Any = trial.learner.learners[-1]
    source: Any = trial.runner
    with th.no_grad():
        step = learner.steps(source.episodes(th.arange(source.n_episodes)))
        likelihood = episode_likelihood(step, learner.pool.every(step.inputs), source.n_episodes)
        return (likelihood + learner.pool.mixing.log_softmax(0)).softmax(1)


def test_the_conventions_of_the_data_are_its_teams(game: str, tmp_path: Path) -> None:
    trial, out = learn(game, tmp_path, *ACCORD)
    source: Any = trial.runner
    teams = th.nn.functional.one_hot(th.from_numpy(source.dataset.behaviour).long(), 2).float()
    mass = posterior(trial).T @ teams  # of each team's episodes on each convention, [c, 2]
    assert mass.sum(0).tolist() == pytest.approx(teams.sum(0).tolist(), rel=1e-4)
    assert mass.amax(1).sum() / mass.sum() > 0.999, "no convention is of two teams"
    assert out["return"] == out["optimum"] == 4.0
    assert "tv" not in out and out["joint_entropy"] > 0.9, "both teams are played, and there is no teacher"


def test_evaluations_on_the_way_play_what_is_known_by_then(game: str, tmp_path: Path) -> None:
    """By what the recorded episodes say of the conventions so far; what is learned is the same as without."""
    trial, out = learn(game, tmp_path, *ACCORD, "test_interval=40")
    silent, same = learn(game, tmp_path, *ACCORD)
    assert [t for t, _ in trial.curve] == [0, 40, 80, 120, 150]
    assert trial.curve[3][1] > 3.7, "3.5 by all entries alike"
    assert out["return"] == same["return"] == 4.0
    networks = [one.mac.agent.state_dict() for one in (trial, silent)]
    assert all(th.equal(networks[0][name], networks[1][name]) for name in networks[0])


def test_without_an_agreement_half_is_lost(game: str, tmp_path: Path) -> None:
    """One convention alone is what every agent learns by itself: neither bit nor step says which team it is."""
    trial, out = learn(game, tmp_path, *ACCORD, "pool_size=1")
    assert out["return"] < 3.0
    assert posterior(trial).shape == (400, 1)
