"""Mixing networks: what they compute, and that no agent's gain ever lowers the team's value."""

from __future__ import annotations

import pytest
import torch as th
from helpers import settings
from torch import Tensor, nn
from torch.nn import functional as F

from epymarl_cpa.modules.mixers import REGISTRY, LinearMixer, MixerSettings, NoMixer, QMixer, VDNMixer

M, N, S, E = 6, 4, 3, 5
ARGS = settings(MixerSettings, "qmix", "xor", f"mixing_embed_dim={E}", "hypernet_embed=7")


def mixer(name: str, seed: int = 0) -> nn.Module:
    th.manual_seed(seed)
    return REGISTRY[name](S, N, ARGS)


def inputs(seed: int = 1) -> tuple[Tensor, Tensor]:
    """Values ``[M, N]`` and states ``[M, S]``."""
    generator = th.Generator().manual_seed(seed)
    return th.randn(M, N, generator=generator), th.randn(M, S, generator=generator)


@pytest.mark.parametrize("name", ["vdn", "qmix"])
@pytest.mark.parametrize("seed", range(5))
def test_the_team_value_rises_with_every_agents_value(name: str, seed: int) -> None:
    net, (q, state) = mixer(name, seed), inputs(seed)
    q.requires_grad_()
    slope, = th.autograd.grad(net(q, state).sum(), q)
    assert (slope > 0).all()
    for step in (0.01, 1.0, 100.0):
        for agent in range(N):
            raised = q + step * th.eye(N)[agent]
            assert (net(raised, state) > net(q, state)).all()


def test_qmix_is_its_formula() -> None:
    net, (q, state) = mixer("qmix"), inputs()
    assert isinstance(net, QMixer)
    for m in range(M):
        w1 = net.w1(state[m]).abs().view(N, E)
        hidden = F.elu(sum(q[m, i] * w1[i] for i in range(N)) + net.b1(state[m]))
        literal = (hidden * net.w2(state[m]).abs()).sum() + net.value(state[m])[0]
        assert net(q, state)[m].item() == pytest.approx(literal.item(), rel=1e-5)


def test_the_plain_ones_are_a_sum_and_nothing() -> None:
    q, state = inputs()
    assert isinstance(mixer("vdn"), VDNMixer)
    assert isinstance(mixer("none"), NoMixer)
    assert th.equal(mixer("vdn")(q, state), q.sum(1))
    assert th.equal(mixer("none")(q, state), q)
    assert not [*mixer("vdn").parameters(), *mixer("none").parameters()]


@pytest.mark.parametrize("name", ["vdn", "qmix"])
def test_further_axes_share_the_states(name: str) -> None:
    net, (_, state) = mixer(name), inputs()
    many = th.randn(M, 2, 3, N)
    values = net(many, state)
    assert values.shape == (M, 2, 3)
    for a in range(2):
        for b in range(3):
            assert th.allclose(values[:, a, b], net(many[:, a, b], state), atol=1e-6)


@pytest.mark.parametrize("convex", [True, False])
def test_linear_weights_are_positive_and_sum_to_one_if_convex(convex: bool) -> None:
    th.manual_seed(0)
    weights, bias = LinearMixer(S, N, 8, convex)(inputs()[1])
    assert weights.shape == (M, N)
    assert bias.shape == (M,)
    assert (weights >= 0).all()
    if convex:
        assert th.allclose(weights.sum(1), th.ones(M))
        assert not bias.any()
