"""The equations of the autoregressive teacher, and what most learners share, as pure functions.

Shapes: M steps, N agents, A actions.  ``q`` is a head's value of each own action given the state and
the earlier agents' actions, ``log_mu`` the behaviour's log-probabilities at the same places, both
``[M, N, A]``; unavailable or unseen actions have log-probability -inf (or the lowest finite value).
All sums of exponentials are taken in log space.  ``mean`` averages ``[M, ...]`` over the steps (``Transitions.mean``
where each counts as often as it was drawn).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch as th
from torch import Tensor
from torch.nn import functional as F

from ..components.action_selectors import masked_logits

Mean = Callable[[Tensor], Tensor]


def taken(values: Tensor, actions: Tensor) -> Tensor:
    """Entries of ``[M, N, A]`` at the joint actions ``[M, N]``, ``[M, N]``."""
    return values.gather(-1, actions[..., None])[..., 0]


def over_actions(of: Callable[[Tensor, int], Tensor], values: Tensor) -> Tensor:
    """``of(values, axis)`` over the actions, the last axis of ``[..., A]``, taken in the order of memory.

    A soft-max over few columns is many times slower where they are the innermost axis; here they seldom are
    (:mod:`.batched`), and torch would copy.
    """
    order = sorted(range(values.dim()), key=lambda axis: -values.stride()[axis])
    back = [order.index(axis) for axis in range(values.dim())]
    return of(values.permute(order), back[-1]).permute(back)


def log_policy(logits: Tensor, available: Tensor) -> Tensor:
    """Log-probabilities ``[..., A]``; unavailable actions have probability exactly 0."""
    return over_actions(F.log_softmax, masked_logits(logits, available))


def behaviour_loss(log_probs: Tensor, actions: Tensor, mean: Mean = th.mean) -> Tensor:
    """Mean negative log-likelihood of the recorded actions, factorised as in Eq. 4."""
    return -mean(taken(log_probs, actions))


def in_support(log_mu: Tensor, share: float, floor: float) -> Tensor:
    """Behaviour restricted to the actions it really takes, renormalised, ``[..., A]``.

    Values of actions that the data hardly holds are extrapolations; the soft maximum must not see
    them.  Kept are actions with at least ``share`` of the most likely one's probability and at
    least ``floor``; the most likely one always is.
    """
    mu = log_mu.exp()
    top = mu.amax(-1, keepdim=True)
    keep = mu >= th.minimum((share * top).clamp(min=floor), top)
    return over_actions(F.log_softmax, th.where(keep, log_mu, th.finfo(log_mu.dtype).min))


def is_unseen(log_mu: Tensor) -> Tensor:
    """Bool of the same shape: actions that :func:`in_support` left out."""
    return log_mu < -1e30


def soft_value(q: Tensor, log_mu: Tensor, alpha: float | Tensor) -> Tensor:
    """``alpha log Z`` with Eq. 6's partition function, Z = sum_a mu(a) exp(q(a) / alpha), ``[...]``."""
    return alpha * th.logsumexp(log_mu + q / alpha, dim=-1)


def policy_value(q: Tensor, log_mu: Tensor, alpha: float | Tensor) -> Tensor:
    """The mean of q under the policy mu(a) exp(q(a) / alpha) / Z that Eq. 5 fits, ``[...]``.

    It is the soft value and alpha times the policy's divergence from mu.  Both have the same gradient, the policy
    itself: what a change of the policy does to the mean is left out.
    """
    policy = (log_mu + q.detach() / alpha).softmax(-1)
    return (policy * q).sum(-1)


def log_weight(q: Tensor, log_mu: Tensor, actions: Tensor, alpha: float | Tensor) -> Tensor:
    """Log of Eq. 5's weight exp(q(a_i) / alpha) / Z of the recorded actions, ``[M, N]``.

    Its mean under the behaviour is 1 at every prefix.  The slips of the print are mended: Z is that
    of the same state and of the same exponent as the numerator.  Recorded actions outside the
    support of ``log_mu`` weigh nothing.
    """
    return log_weight_of(taken(q, actions) - soft_value(q, log_mu, alpha), taken(log_mu, actions), alpha)


