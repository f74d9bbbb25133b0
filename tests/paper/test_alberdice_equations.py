"""AlberDICE's equations against enumeration, literal rules and closed forms."""

from __future__ import annotations

import itertools
import math

import pytest
import torch as th
from torch import Tensor

from epymarl_cpa.modules import alberdice as eqs
from epymarl_cpa.modules.agent_mlp import AgentMLP
from epymarl_cpa.modules.alberdice_kl import _drawn, others_divergence
from epymarl_cpa.modules.autoregressive import AutoregressiveNet
from epymarl_cpa.modules.losses import log_policy, taken

STEPS = 5


def luck(seed: int = 0) -> th.Generator:
    return th.Generator().manual_seed(seed)


def combos(n: int, a: int) -> Tensor:
    """All joint actions ``[A^N, N]``."""
    return th.tensor(list(itertools.product(range(a), repeat=n)))


class Case:
    """A random joint law with its exact marginals, random policies, recorded actions; one action is unavailable."""

    def __init__(self, n: int, a: int) -> None:
        th.manual_seed(n)
        self.n, self.a, self.all = n, a, combos(n, a)
        self.net = AutoregressiveNet(3, n, a, 16)
        with th.no_grad():
            self.net.last.mul_(8.0)
        self.state = th.randn(STEPS, 3)
        self.available = th.ones(STEPS, n, a, dtype=th.bool)
        self.available[0, 0, a - 1] = self.available[1, n - 1, 0] = False
        self.log_pi = log_policy(2 * th.randn(STEPS, n, a), self.available)
        self.actions = th.stack([th.where(self.available[:, i], th.rand(STEPS, a), -1.0).argmax(-1)
                                 for i in range(n)], 1)
        rows = len(self.all)
        heads = self.net(self.state.repeat_interleave(rows, 0)[:, None], self.all.repeat(STEPS, 1)).detach()
        log_heads = log_policy(heads, self.available.repeat_interleave(rows, 0))
        self.law = taken(log_heads, self.all.repeat(STEPS, 1)).sum(1).view(STEPS, rows).exp().double()  # [M, A^N]
        own = [[self.law[m, self.all[:, i] == self.actions[m, i]].sum() for i in range(n)] for m in range(STEPS)]
        self.log_own = th.tensor(own).log().float()

    def conditional(self, m: int, i: int) -> tuple[Tensor, Tensor]:
        """The joint actions that hold agent i's recorded action, and the data's law of them given it."""
        fits = self.all[:, i] == self.actions[m, i]
        return self.all[fits], self.law[m, fits] / self.law[m, fits].sum()

    def others(self, m: int, i: int, joint: Tensor) -> Tensor:
        """Product of the others' policies at joint actions ``[R, N]``, ``[R]``."""
        pi = self.log_pi[m].exp().double()
        return th.stack([pi[j, joint[:, j]] for j in range(self.n) if j != i]).prod(0)


@pytest.mark.parametrize(("n", "a"), [(2, 4), (3, 3)])
def test_the_ratio_divides_by_the_exact_conditional(n: int, a: int) -> None:
    case = Case(n, a)
    log_joint = th.stack([case.law[m, (case.all == case.actions[m]).all(1)][0].log() for m in range(STEPS)]).float()
    got = eqs.log_ratio(taken(case.log_pi, case.actions), log_joint, case.log_own, 1e6).exp()
    for m, i in itertools.product(range(STEPS), range(n)):
        joint, law = case.conditional(m, i)
        here = (joint == case.actions[m]).all(1)
        want = case.others(m, i, joint)[here] / law[here]
        assert float(got[m, i]) == pytest.approx(float(want), rel=1e-3)
    assert float(eqs.log_ratio(th.zeros(1, 2), th.full((1,), -50.0), th.zeros(1, 2), 100.0).max().exp()) \
        == pytest.approx(100.0)


