"""Small but real: the teacher trains through the whole host and must reach the optimum's neighbourhood."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from epymarl_cpa.config import resolve
from epymarl_cpa.run import run

CASES = [
    ("permutation", 0.999, "dataset=poor", "t_max=500", "lr=0.003"),
]
LONG = [
    ("sensor", 0.97, "dataset=medium", "rows=2", "cols=3", "n_preys=2", "t_max=800"),
    ("bridge", 1.0001, "dataset=good", "t_max=1000"),
    ("aloha", 0.95, "dataset=poor", "cols=2", "t_max=1000"),
]


@pytest.mark.parametrize("case", [*CASES, *(pytest.param(case, marks=pytest.mark.slow) for case in LONG)],
                         ids=lambda case: case[0])
def test_the_teacher_reaches(case: tuple[str | float, ...], tmp_path: Path) -> None:
    env, share, *words = case
    game_words = ("cols", "rows", "n_preys")
    options = [f"env_args.{w}" if str(w).split("=")[0] in game_words else str(w) for w in words]
    config = resolve("cpa_ar", str(env), [*options, "seed=0", f"local_results_path={tmp_path}",
                                          f"datasets_path={tmp_path}", "test_interval=100000"])
    outcome = run(config, None, logging.getLogger("test"))
    if outcome["headline_optimum"] > 0:
        assert outcome["headline"] >= float(share) * outcome["headline_optimum"]
    else:
        assert outcome["headline"] >= float(share) * outcome["headline_optimum"] - 1e-4
