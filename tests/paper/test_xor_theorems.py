"""What every method must do on the three XOR data sets: theorems, not measurements.

T1 a monotone critic that fits AB + BA plays AA or BB; T2 one that fits AA + AB + BA plays BB;
T4 independent cloning plays the data's marginal modes; T5 autoregressive cloning finds AB or BA
where nothing else was recorded, and is blind to rewards otherwise; T6 independent agents that draw
from AB + BA win every other time.  Agents that judge actions by what the others do, or act in
sequence, win always.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from epymarl_cpa.config import load_env, resolve
from epymarl_cpa.data import load_dataset
from epymarl_cpa.data.dataset import OfflineDataset
from epymarl_cpa.experiments.sweeps.stack import train_stack

SEEDS = range(200, 204)
SMALL = {"hidden_dim": "16", "batch_size": "64", "t_max": "250", "test_interval": "1000", "test_nepisode": "20",
         "lr": "0.01"}


EPISODES = 99  # few enough for clear majorities


def train(alg: str, quality: str, folder: Path, *words: str) -> list[dict[str, Any]]:
    chosen = [f"{key}={value}" for key, value in {**SMALL, **dict(word.split("=") for word in words)}.items()]
    return train_stack([resolve(alg, "xor", [f"dataset={quality}", f"seed={seed}", f"datasets_path={folder}",
                                             f"recipes.{quality}.episodes={EPISODES}", *chosen]) for seed in SEEDS])


@pytest.mark.parametrize("quality", ["good", "medium", "poor"])
def test_t4_cloning_plays_the_modes_of_the_marginals(quality: str, tmp_path: Path) -> None:
    game, recipes = load_env("xor")
    results = train("bc", quality, tmp_path, "t_max=400")
    clear = 0
    for seed, result in zip(SEEDS, results, strict=True):
        data = load_dataset(quality, game, {quality: {**recipes[quality], "episodes": EPISODES}}, seed, tmp_path)
        share = data.actions[:, 0].mean(0)  # of action B, for each agent
        if (abs(share - 0.5) < 0.03).any():
            continue  # too near a tie for a network
        clear += 1
        first, second = share > 0.5
        assert result["return"] == float(first != second), seed
    assert clear >= 2


@pytest.mark.parametrize(("ab", "ba"), [(55, 45), (45, 55)])
def test_t4_any_majority_of_ab_or_ba_makes_cloning_right(ab: int, ba: int, tmp_path: Path) -> None:
    """(At exact balance, too, it is mostly right here: the agents see the same batches, and lean the same way.)"""
    game, recipes = load_env("xor")
    data = load_dataset("good", game, {"good": {**recipes["good"], "episodes": 200}}, 0, tmp_path)
    first = data.actions[:, 0, 0]
    kept = np.concatenate([np.flatnonzero(first == 0)[:ab], np.flatnonzero(first == 1)[:ba]])
    OfflineDataset(**{name: value[kept] for name, value in data.arrays.items()}, meta=data.meta).save(
        tmp_path / "chosen.npz")
    results = train_stack([resolve("bc", "xor", [f"dataset={tmp_path / 'chosen.npz'}", f"seed={seed}",
                                                 *(f"{key}={value}" for key, value in SMALL.items())])
                           for seed in range(200, 208)])
    assert [result["return"] for result in results] == [1.0] * 8


@pytest.mark.parametrize("alg", ["maicq", "qmix_offline"])
def test_t1_monotone_critics_mismatch_on_ab_ba(alg: str, tmp_path: Path) -> None:
    assert [result["return"] for result in train(alg, "good", tmp_path)] == [0.0] * len(SEEDS)


@pytest.mark.parametrize("alg", ["maicq", "qmix_offline", "bcq"])
def test_t2_monotone_critics_play_bb_where_aa_is_known_to_lose(alg: str, tmp_path: Path) -> None:
    assert [result["return"] for result in train(alg, "medium", tmp_path)] == [0.0] * len(SEEDS)


def test_t5_autoregressive_cloning_is_perfect_where_all_data_are(tmp_path: Path) -> None:
    assert [result["return"] for result in train("ar_bc", "good", tmp_path)] == [1.0] * len(SEEDS)


def test_t5_but_it_does_not_know_what_pays(tmp_path: Path) -> None:
    returns = [result["return"] for result in train("ar_bc", "medium", tmp_path)]
    assert 0 < np.mean(returns) < 1


def test_t6_samples_of_independent_policies_win_every_other_time(tmp_path: Path) -> None:
    results = train("bc", "good", tmp_path, "test_greedy=false", "test_nepisode=500")
    assert abs(np.mean([result["return"] for result in results]) - 0.5) < 0.04


@pytest.mark.parametrize("quality", ["good", "medium", "poor"])
def test_sequential_values_win(quality: str, tmp_path: Path) -> None:
    assert [result["return"] for result in train("oryx", quality, tmp_path, "t_max=400")] == [1.0] * len(SEEDS)


@pytest.mark.slow
def test_alberdice_agrees_where_independent_critics_do_not(tmp_path: Path) -> None:
    words = ("t_max=600", "lr=0.001", "batch_size=256", "hidden_dim=64")
    assert [result["return"] for result in train("alberdice", "medium", tmp_path, *words)] == [1.0] * len(SEEDS)
