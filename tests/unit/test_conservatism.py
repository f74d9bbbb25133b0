"""Soft maxima over joint, own and counterfactual actions against slow literal ones, with masks that matter."""

from __future__ import annotations

import itertools
import math

import pytest
import torch as th
from helpers import settings
from torch import Tensor, nn

from epymarl_cpa.modules.conservatism import (
    additive_logsumexp,
    agent_weights,
    counterfactuals,
    enumerated_logsumexp,
    individual_gap,
    joint_actions,
)
from epymarl_cpa.modules.mixers import REGISTRY, MixerSettings

M, N, A, S = 5, 3, 4, 2


def problem() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Values ``[M, N, A]``, all far below zero, masks, recorded actions, states."""
    generator = th.Generator().manual_seed(0)
    q = th.randn(M, N, A, generator=generator) - 50.0
    available = th.rand(M, N, A, generator=generator) < 0.6
    actions = th.randint(0, A, (M, N), generator=generator)
    return q, available.scatter(2, actions[..., None], True), actions, th.randn(M, S, generator=generator)


def mixer(name: str) -> nn.Module:
    th.manual_seed(3)
    return REGISTRY[name](S, N, settings(MixerSettings, "qmix", "xor", "mixing_embed_dim=8", "hypernet_embed=8"))


def value(net: nn.Module, q: Tensor, m: int, joint: tuple[int, ...], state: Tensor) -> float:
    row = th.stack([q[m, i, a] for i, a in enumerate(joint)])[None]
    return float(net(row, state[m:m + 1])[0].detach())


def literal_logsumexp(values: list[float]) -> float:
    top = max(values)
    return top + math.log(sum(math.exp(v - top) for v in values))


@pytest.mark.parametrize("name", ["vdn", "qmix"])
def test_the_joint_soft_maximum_goes_through_all_available_joint_actions(name: str) -> None:
    q, available, _, state = problem()
    net = mixer(name)
    got = enumerated_logsumexp(q, available, net, state)
    for m in range(M):
        free = [[a for a in range(A) if available[m, i, a]] for i in range(N)]
        literal = literal_logsumexp([value(net, q, m, joint, state) for joint in itertools.product(*free)])
        assert got[m].item() == pytest.approx(literal, rel=1e-5)


def test_a_sum_of_values_needs_no_enumeration() -> None:
    q, available, _, state = problem()
    assert th.allclose(additive_logsumexp(q, available), enumerated_logsumexp(q, available, mixer("vdn"), state))


def test_all_joint_actions_are_listed_once() -> None:
    assert [tuple(row) for row in joint_actions(N, A).tolist()] == list(itertools.product(range(A), repeat=N))


def test_the_individual_gap_is_its_formula() -> None:
    q, available, actions, _ = problem()
    literal = 0.0
    for m, i in itertools.product(range(M), range(N)):
        literal += literal_logsumexp([float(q[m, i, a]) for a in range(A) if available[m, i, a]])
        literal -= float(q[m, i, actions[m, i]])
    assert individual_gap(q, available, actions).item() == pytest.approx(literal / M, rel=1e-4)


@pytest.mark.parametrize("name", ["vdn", "qmix"])
def test_counterfactuals_replace_one_action_at_a_time(name: str) -> None:
    q, _, actions, state = problem()
    net = mixer(name)
    got = counterfactuals(q, actions, net, state)
    for m, i, j in itertools.product(range(M), range(N), range(A)):
        joint = actions[m].tolist()
        joint[i] = j
        assert got[m, i, j].item() == pytest.approx(value(net, q, m, tuple(joint), state), rel=1e-5)


def test_agents_weigh_by_how_far_their_values_are_from_the_data() -> None:
    values, available, _, _ = problem()
    log_behaviour = th.log_softmax(th.randn(M, N, A).masked_fill(~available, -math.inf), -1)
    got = agent_weights(values, log_behaviour, available, 2.0)
    for m in range(M):
        far = []
        for i in range(N):
            free = [a for a in range(A) if available[m, i, a]]
            soft = literal_logsumexp([float(values[m, i, a]) for a in free])
            far.append(sum(math.exp(float(values[m, i, a]) - soft)
                           * (float(values[m, i, a]) - soft - float(log_behaviour[m, i, a])) for a in free))
        literal = [math.exp(2.0 * d) / sum(math.exp(2.0 * e) for e in far) for d in far]
        assert got[m].tolist() == pytest.approx(literal, rel=1e-3)
    assert th.allclose(agent_weights(values, log_behaviour, available, 0.0), th.full((M, N), 1 / N))


def test_values_of_unavailable_actions_change_nothing() -> None:
    """Masking by 0 instead would let them win here, where all values are negative."""
    q, available, actions, state = problem()
    other = th.where(available, q, 1000.0)
    net = mixer("qmix")
    assert th.equal(enumerated_logsumexp(q, available, net, state), enumerated_logsumexp(other, available, net, state))
    assert th.equal(additive_logsumexp(q, available), additive_logsumexp(other, available))
    assert th.equal(individual_gap(q, available, actions), individual_gap(other, available, actions))
    log_behaviour = th.log_softmax(th.zeros(M, N, A).masked_fill(~available, -math.inf), -1)
    one, two = (agent_weights(values, log_behaviour, available, 1.0) for values in (q, other))
    assert th.equal(one, two)
