"""Behaviour cloning against the exact value of imitating every agent's own habits, at full size; takes minutes.

What independent argmax cloning is worth can be computed without learning: the product of the data's marginals,
each agent's likeliest action.  On Sensor that is 30.0, 28.96 and 15.63 (good, medium, poor); on Aloha no island
ever sends.  A network is not the table that these numbers belong to, so it may lose a little.
"""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from epymarl_cpa.config import resolve
from epymarl_cpa.run import run

SENSOR = {"good": 30.0, "medium": 28.96, "poor": 15.63}


def cloned(env: str, quality: str, folder: Path) -> dict[str, float]:
    """The last evaluation of cloning with the defaults."""
    config = resolve("bc", env, [f"dataset={quality}", "seed=100", f"local_results_path={folder}",
                                 f"datasets_path={folder}", "test_interval=100000", "save_model=false"])
    return run(config, None, logging.getLogger("test"))


@pytest.mark.slow
@pytest.mark.parametrize("quality", SENSOR)
def test_sensor(quality: str, tmp_path: Path) -> None:
    assert cloned("sensor", quality, tmp_path)["return"] == pytest.approx(SENSOR[quality], abs=2.0)


@pytest.mark.slow
@pytest.mark.parametrize("quality", ["good", "medium", "poor"])
def test_aloha_is_silent(quality: str, tmp_path: Path) -> None:
    result = cloned("aloha", quality, tmp_path)
    assert result["messages_sent"] < 2.5 and result["collisions"] < 2.5


@pytest.mark.slow
def test_the_bridge_is_blocked_or_crossed_on_one_of_three_ways(tmp_path: Path) -> None:
    """Where both agents' habits are equally strong, the accident of the draw decides."""
    assert any(cloned("bridge", "good", tmp_path)["return"] == pytest.approx(value, abs=1e-3)
               for value in (-1.2355, -1.2591, -1.2855, -1.2904, -15.4952))
