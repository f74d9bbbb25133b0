"""How far the other agents' policies are from what the data holds beside one agent's action (AlberDICE).

Shapes: M steps, N agents, A actions, K samples, H hidden units.  Everything here is a number to
learn from, never something to differentiate.
"""

from __future__ import annotations

import torch as th
from torch import Tensor
from torch.nn import functional as F

from ..components.action_selectors import masked_logits
from .autoregressive import AutoregressiveNet
from .losses import log_policy

BLOCKS = 4  # heads are evaluated in so many groups; more save work, fewer save calls


def others_divergence(net: AutoregressiveNet, state: Tensor, actions: Tensor, available: Tensor, log_pi: Tensor,
                      log_own: Tensor, samples: int) -> Tensor:
    """KL(pi_-i || piD(. | s, a_i)) of every agent i at its recorded action, ``[M, N]``.

    The conditional is piD(a | s) / piD_i(a_i | s).  Two agents' divergence is exact; more agents' is
    unbiased for the given networks.

    Args:
        net: the joint law of the data, piD(a|s), agent by agent.
        state: encoded, ``[M, S]``.
        actions: recorded, ``[M, N]``.
        available: ``[M, N, A]``.
        log_pi: the policies' log-probabilities ``[M, N, A]``.
        log_own: log piD_i(a_i|s) ``[M, N]``; two agents have it from the joint law.
        samples: K, joint actions drawn for each step; without meaning for two agents.
    """
    with th.no_grad():
        if net.n_agents == 2:
            return _of_two(net, state, actions, available, log_pi)
        drawn = _drawn(log_pi, samples)
        pi, negentropy = log_pi.exp(), (log_pi.exp() * log_pi).sum(-1)
        others = negentropy.sum(1, keepdim=True) - negentropy  # [M, N]
        return _cross_entropy(net, state, actions, available, pi, drawn) + others + log_own


def _of_two(net: AutoregressiveNet, state: Tensor, actions: Tensor, available: Tensor, log_pi: Tensor) -> Tensor:
    """The divergence of two agents, ``[M, 2]``, from the whole table of their joint actions."""
    steps, n_actions = len(state), net.n_actions
    first = log_policy(net.first_head(state[:, None]), available[:, 0])  # [M, A]
    second = net.head(1, state.repeat_interleave(n_actions, 0), net.action[:n_actions].repeat(steps, 1))
    second = log_policy(second.view(steps, n_actions, n_actions), available[:, 1:])  # [M, A of the first, A]
    table = first[..., None] + second
    beside_first = second.gather(1, actions[:, :1, None].expand(-1, -1, n_actions))[:, 0]  # [M, A]
    beside_second = (table - table.logsumexp(1, keepdim=True)).gather(
        2, actions[:, 1:, None].expand(-1, n_actions, -1))[..., 0]
    held = th.stack([beside_second, beside_first], 1)  # log piD(own action | s, the other's): [M, 2, A]
    return (log_pi.exp() * (log_pi - held)).sum(-1).flip(1)


def _drawn(log_pi: Tensor, samples: int) -> Tensor:
    """Joint actions ``[K, M, N]`` of the policies ``[M, N, A]``."""
    edges = log_pi.exp().cumsum(-1)
    uniform = th.rand(samples, *edges.shape[:-1], 1, device=edges.device) * edges[..., -1:]
    return (edges <= uniform).sum(-1).clamp(max=edges.shape[-1] - 1)


def _cross_entropy(net: AutoregressiveNet, state: Tensor, actions: Tensor, available: Tensor, pi: Tensor,
                   drawn: Tensor) -> Tensor:
    """Estimates -E[log piD(a_i, a_-i | s)] over a_-i ~ pi_-i for every agent i, ``[M, N]``.

    Only the actions that later heads depend on are drawn.  Given them, the expectation of each
    head's own term is exact, which leaves little noise where policies are decided.  Heads before
    agent i do not see its action; they are evaluated once for all such i.
    """
    n, (samples, steps, _) = net.n_agents, drawn.shape
    own = F.embedding(actions.T + net.offset, net.action)[:, None]  # [N, 1, M, H]
    other = F.embedding(drawn.permute(2, 0, 1) + net.offset[..., None], net.action)  # [N, K, M, H]
    prefix = (net.before @ other.flatten(1)).view(other.shape)
    base = th.baddbmm(net.first_bias, state.expand(n, -1, -1), net.first)[:, None] + prefix
    agents = th.arange(n, device=state.device)
    pi, available = pi.permute(1, 2, 0), available.permute(1, 2, 0)  # [N, A, M]
    recorded = actions.T[:, None, None]  # [N, 1, 1, M]
    total = []
    for a, b in zip(range(0, n, -(-n // BLOCKS)), [*range(-(-n // BLOCKS), n, -(-n // BLOCKS)), n], strict=True):
        # Heads a to b: with the drawn actions alone, then with agent i's replaced by the recorded one.
        replaced = net.before[a:b, : b - 1, None, None, None] * (own - other)[: b - 1]
        h = th.cat([base[a:b, None], base[a:b, None] + replaced], 1).relu_().flatten(1, 3)  # [b - a, b K M, H]
        for w, bias in zip(net.middle, net.middle_bias, strict=True):
            h = th.baddbmm(bias[a:b], h, w[a:b]).relu_()
        rows = th.baddbmm(net.last_bias[a:b].transpose(1, 2), net.last[a:b].transpose(1, 2), h.transpose(1, 2))
        rows = rows.view(b - a, -1, b, samples, steps)  # [b - a, A, b, K, M]
        rows = masked_logits(rows, available[a:b, :, None, None])
        level = rows.logsumexp(1)
        cross = level - (pi[a:b, :, None, None] * rows).sum(1)  # [b - a, b, K, M]
        plain = cross[:, :1]
        own_row = rows[:, :, 0].gather(1, recorded[a:b].expand(-1, -1, samples, -1))[:, 0]
        mine = level[:, 0] - own_row  # [b - a, K, M]
        every = th.cat([cross[:, 1:], plain.expand(-1, n - b + 1, -1, -1)], 1)  # [b - a, N, K, M]
        own_head = (agents[a:b, None] == agents)[..., None, None]
        total.append(th.where(own_head, mine[:, None], every).sum(0))
    return th.stack(total).sum(0).mean(1).T
