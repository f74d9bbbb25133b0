"""The equations of AlberDICE (Matsunaga et al., 2023), as pure functions.

Shapes: M steps, N agents, A actions.  ``log_pi`` are the policies' log-probabilities and
``log_data`` those of each agent's actions in the data, both ``[M, N, A]``.  Agent i sees the others
as part of its world: pi_-i is the product of their policies, piD(a_-i | s, a_i) what the data holds.
"""

from __future__ import annotations

import math

import torch as th
from torch import Tensor

from ..components.action_selectors import masked_logits
from .agent_mlp import AgentMLP


def alpha_at(share: float, start: float, end: float) -> float:
    """Temperature after this share of the run: a geometric fall from ``start`` to ``end``."""
    return float(start * (end / start) ** min(1.0, share))


def log_ratio(log_taken: Tensor, log_joint: Tensor, log_own: Tensor, limit: float) -> Tensor:
    """Log of rho_i = prod_{j != i} pi_j(a_j|s) / piD(a_-i | s, a_i), ``[M, N]``.

    The denominator is the identity log piD(a_-i | s, a_i) = log piD(a | s) - log piD_i(a_i | s).

    Args:
        log_taken: log pi_j(a_j|s) ``[M, N]``.
        log_joint: log piD(a|s) ``[M]``.
        log_own: log piD_i(a_i|s) ``[M, N]``.
        limit: largest ratio.
    """
    others = log_taken.sum(1, keepdim=True) - log_taken
    return (others - log_joint[:, None] + log_own).clamp(max=math.log(limit))


def resampled(log_ratios: Tensor) -> Tensor:
    """For every agent M steps with replacement, drawn in proportion to its ratios: indices ``[M, N]``."""
    edges = log_ratios.softmax(0).T.cumsum(1)  # [N, M]
    uniform = th.rand(edges.shape, device=edges.device) * edges[:, -1:]
    return th.searchsorted(edges, uniform, right=True).clamp(max=len(log_ratios) - 1).T


def effective_share(log_ratios: Tensor) -> Tensor:
    """Effective sample size (sum rho)^2 / sum rho^2 of each agent's ratios, as a share of M, ``[N]``."""
    return (2 * log_ratios.logsumexp(0) - (2 * log_ratios).logsumexp(0)).exp() / len(log_ratios)


def flow_loss(e: Tensor, index: Tensor, value: Tensor, ended: Tensor, alpha: float | Tensor, gamma: float) -> Tensor:
    """Each agent's loss of nu, ``[N]``: (1 - gamma) E[nu(s)] + alpha log E_rho[exp(e / alpha)].

    After its end an episode stays for good in an absorbing state of reward 0.  The loss does not
    change when a constant is added to nu, so nu is 0 there, and so is e of every further step;
    gamma / (1 - gamma) such steps follow each end, as many as the discounted flow holds.  They enter
    as one weight and not as rows.

    Args:
        e: ``[M, N]``, with gradient.
        index: ``[M, N]``, the resampled steps.
        value: nu(s) ``[M, N]``.
        ended: number of ends among the M steps, a scalar.
        alpha: temperature.
        gamma: discount.
    """
    rest = ended * gamma / max(1 - gamma, 1e-3)
    steps = (e.gather(0, index) / alpha).logsumexp(0)
    total = th.logaddexp(steps, rest.clamp(min=1e-30).log()) - (len(e) + rest).log()
    return (1 - gamma) * value.mean(0) + alpha * total


def fit_loss(e_hat: Tensor, e: Tensor, actions: Tensor, index: Tensor, log_data: Tensor, available: Tensor,
             caution: float) -> Tensor:
    """Loss of the networks e_i(s, a_i), ``[N]``: squared error, and a push towards the data's actions.

    Args:
        e_hat: ``[M, N, A]``, with gradient.
        e: what they learn, ``[M, N]``.
        actions, index: ``[M, N]``.
        log_data: ``[M, N, A]``.
        available: ``[M, N, A]``.
        caution: weight of logsumexp_a e_hat - E_piD[e_hat], which keeps actions without data low.
    """
    error = (e_hat.gather(-1, actions[..., None])[..., 0] - e).square()
    excess = masked_logits(e_hat, available).logsumexp(-1) - (log_data.exp() * e_hat).sum(-1)
    return (error + caution * excess).gather(0, index).mean(0)


def projection_loss(log_pi: Tensor, e_hat: Tensor, log_data: Tensor, index: Tensor, alpha: float | Tensor) -> Tensor:
    """Each agent's policy loss, ``[N]``: KL(pi || piD) - E_pi[e_hat] / alpha, over all own actions exactly.

    Its minimiser is the I-projection, pi_i proportional to piD_i exp(e_hat_i / alpha).  The paper's
    loss is alpha times as large; while alpha falls, gradients that fall with it would leave Adam, which
    remembers the large ones, with hardly a step to take.

    Args:
        log_pi: ``[M, N, A]``, with gradient.
        e_hat, log_data: ``[M, N, A]``.
        index: ``[M, N]``.
        alpha: temperature.
    """
    pi = log_pi.exp()
    cost = th.where(pi > 0, log_pi - log_data - e_hat / alpha, 0.0)
    return (pi * cost).sum(-1).gather(0, index).mean(0)


def slope(net: AgentMLP, state: Tensor) -> Tensor:
    """Mean squared length of the gradient of each agent's scalar network in its input ``[M, S]``, ``[N]``."""
    h = state.expand(net.n_agents, -1, -1)
    back = net.weights[-1].transpose(1, 2)  # [N, 1, H]
    active = []
    for weight, bias in zip(list(net.weights)[:-1], list(net.biases)[:-1], strict=True):
        h = th.relu(th.baddbmm(bias, h, weight))
        active.append((h > 0).to(h.dtype))
    for weight, mask in zip(reversed(list(net.weights)[:-1]), reversed(active), strict=True):
        back = (back * mask) @ weight.transpose(1, 2)  # [N, M, width of the layer below]
    steepness: Tensor = back.square().sum(-1).mean(1)
    return steepness
