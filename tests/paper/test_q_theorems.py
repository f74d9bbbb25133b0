"""What monotone critics must do on XOR: where they fit the data, policy mismatch is a theorem (paper Figure 1)."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch as th
from helpers import Built
from torch import Tensor, nn
from torch.func import functional_call, vmap

from epymarl_cpa.components.transitions import Transitions
from epymarl_cpa.config import resolve
from epymarl_cpa.run import run

A, B = 0, 1
AB_BA = [(A, B), (B, A)]
SEEDS = 8
SMALL = ("hidden_dim=16", "mixing_embed_dim=8", "hypernet_embed=8", "lr_final=1.0")


class Loss(nn.Module):
    """A learner's loss as a function of its networks' parameters."""

    def __init__(self, built: Built) -> None:
        super().__init__()
        self.nets = nn.ModuleDict(built.learner.nets)
        self._losses = built.learner.losses

    def forward(self, step: Transitions) -> Tensor:
        return th.stack(list(self._losses(step)[0].values())).sum()


def table(built: Built, joint: list[tuple[int, int]]) -> Transitions:
    """A step of XOR for each of these joint actions."""
    batch = built.played(len(joint))
    batch.update({"actions": th.tensor(joint)[..., None], "reward": [[float(a != b)] for a, b in joint]}, ts=0)
    step: Transitions = built.learner.steps(batch[:, :2])
    return step


def train(alg: str, joint: list[tuple[int, int]], *words: str, updates: int = 150) -> list[Built]:
    """``SEEDS`` runs at once on all of this data in every update."""
    runs = [Built(alg, "xor", *SMALL, f"seed={seed}", *words) for seed in range(SEEDS)]
    each = [dict(Loss(run).named_parameters()) for run in runs]
    stacked = {name: th.stack([p[name] for p in each]).detach().requires_grad_() for name in each[0]}
    loss, step = Loss(runs[0]), table(runs[0], joint)
    optimiser = th.optim.Adam(stacked.values(), lr=0.03, fused=True)
    for _ in range(updates):
        optimiser.zero_grad(set_to_none=True)
        vmap(lambda params: functional_call(loss, params, (step,)))(stacked).sum().backward()
        optimiser.step()
    with th.no_grad():
        for i, params in enumerate(each):
            for name, param in params.items():
                param.copy_(stacked[name][i])
    return runs


def greedy(built: Built) -> tuple[int, int]:
    first, second = built.mac.select_actions(built.played(1), t_ep=0, t_env=0, test_mode=True)[0].tolist()
    return first, second


def misfit(built: Built, joint: list[tuple[int, int]]) -> float:
    """Largest error of Q_tot on these joint actions."""
    step, learner = table(built, joint), built.learner
    q = learner.q(step.inputs).gather(-1, step.actions[..., None])[..., 0]
    seen = learner.timed(step.state, step.time, learner.args.critic_time)
    return float((learner.mixer(q, seen) - step.reward).abs().max())


@pytest.mark.parametrize("mixer", ["vdn", "qmix"])
def test_t1_on_ab_and_ba_a_fit_forces_both_agents_to_the_same_letter(mixer: str) -> None:
    for built in train("qmix_offline", AB_BA, f"mixer={mixer}"):
        assert misfit(built, AB_BA) < 0.02
        assert greedy(built) in ((A, A), (B, B))


@pytest.mark.parametrize("mixer", ["vdn", "qmix"])
def test_t2_with_aa_it_forces_bb_which_nobody_played(mixer: str) -> None:
    data = [*AB_BA, (A, A)]
    for built in train("qmix_offline", data, f"mixer={mixer}"):
        assert misfit(built, data) < 0.05
        assert greedy(built) == (B, B)


def test_t2_the_filter_of_bcq_lets_it_pass() -> None:
    """Each agent was seen to play B often enough; that they never did so together, no filter per agent can know."""
    for built in train("bcq", [*AB_BA, (A, A)]):
        assert greedy(built) == (B, B)


def test_t3_on_all_joint_actions_a_sum_of_values_is_a_tie() -> None:
    data = [*AB_BA, (A, A), (B, B)]
    for built in train("qmix_offline", data, "mixer=vdn"):
        q = built.learner.q(table(built, data).inputs)
        assert float((q[..., A] - q[..., B]).abs().max()) < 0.05
        assert misfit(built, data) == pytest.approx(0.5, abs=0.05)


def test_t3_on_all_joint_actions_qmix_settles_in_one_of_several_minima() -> None:
    chosen = {greedy(built) for built in train("qmix_offline", [*AB_BA, (A, A), (B, B)])}
    assert len(chosen) > 1


def test_online_the_team_finds_a_winning_pair(tmp_path: Path) -> None:
    """What it plays is what it learns from, which breaks the tie."""
    config = resolve("qmix", "xor", [*SMALL, "t_max=600", "epsilon_anneal_time=300", "buffer_size=200", "lr=0.01",
                                     "test_interval=10000", "test_nepisode=10", "seed=0", "save_model=false",
                                     f"local_results_path={tmp_path}"])
    assert run(config, None, logging.getLogger("test"))["return"] == 1.0
