"""Aggregate statistics: by hand, and beside the library they follow."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

from epymarl_cpa.experiments.analysis.statistics import (
    STATISTICS,
    Scores,
    estimates,
    improvement,
    iqm,
    mean,
    median,
    optimality_gap,
    redraws,
)


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def _better(x: Scores, y: Scores, repetitions: int = 200) -> tuple[float, float, float]:
    return improvement(x, y, redraws(x, _rng(1), repetitions), redraws(y, _rng(2), repetitions))


def test_the_interquartile_mean_is_that_of_the_middle_half_of_all_runs() -> None:
    assert iqm([np.array([7.0, 0.0, 6.0, 1.0]), np.array([5.0, 2.0, 4.0, 3.0])]) == 3.5  # 2, 3, 4, 5
    assert iqm([np.ones(20), np.full(5, 0.5)]) == pytest.approx(0.75)  # many seeds give a task no more weight
    # Weights 5/6 and 5/4; one run's worth is cut on either side: a quarter of -9, 1, 2, and 13/12 of 3 remain.
    assert iqm([np.array([100.0, 1.0, 2.0]), np.array([-9.0, 3.0])]) == pytest.approx(3.5 / 3)


def test_mean_median_and_gap_are_over_the_means_of_tasks() -> None:
    scores = [np.array([0.0, 1.0]), np.array([2.0]), np.array([0.5, 0.5, 0.2])]
    assert mean(scores) == pytest.approx((0.5 + 2.0 + 0.4) / 3)
    assert median(scores) == pytest.approx(0.5)
    assert optimality_gap(scores) == pytest.approx(1 - (0.5 + 1.0 + 0.4) / 3)  # 2 counts as 1


def test_improvement_counts_ties_half() -> None:
    assert _better([np.array([1.0, 2.0])], [np.array([1.0, 3.0])])[0] == 1.5 / 4
    same = [np.array([0.3, 0.3 + 1e-13])]
    assert _better(same, [np.array([0.3])]) == (0.5, 0.5, 0.5)  # rounding is no improvement
    assert _better([np.ones(3), np.zeros(2)], [np.zeros(3), np.ones(4)]) == (0.5, 0.5, 0.5)


def test_intervals_are_those_of_the_bootstrap() -> None:
    found = estimates([np.array([0.0, 1.0])], _rng(), 2000)["mean"]
    assert (found.value, found.low, found.high) == (0.5, 0.0, 1.0)  # a quarter of all samples each is 0 and 1
    sure = estimates([np.full(5, 0.25), np.full(5, 0.75)], _rng(), 100)
    assert all(estimate.low == estimate.value == estimate.high for estimate in sure.values())
    won = _better([np.array([1.0, 3.0])], [np.array([2.0])], 2000)
    assert won == (0.5, 0.0, 1.0)


def test_the_same_seed_gives_the_same_intervals() -> None:
    scores = [_rng(task).normal(size=5) for task in range(4)]
    assert estimates(scores, _rng(3), 50) == estimates(scores, _rng(3), 50)
    assert estimates(scores, _rng(3), 50) != estimates(scores, _rng(4), 50)


X, Y = _rng(1).normal(0.8, 0.3, (5, 6)).round(1), _rng(2).normal(0.7, 0.3, (4, 6)).round(1)  # [runs, tasks], with ties


def _rliable(module: str) -> Any:
    try:
        return importlib.import_module(f"rliable.{module}")
    except (ImportError, TypeError) as error:  # TypeError: with pandas 3, its dependency arch 7 cannot be imported
        pytest.skip(f"rliable cannot be used here: {error}")


def test_rliable_computes_the_same_statistics() -> None:
    metrics = _rliable("metrics")
    theirs = {"IQM": metrics.aggregate_iqm, "mean": metrics.aggregate_mean, "median": metrics.aggregate_median,
              "optimality gap": metrics.aggregate_optimality_gap}
    for name, statistic in STATISTICS.items():
        assert statistic([*X.T]) == pytest.approx(theirs[name](X), abs=1e-12)
    won = _better([*X.T], [*Y.T])
    assert won[0] == pytest.approx(metrics.probability_of_improvement(X, Y), abs=1e-12)


@pytest.mark.filterwarnings("ignore")
def test_rliable_finds_the_same_intervals() -> None:
    library, metrics = _rliable("library"), _rliable("metrics")
    np.random.seed(0)  # rliable ignores the generator it is given
    ours = estimates([*X.T], _rng(), 4000)["IQM"]
    _, theirs = library.get_interval_estimates({"x": X}, lambda x: np.array([metrics.aggregate_iqm(x)]), reps=500)
    assert [ours.low, ours.high] == pytest.approx(theirs["x"][:, 0].tolist(), abs=0.02)
    won = _better([*X.T], [*Y.T], 4000)
    _, theirs = library.get_interval_estimates(
        {"x,y": (X, Y)}, lambda x, y: np.array([metrics.probability_of_improvement(x, y)]), reps=150)
    assert [*won[1:]] == pytest.approx(theirs["x,y"][:, 0].tolist(), abs=0.03)
