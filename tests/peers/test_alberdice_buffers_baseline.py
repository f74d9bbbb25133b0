"""The AlberDICE baseline on AlberDICE's own recordings; skipped where the files are absent."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from epymarl_cpa.config import resolve
from epymarl_cpa.run import run

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "alberdice"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="AlberDICE's recordings are not here")


def learn(env: str, folder: str, place: Path, *words: str) -> float:
    """Greedy return after a run on a folder of recordings."""
    config = resolve("alberdice", env, [f"dataset={DATA / folder}", "seed=0", "test_nepisode=10", "save_model=false",
                                        f"local_results_path={place}", "test_interval=100000", *words])
    return run(config, None, logging.getLogger("test"))["return"]


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["buffer_02", "buffer_02_20", "buffer_00_02_20", "buffer_random"])
def test_the_matrix_game_is_won_at_every_step(folder: str, tmp_path: Path) -> None:
    words = ("env_args.episode_limit=50", "env_args.bb_reward=-2", "batch_size=16")
    assert learn("xor", f"mmdp_game_1_from_start/{folder}", tmp_path, *words) == 50.0


@pytest.mark.slow
def test_the_bridge_is_crossed_as_their_code_does(tmp_path: Path) -> None:
    assert learn("bridge", "bridge_from_start/buffer_optimal", tmp_path) >= -1.2905