def exact_divergence(case: Case) -> Tensor:
    out = th.zeros(STEPS, case.n)
    for m, i in itertools.product(range(STEPS), range(case.n)):
        joint, law = case.conditional(m, i)
        others = case.others(m, i, joint)
        live = others > 0
        out[m, i] = (others[live] * (others[live] / law[live]).log()).sum().float()
    return out


def test_two_agents_divergence_is_exact() -> None:
    case = Case(2, 4)
    got = others_divergence(case.net, case.state, case.actions, case.available, case.log_pi, case.log_own, 1)
    th.testing.assert_close(got, exact_divergence(case), rtol=1e-3, atol=1e-4)
    assert not got.requires_grad


@pytest.mark.parametrize(("n", "a"), [(3, 3), (5, 2)])
def test_more_agents_divergence_is_unbiased(n: int, a: int) -> None:
    case = Case(n, a)
    got = others_divergence(case.net, case.state, case.actions, case.available, case.log_pi, case.log_own, 20_000)
    th.testing.assert_close(got, exact_divergence(case), rtol=0.02, atol=0.02)


def test_decided_policies_leave_no_noise() -> None:
    case = Case(4, 3)
    case.log_pi = log_policy(th.zeros(STEPS, 4, 3), th.nn.functional.one_hot(case.actions, 3))
    one, two = (others_divergence(case.net, case.state, case.actions, case.available, case.log_pi, case.log_own, 1)
                for _ in range(2))
    th.testing.assert_close(one, two)
    want = [[-case.conditional(m, i)[1][(case.conditional(m, i)[0] == case.actions[m]).all(1)].log().item()
             for i in range(4)] for m in range(STEPS)]
    th.testing.assert_close(one, th.tensor(want), rtol=1e-3, atol=1e-3)


def test_resampling_is_the_inverse_of_the_distribution_function() -> None:
    log_ratios = 2 * th.randn(50, 3, generator=luck())
    th.manual_seed(7)
    got = eqs.resampled(log_ratios)
    th.manual_seed(7)
    draws = th.rand(3, 50)
    for i in range(3):
        weights, edge = log_ratios[:, i].exp(), 0.0
        edges = [edge := edge + float(w / weights.sum()) for w in weights]
        want = [next(m for m in range(50) if edges[m] > u * edges[-1] - 1e-7) for u in draws[i].tolist()]
        assert sum(a != b for a, b in zip(want, got[:, i].tolist(), strict=True)) <= 1  # rounding at an edge


