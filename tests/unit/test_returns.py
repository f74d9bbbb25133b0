"""Returns over several steps, against the recursion that defines them."""

from __future__ import annotations

import pytest
import torch as th
from helpers import Built

from epymarl_cpa.components.returns import lambda_returns
from epymarl_cpa.components.transitions import Transitions, at_limit, transitions


def literal(step: Transitions, ahead: th.Tensor, gamma: float, lam: float) -> th.Tensor:
    """G_t = r_t + gamma (1 - d_t) [(1 - lam) V_{t+1} + lam G_{t+1}], walked backwards."""
    out = th.zeros_like(step.reward)
    for m in reversed(range(len(out))):
        later = ahead[m]
        follows = m + 1 < len(out) and step.episode[m + 1] == step.episode[m]
        if follows and not step.done[m]:
            later = (1 - lam) * ahead[m] + lam * out[m + 1]
        out[m] = step.reward[m] + gamma * (1 - step.done[m]) * later
    return out


@pytest.mark.parametrize("lam", [0.0, 0.75, 1.0])
@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("without_last", [False, True])
def test_the_matrix_is_the_recursion(lam: float, cut: bool, without_last: bool) -> None:
    built = Built("bc", "bridge")
    batch = built.played(6, seed=3)
    if cut:  # two recordings that break off
        batch["filled"][1, 20:] = 0
        batch["filled"][4, 7:] = 0
    step = transitions(batch, batch["state"])
    if without_last:
        step = at_limit(step, built.game.episode_limit, is_end=False)
    ahead = th.randn(len(step.reward), generator=th.Generator().manual_seed(0))
    got = lambda_returns(step, ahead, 0.9, lam, built.game.episode_limit, 6)
    assert th.allclose(got, literal(step, ahead, 0.9, lam), atol=1e-5)
