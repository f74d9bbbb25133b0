"""What conservative methods push down: soft maxima of values over joint, own and counterfactual actions.

Shapes: M steps, N agents, A actions.  ``q`` are the agents' values ``[M, N, A]``, ``available`` their masks;
unavailable actions never count, whatever their values.
"""

from __future__ import annotations

import torch as th
from torch import Tensor, nn

from ..components.action_selectors import masked_logits
from .losses import log_policy, taken


def individual_gap(q: Tensor, available: Tensor, actions: Tensor) -> Tensor:
    """CQL agent by agent: the mean of sum_i [logsumexp_a Q_i(s, a) - Q_i(s, a_i)], a scalar."""
    soft = th.logsumexp(masked_logits(q, available), -1)  # [M, N]
    return (soft - taken(q, actions)).sum(1).mean()


def joint_actions(n_agents: int, n_actions: int, device: th.device | None = None) -> Tensor:
    """All A^N joint actions, ``[A^N, N]``."""
    place = n_actions ** th.arange(n_agents - 1, -1, -1, device=device)
    return th.arange(n_actions**n_agents, device=device)[:, None] // place % n_actions


def enumerated_logsumexp(q: Tensor, available: Tensor, mixer: nn.Module, state: Tensor) -> Tensor:
    """log sum_a exp Q_tot(s, a) over all available joint actions, ``[M]``, by going through them.

    Args:
        q, available: see above.
        mixer: ``[M, K, N]`` and states ``[M, S]`` to ``[M, K]``.
        state: what the mixer sees, ``[M, S]``.
    """
    n_agents, n_actions = q.shape[1:]
    joint = joint_actions(n_agents, n_actions, q.device)
    agent = th.arange(n_agents, device=q.device)
    values = mixer(q[:, agent, joint], state)  # [M, K], K = A^N
    return th.logsumexp(masked_logits(values, available[:, agent, joint].all(-1)), -1)


def additive_logsumexp(q: Tensor, available: Tensor) -> Tensor:
    """The same for Q_tot = sum_i Q_i, where it is the sum of the agents' own soft maxima, ``[M]``."""
    return th.logsumexp(masked_logits(q, available), -1).sum(1)


def counterfactuals(q: Tensor, actions: Tensor, mixer: nn.Module, state: Tensor) -> Tensor:
    """Q_tot(s, a with a_i replaced by j) for every agent i and action j, ``[M, N, A]``, in one mixer call.

    Args:
        q: ``[M, N, A]``.
        actions: the recorded joint actions ``[M, N]``.
        mixer: ``[M, N, A, N]`` and states ``[M, S]`` to ``[M, N, A]``.
        state: what the mixer sees, ``[M, S]``.
    """
    own = th.eye(q.shape[1], dtype=th.bool, device=q.device)[:, None]  # [N, 1, N]
    rows = th.where(own, q[..., None], taken(q, actions)[:, None, None])  # [M, N, A, N]
    values: Tensor = mixer(rows, state)
    return values


def agent_weights(values: Tensor, log_behaviour: Tensor, available: Tensor, tau: float) -> Tensor:
    """CFCQL's weights of the agents, softmax_i(tau KL(softmax_j values_ij || behaviour_i)), ``[M, N]``.

    Args:
        values: counterfactual values ``[M, N, A]``.
        log_behaviour: ``[M, N, A]``.
        available: ``[M, N, A]``.
        tau: 0 weighs all agents alike; the larger, the more weight where the values stray from the data.
    """
    log_soft = log_policy(values, available)
    terms = th.where(available, log_soft.exp() * (log_soft - log_behaviour), 0.0)
    return th.softmax(tau * terms.sum(-1), -1)