def test_resampling_draws_in_proportion_and_never_what_weighs_nothing() -> None:
    ratios = th.tensor([[0.0, 1.0], [3.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    index = eqs.resampled(ratios.log().repeat(5000, 1)) % 4
    shares = th.stack([(index == m).float().mean(0) for m in range(4)])
    th.testing.assert_close(shares, ratios / ratios.sum(0), rtol=0, atol=0.02)
    assert bool((shares[ratios == 0] == 0).all())
    assert int(eqs.resampled(th.full((4, 2), math.nan)).max()) < 4


@pytest.mark.parametrize("a", [3, 6])
def test_a_draw_on_the_last_edge_is_the_last_action(a: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """To which rounding can take it; one below every edge is the first that has a probability."""
    log_pi = th.rand(STEPS, 2, a, generator=luck()).log().log_softmax(-1)
    log_pi[:, 1, 0] = -math.inf
    for uniform, wanted in ((1.0, [a - 1, a - 1]), (0.0, [0, 1])):
        monkeypatch.setattr(th, "rand", lambda *shape, device=None, uniform=uniform: th.full(shape, uniform))
        assert _drawn(log_pi, 4).tolist() == [[wanted] * STEPS] * 4


def test_effective_share() -> None:
    ratios = th.rand(30, 2, generator=luck()) * 100
    want = ratios.sum(0) ** 2 / (ratios ** 2).sum(0) / 30
    th.testing.assert_close(eqs.effective_share(ratios.log()), want)
    one = th.tensor([[0.0], [-80.0], [-80.0]])
    assert float(eqs.effective_share(one)) == pytest.approx(1 / 3)


def test_the_absorbing_weight_is_that_of_literal_rows() -> None:
    e, value = th.randn(6, 2, generator=luck()), th.randn(6, 2, generator=luck(1))
    every = th.arange(6)[:, None].expand(6, 2)
    got = eqs.flow_loss(e, every, value, th.tensor(4.0), 0.3, 0.75)  # 4 ends, 3 more steps after each
    rows = th.cat([e, th.zeros(12, 2)])
    want = 0.25 * value.mean(0) + 0.3 * (rows / 0.3).exp().mean(0).log()
    th.testing.assert_close(got, want)


@pytest.mark.parametrize("alpha", [0.05, 0.5])
def test_one_state_value_is_the_soft_maximum(alpha: float) -> None:
    """With a single state and one step, nu = alpha log E[exp(r / alpha)] whatever gamma is."""
    reward = th.rand(40, 1, generator=luck())
    every, want = th.arange(40)[:, None], alpha * (reward / alpha).exp().mean().log()
    nu = want.clone().requires_grad_()
    loss = eqs.flow_loss(reward - nu, every, nu.expand(40, 1), th.tensor(40.0), alpha, 0.9)
    slope, = th.autograd.grad(loss.sum(), nu)
    assert abs(float(slope)) < 1e-5


def test_the_projection_tilts_the_data_by_the_advantage() -> None:
    log_data, e_hat = th.randn(4, 2, 3, generator=luck()).log_softmax(-1), th.randn(4, 2, 3, generator=luck(1))
    best = (log_data + e_hat / 0.4).requires_grad_()
    every = th.arange(4)[:, None].expand(4, 2)
    loss = eqs.projection_loss(best.log_softmax(-1), e_hat, log_data, every, 0.4).sum()
    assert float(th.autograd.grad(loss, best)[0].abs().max()) < 1e-6
    least = -2 * float((log_data + e_hat / 0.4).logsumexp(-1).mean())
    assert float(loss.detach()) == pytest.approx(least, rel=1e-4)


def test_the_fit_of_advantages() -> None:
    e_hat, e = th.randn(4, 2, 3, generator=luck()), th.randn(4, 2, generator=luck(1))
    actions, index = th.tensor([[0, 1], [2, 2], [1, 0], [0, 0]]), th.tensor([[0, 3], [0, 3], [2, 1], [1, 1]])
    log_data = th.randn(4, 2, 3, generator=luck(2)).log_softmax(-1)
    got = eqs.fit_loss(e_hat, e, actions, index, log_data, th.ones(4, 2, 3, dtype=th.bool), 0.1)
    for i in range(2):
        each = []
        for m in index[:, i].tolist():
            row, data = e_hat[m, i], log_data[m, i].exp()
            each.append((row[actions[m, i]] - e[m, i]) ** 2 + 0.1 * (row.exp().sum().log() - (data * row).sum()))
        assert float(got[i]) == pytest.approx(float(th.stack(each).mean()), rel=1e-5)


def test_the_slope_is_the_gradient_in_the_input() -> None:
    th.manual_seed(0)
    net, state = AgentMLP(3, [4, 8, 8, 1]), th.randn(6, 4)
    want = []
    for i in range(3):
        x = state.clone().requires_grad_()
        grad, = th.autograd.grad(net(x[:, None])[:, i].sum(), x)
        want.append(grad.square().sum(1).mean())
    got = eqs.slope(net, state)
    th.testing.assert_close(got, th.stack(want))
    got.sum().backward()
    assert net.weights[0].grad is not None and float(net.weights[0].grad.abs().sum()) > 0


def test_the_temperature_falls_geometrically() -> None:
    assert eqs.alpha_at(0.0, 5.0, 0.001) == 5.0
    assert eqs.alpha_at(0.5, 5.0, 0.001) == pytest.approx(math.sqrt(5.0 * 0.001))
    assert eqs.alpha_at(1.0, 5.0, 0.001) == eqs.alpha_at(1.3, 5.0, 0.001) == pytest.approx(0.001)
