"""The teacher at full size, one seed of its own for every game and data set; takes about a quarter of an hour."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from epymarl_cpa.config import resolve
from epymarl_cpa.run import run

#: what good, medium and poor data must lead to, in the unit that results are quoted in
REACHED = {
    "xor": (1.0, 1.0, 1.0),
    "permutation": (1.0, 1.0, 1.0),
    "bridge": (-1.23555, -1.23555, -1.23555),
    "sensor": (30.3, 30.3, 30.0),
    "aloha": (96.3, 95.8, 95.3),
}


@pytest.mark.slow
@pytest.mark.parametrize("env", REACHED)
@pytest.mark.parametrize("quality", ["good", "medium", "poor"])
def test_the_teacher_reaches(env: str, quality: str, tmp_path: Path) -> None:
    config = resolve("cpa_ar", env, [f"dataset={quality}", "seed=100", f"local_results_path={tmp_path}",
                                     f"datasets_path={tmp_path}", "test_interval=100000"])
    outcome = run(config, None, logging.getLogger("test"))
    assert outcome["headline"] >= REACHED[env][("good", "medium", "poor").index(quality)]
