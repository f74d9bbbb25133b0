"""Eqs. 5 and 6 and their relatives against slow literal references (one step and agent at a time)."""

from __future__ import annotations

import math

import pytest
import torch as th
from torch import Tensor

from epymarl_cpa.modules.losses import (
    behaviour_loss,
    expected_policy_loss,
    gumbel_loss,
    in_support,
    log_policy,
    log_weight,
    soft_value,
    weighted_policy_loss,
)

M, N, A, ALPHA = 6, 3, 4, 0.3


@pytest.fixture
def sample() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Values, log-behaviour, log-policy ``[M, N, A]`` and recorded actions ``[M, N]``."""
    th.manual_seed(3)
    q = th.randn(M, N, A)
    return q, th.randn(M, N, A).log_softmax(-1), th.randn(M, N, A).log_softmax(-1), th.randint(0, A, (M, N))


def test_equation_5_with_the_partition_function_of_equation_6(sample: tuple[Tensor, ...]) -> None:
    q, log_mu, log_pi, actions = sample
    total = 0.0
    for m in range(M):
        for i in range(N):
            z = sum(math.exp(log_mu[m, i, a]) * math.exp(q[m, i, a] / ALPHA) for a in range(A))
            a = int(actions[m, i])
            total -= math.exp(q[m, i, a] / ALPHA) / z * float(log_pi[m, i, a])
    loss = weighted_policy_loss(log_pi, actions, log_weight(q, log_mu, actions, ALPHA), clip=1e9)
    assert loss.item() == pytest.approx(total / (M * N), rel=1e-4)


def test_mean_weight_under_the_behaviour_is_one_at_every_prefix(sample: tuple[Tensor, ...]) -> None:
    q, log_mu, _, _ = sample
    mean = sum(log_mu[..., a].exp() * log_weight(q, log_mu, th.full((M, N), a), ALPHA).exp() for a in range(A))
    th.testing.assert_close(mean, th.ones(M, N))


def test_expected_loss_is_the_mean_of_the_weighted_loss(sample: tuple[Tensor, ...]) -> None:
    q, log_mu, log_pi, _ = sample
    mean = 0.0
    for a in range(A):
        choice = th.full((M, N), a)
        weights = log_weight(q, log_mu, choice, ALPHA).exp()
        mean -= float((log_mu[..., a].exp() * weights * log_pi[..., a]).mean())
    assert expected_policy_loss(log_pi, q, log_mu, ALPHA).item() == pytest.approx(mean, rel=1e-4)


def test_clip_bounds_the_weight_and_large_values_do_not_overflow(sample: tuple[Tensor, ...]) -> None:
    q, log_mu, log_pi, actions = sample
    loss = weighted_policy_loss(log_pi, actions, log_weight(1e4 * q, log_mu, actions, 1e-3), clip=20.0)
    assert math.isfinite(loss.item())
    assert loss.item() <= 20.0 * -log_pi.min().item()


def test_soft_value_lies_between_mean_and_maximum_and_approaches_the_maximum(sample: tuple[Tensor, ...]) -> None:
    q, log_mu, _, _ = sample
    mean, best = (log_mu.exp() * q).sum(-1), q.amax(-1)
    soft = soft_value(q, log_mu, ALPHA)
    assert (soft >= mean - 1e-5).all()
    assert (soft <= best + 1e-5).all()
    th.testing.assert_close(soft_value(q, log_mu, 1e-4), best, atol=1e-2, rtol=0)


def test_support_drops_rare_actions_and_stays_a_distribution() -> None:
    mu = th.tensor([[0.90, 0.0899, 0.01, 0.0001]])
    kept = in_support(mu.log(), share=0.02, floor=1e-3).exp()
    assert kept[0, 2:].tolist() == [0.0, 0.0]
    assert kept.sum().item() == pytest.approx(1.0)
    assert (kept[0, 0] / kept[0, 1]).item() == pytest.approx(0.90 / 0.0899, rel=1e-4)


def test_recorded_actions_outside_the_support_weigh_nothing() -> None:
    log_mu = in_support(th.tensor([[[0.9995, 0.0005]]]).log(), share=0.02, floor=1e-3)
    weights = log_weight(th.tensor([[[0.0, 50.0]]]), log_mu, th.tensor([[1]]), ALPHA).exp()
    assert weights.item() == 0.0


def test_unavailable_actions_have_probability_exactly_zero() -> None:
    available = th.tensor([[True, False, True, False], [False, True, False, False]])
    probs = log_policy(th.tensor([[0.0, 99.0, 1.0, 5.0], [3.0, -50.0, 9.0, 1.0]]), available).exp()
    assert (probs[~available] == 0).all()
    assert probs[1].tolist() == [0.0, 1.0, 0.0, 0.0]


def test_behaviour_loss_is_the_factorised_likelihood(sample: tuple[Tensor, ...]) -> None:
    _, log_mu, _, actions = sample
    total = -sum(float(log_mu[m, i, actions[m, i]]) for m in range(M) for i in range(N))
    assert behaviour_loss(log_mu, actions).item() == pytest.approx(total / (M * N), rel=1e-5)


def test_gumbel_regression_finds_the_soft_maximum() -> None:
    q = th.tensor([0.0, 0.1, 0.3, 0.2])
    value = th.zeros((), requires_grad=True)
    optimiser = th.optim.SGD([value], lr=0.002)
    for _ in range(3000):
        optimiser.zero_grad()
        gumbel_loss(q, value.expand(4), alpha=0.1).backward()
        optimiser.step()
    expected = 0.1 * float(th.logsumexp(q / 0.1, 0) - math.log(4))
    assert value.item() == pytest.approx(expected, abs=2e-3)


def test_gumbel_regression_undervalues_what_is_rarer_than_its_limit() -> None:
    """Documented price of the bounded gradient: a best value with a share of 0.1 % is nearly missed."""
    q = th.cat([th.ones(1), th.zeros(999)])
    values = th.linspace(0.0, 1.0, 1001)
    losses = [gumbel_loss(q, v.expand(1000), alpha=0.05).item() for v in values]
    exact = 0.05 * math.log((math.exp(20) + 999) / 1000)
    assert float(values[losses.index(min(losses))]) < 0.1 < exact


def test_support_never_drops_everything() -> None:
    kept = in_support(th.tensor([[0.5, 0.5, 1e-30, 1e-30]]).log(), share=0.02, floor=0.6).exp()
    assert kept[0].tolist() == pytest.approx([0.5, 0.5, 0.0, 0.0])


def test_the_expected_loss_pulls_a_policy_back_from_anywhere() -> None:
    logits = th.tensor([[[0.0, -200.0]]], requires_grad=True)
    log_mu = th.tensor([[[0.5, 0.5]]]).log()
    expected_policy_loss(logits.log_softmax(-1), th.tensor([[[0.0, 9.0]]]), log_mu, ALPHA).backward()
    assert logits.grad is not None
    assert logits.grad[0, 0, 1].item() < -0.9


def test_actions_without_weight_count_nothing_in_the_expected_loss() -> None:
    """Not even where the policy can never take them."""
    log_pi = th.tensor([[[0.5, 0.5, 0.0]]]).log().requires_grad_()
    loss = expected_policy_loss(log_pi, th.zeros(1, 1, 3), th.tensor([[[0.25, 0.75, 0.0]]]).log(), ALPHA)
    assert loss.item() == pytest.approx(math.log(2))
    assert th.autograd.grad(loss, log_pi)[0][0, 0].tolist() == pytest.approx([-0.25, -0.75, 0.0])
