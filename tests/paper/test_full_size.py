"""The teacher at full size, one seed of its own for every data set; takes about a quarter of an hour."""

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
#: real recordings of AlberDICE's authors, where they lie beside the project
RECORDED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "alberdice/bridge_from_start/buffer_optimal"


def headline(env: str, dataset: str, folder: Path) -> float:
    """The last evaluation of a run with the defaults, in the unit that results are quoted in."""
    config = resolve("cpa_ar", env, [f"dataset={dataset}", "seed=100", f"local_results_path={folder}",
                                     f"datasets_path={folder}", "test_interval=100000"])
    return run(config, None, logging.getLogger("test"))["headline"]


@pytest.mark.slow
@pytest.mark.parametrize("env", REACHED)
@pytest.mark.parametrize("quality", ["good", "medium", "poor"])
def test_the_teacher_reaches(env: str, quality: str, tmp_path: Path) -> None:
    assert headline(env, quality, tmp_path) >= REACHED[env][("good", "medium", "poor").index(quality)]


@pytest.mark.slow
@pytest.mark.skipif(not RECORDED.exists(), reason="AlberDICE's recordings are not here")
def test_the_teacher_finds_the_optimum_in_real_recordings(tmp_path: Path) -> None:
    assert headline("bridge", str(RECORDED), tmp_path) == pytest.approx(-1.235453, abs=1e-4)
