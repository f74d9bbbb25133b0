"""What the autoregressive methods must do on XOR, as known from theory."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch as th
from helpers import Built

from epymarl_cpa.data import load_dataset
from epymarl_cpa.data.dataset import OfflineDataset
from epymarl_cpa.modules.losses import log_policy

UPDATES = 400


def train(alg: str, quality: str, folder: Path, *words: str) -> Built:
    built = Built(alg, "xor", f"t_max={UPDATES}", "hidden_dim=32", "lr=0.005", "seed=0", *words)
    data: OfflineDataset = load_dataset(quality, built.game, built.config["recipes"], 0, folder)
    batch = built.batch(200)
    for t in range(UPDATES):
        rows = th.randint(0, data.n_episodes, (200,), generator=th.Generator().manual_seed(t)).numpy()
        batch.update({"state": data.state[rows], "avail_actions": data.avail_actions[rows],
                      "actions": data.actions[rows][..., None], "reward": data.reward[rows][..., None],
                      "terminated": data.terminated[rows][..., None]})
        built.learner.train(batch, t, t)
    return built


def joint_table(built: Built) -> th.Tensor:
    """Probabilities of AA, AB, BA, BB under the learned policy."""
    joint = th.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
    state = th.tensor([[0.0, 1.0, 0.0, 1.0]]).expand(4, -1)
    log_pi = log_policy(built.mac.agent(state[:, None], joint), th.ones(4, 2, 2, dtype=th.bool))
    return log_pi.gather(-1, joint[..., None])[..., 0].sum(1).exp().detach()


@pytest.mark.parametrize(("weight", "quality"), [
    *(("chain", quality) for quality in ("good", "medium", "poor")),
    *((weight, "poor") for weight in ("prefix", "joint", "per_agent")),
    *(pytest.param(weight, quality, marks=pytest.mark.slow) for weight in ("prefix", "joint", "per_agent")
      for quality in ("good", "medium"))])
def test_the_teacher_wins_whatever_the_data_and_the_weighting(weight: str, quality: str, tmp_path: Path) -> None:
    words = ["policy_loss=weighted"] if weight == "joint" else []
    table = joint_table(train("cpa_ar", quality, tmp_path, f"weight={weight}", *words))
    assert table[1] + table[2] > 0.98, table
    assert int(table.argmax()) in (1, 2)


def test_both_modes_survive_in_the_shares_of_the_data(tmp_path: Path) -> None:
    table = joint_table(train("cpa_ar", "good", tmp_path))
    assert table[1].item() == pytest.approx(0.5, abs=0.1)


def test_cloning_suffices_where_all_data_are_optimal(tmp_path: Path) -> None:
    table = joint_table(train("ar_bc", "good", tmp_path))
    assert table[1] + table[2] > 0.98


def test_cloning_ties_where_they_are_not(tmp_path: Path) -> None:
    """T5: on AA+AB+BA the second agent has seen A and B equally often after A."""
    table = joint_table(train("ar_bc", "medium", tmp_path))
    assert (table[0] / (table[0] + table[1])).item() == pytest.approx(0.5, abs=0.08)


def test_cloning_takes_the_first_action_as_often_as_the_data(tmp_path: Path) -> None:
    """T5: A comes first in two thirds of AA+AB+BA."""
    table = joint_table(train("ar_bc", "medium", tmp_path))
    assert (table[0] + table[1]).item() == pytest.approx(2 / 3, abs=0.05)


def test_cloning_keeps_the_losing_half_of_complete_data(tmp_path: Path) -> None:
    table = joint_table(train("ar_bc", "poor", tmp_path))
    assert (table[1] + table[2]).item() == pytest.approx(0.5, abs=0.08)
