"""Shares of good runs, their intervals, and the worst run."""

from __future__ import annotations

from typing import Any

import pytest

from epymarl_cpa.experiments.analysis.reliability import reliabilities, runs_table, share


def row(seed: int, headline: float, **more: Any) -> dict[str, Any]:
    return {"alg": "cpa_ar", "env": "bridge", "dataset": "poor", "seed": seed, "headline": headline,
            "headline_optimum": -1.2355, "headline_random": -17.0, **more}


@pytest.mark.parametrize(("count", "of", "low", "high"), [
    (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (99, 100, 0.9455, 0.9982), (100, 100, 0.9630, 1.0),
    (66, 71, 0.8455, 0.9695)])
def test_intervals_are_wilsons(count: int, of: int, low: float, high: float) -> None:
    found = share(count, of)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_runs_are_counted_and_the_worst_is_named() -> None:
    rows = [row(7, -1.2355), row(8, -1.2355), row(9, -1.2591), row(10, -3.3355)]
    (found,) = reliabilities(rows)
    assert found.optimal is not None
    assert found.nearly is not None
    assert (found.optimal.good, found.nearly.good, found.runs) == (2, 3, 4)
    assert (found.worst, found.seed) == (-3.3355, 10)
    assert runs_table([found]).splitlines()[2] == \
        "| bridge | poor | cpa_ar | 2 of 4 [0.150, 0.850] | 3 of 4 [0.301, 0.954] | -1.7664 | -3.3355 (10) |"


def test_no_run_at_the_optimum_is_told_where_others_are_there() -> None:
    never, always = reliabilities([*(row(seed, -3.3, alg="bc") for seed in (1, 2)), row(1, -1.2355)])
    assert str(never.optimal) == "0 of 2 [0.000, 0.658]" and always.optimal is not None and always.optimal.good == 1


def test_unknown_optima_are_dashes() -> None:
    (found,) = reliabilities([row(1, 2.0, env="mine", headline_optimum=None, headline_random=None)])
    assert (found.optimal, found.nearly) == (None, None)
    assert "| - | - | 2.0000 | 2.0000 (1) |" in runs_table([found])


def test_tests_that_are_samples_never_hit_the_optimum() -> None:
    (found,) = reliabilities([row(1, 30.7, env="sensor", headline_optimum=30.866, headline_random=-119.0)])
    assert found.optimal is None
    assert found.nearly is not None
    assert found.nearly.good == 1