def log_weight_of(advantage: Tensor, log_mu: Tensor, alpha: float | Tensor) -> Tensor:
    """The same from the recorded actions' advantages over the soft value and their log-probabilities, ``[M, N]``."""
    return (advantage / alpha).masked_fill(is_unseen(log_mu), -math.inf)


def printed_target_weight(q: Tensor, log_mu: Tensor, actions: Tensor, alpha: float | Tensor) -> Tensor:
    """Eq. 7's weight exp(Q / alpha) / Z of whole joint actions, ``[M]``.

    Q is the sum of the agents' ``q`` and of a bias, which cancels; Z is taken along the chain, the product of Eq. 6's
    partition functions after the recorded prefixes.  The weight is then pi / mu of the policy that Eq. 5 fits, and its
    mean under the behaviour is 1 in every state.  The sum over all joint actions that Eq. 1 has is the same where no
    agent's ``q`` and behaviour depend on earlier actions, and could not be computed for fifteen agents.
    """
    return log_weight(q, log_mu, actions, alpha).sum(1).exp()


def batch_target_weight(q: Tensor, follows: Tensor, alpha: float | Tensor) -> Tensor:
    """Official MAICQ's weight: a soft-max of values ``[M]``, or ``[M, N]`` of each agent, over the batch, with mean 1.

    Args:
        follows: 1.0 where the next joint action was really played, ``[M]`` or ``[M, 1]``; elsewhere the weight is 0.
    """
    return masked_logits(q / alpha, follows.expand_as(q)).softmax(0) * follows.sum()


def weighted_policy_loss(log_pi: Tensor, actions: Tensor, log_weights: Tensor, clip: float,
                         mean: Mean = th.mean) -> Tensor:
    """Eq. 5: minus the weighted log-likelihood of the recorded actions.

    Args:
        log_pi: the policy's log-probabilities ``[M, N, A]``.
        actions: ``[M, N]``.
        log_weights: ``[M, N]``, or ``[M, 1]`` for one weight of the whole joint action.
        clip: largest weight.
    """
    weights = log_weights.exp().clamp(max=clip).detach()
    return -mean(weights * taken(log_pi, actions))


def expected_policy_loss(log_pi: Tensor, q: Tensor, log_mu: Tensor, alpha: float | Tensor,
                         mean: Mean = th.mean) -> Tensor:
    """Eq. 5 with its expectation over a_i ~ mu taken exactly, over all A actions of the agent.

    Where ``log_mu`` is the data's own law and no weight is clipped, it is the mean of the weighted
    loss over the recorded actions, so it has the same minimiser, pi_i proportional to
    mu_i exp(q_i / alpha), without the noise of which action was recorded.
    """
    target = over_actions(F.softmax, log_mu + q / alpha).detach()
    # Actions without weight count nothing, also where their log-probability is the lowest there is.
    return -mean((target * th.where(target > 0, log_pi, 0.0)).sum(-1))


def gumbel_loss(q: Tensor, value: Tensor, alpha: float | Tensor, limit: float = 5.0,
                mean: Mean = th.mean) -> Tensor:
    """Loss whose minimiser over ``value`` is alpha log E[exp(q / alpha)], for samples ``[M]``.

    The exponent is continued linearly beyond ``limit``, which bounds the gradient of rare high
    values.  The price: a best value that fewer than exp(-limit) of the samples hold (0.7 % for 5)
    is underestimated.
    """
    z = (q.detach() - value) / alpha
    cut = z.clamp(max=limit)
    return mean(cut.exp() + (z - cut) * cut.exp().detach() - z - 1.0)


def normalised(advantage: Tensor, floor: float = 0.01) -> Tensor:
    """Advantages ``[M, N]`` with mean 0 and spread 1 over the batch, agent by agent.

    A spread below ``floor`` is the critic's noise and is not blown up to 1; a single step has none.
    """
    spread = advantage.std(0) if len(advantage) > 1 else th.zeros_like(advantage[0])
    return (advantage - advantage.mean(0)) / spread.clamp(min=floor)
