"""The state-conditional action pool: the team's shared repertoire of joint actions (Eqs. 9 to 12).

In a state, the pool holds c entries, vectors that each stand for one joint action; agent i's head
reads from an entry what agent i does.  Agents that pick the same entry play one coherent joint
action without a word.
"""

from __future__ import annotations

import torch as th
from torch import Tensor, nn
from torch.nn import functional as F

from ..modules.agent_mlp import AgentMLP

CACHED = 2**19  # hidden units that are computed together, so that they stay near the processor


class ActionPool(nn.Module):
    """``AP(s)`` and the agents' heads ``p_i(a_i | e)``.

    Args:
        n_input: length of what the entries depend on, the encoded state or one observation.
        n_agents, n_actions: N and A.
        size: c, number of entries.
        dim: d, length of an entry.
        hidden, head_hidden: widths of the entry network's two layers and of the heads' one.
        local: whether every agent has an entry network of its own, for its own observation.
    """

    def __init__(self, n_input: int, n_agents: int, n_actions: int, size: int, dim: int, hidden: int,
                 head_hidden: int, local: bool) -> None:
        super().__init__()
        self.size, self.dim = size, dim
        self.entry_net = AgentMLP(n_agents if local else 1, (n_input, hidden, hidden, size * dim))
        self.heads = AgentMLP(n_agents, (dim, head_hidden, n_actions))

    def forward(self, x: Tensor) -> Tensor:
        """``AP(s)``: inputs ``[B, G, n_input]`` to entries ``[B, c, G, d]``; G is 1, or N where ``local``."""
        entries: Tensor = self.entry_net(x)  # [B, G, c * d]
        return entries.reshape(len(x), -1, self.size, self.dim).transpose(1, 2)

    def decode(self, entries: Tensor) -> Tensor:
        """Logits ``[R, N, A]`` of all agents from one entry each, ``[R, G, d]``."""
        logits: Tensor = self.heads(entries)
        return logits

    def decode_all(self, entries: Tensor) -> Tensor:
        """Logits ``[B, c, N, A]`` of all entries ``[B, c, G, d]``."""
        logits = self.decode(entries.flatten(0, 1))
        return logits.reshape(*entries.shape[:2], *logits.shape[1:])

    def columns(self, entries: Tensor) -> Tensor:
        """As :meth:`decode`, but ``[N, A, R]``: over a middle axis, a soft-max of few actions is many times faster."""
        (first, last), (first_bias, last_bias) = self.heads.weights, self.heads.biases
        n, _, width = first.shape
        if entries.shape[1] == 1:  # one product for all agents
            h = th.addmm(first_bias.view(-1, 1), first.transpose(1, 2).reshape(n * width, -1), entries[:, 0].T)
        else:
            h = th.baddbmm(first_bias.transpose(1, 2), first.transpose(1, 2), entries.permute(1, 2, 0))
        return th.baddbmm(last_bias.transpose(1, 2), last.transpose(1, 2), h.relu_().view(n, width, -1))

    @th.no_grad()
    def misfit(self, entries: Tensor, allowed: Tensor, state: Tensor, actions: Tensor) -> Tensor:
        """Minus the log-likelihood of joint actions ``[R, N]`` in each entry of their states, ``[R, c]``.

        Args:
            entries: of M states, ``[M, c, G, d]``.
            allowed: their masks, ``[N, A, M]``.
            state: which state each joint action belongs to, ``[R]``.
            actions: ``[R, N]``.
        """
        n, n_actions, m = allowed.shape
        log_probs = entries.new_empty(n, n_actions, m, self.size)
        some = max(1, CACHED // (self.size * n * self.heads.weights[0].shape[2]))
        for k in range(0, m, some):
            part = slice(k, k + some)
            logits = self.columns(entries[part].flatten(0, 1)).view(n, n_actions, -1, self.size)
            log_probs[:, :, part] = column_policy(logits, allowed[:, :, part, None])
        place = (actions + th.arange(n, device=actions.device) * n_actions) * m + state[:, None]  # [R, N]
        return -F.embedding_bag(place, log_probs.view(-1, self.size), mode="sum")


def column_policy(logits: Tensor, allowed: Tensor) -> Tensor:
    """Log-probabilities from logits ``[N, A, ...]``, like :func:`.log_policy`."""
    return F.log_softmax(logits.masked_fill(~allowed, th.finfo(logits.dtype).min), dim=1)


class ActionEncoder(nn.Module):
    """``z_e(s, a)``: a joint action in its state as a vector of the pool's kind (used in training only).

    Args:
        n_state: S, length of the encoded state; 0 for ``z_e(a)``, which does not see it.
        n_agents, n_actions: N and A.
        dim: d.
        hidden: width of the two hidden layers.
    """

    def __init__(self, n_state: int, n_agents: int, n_actions: int, dim: int, hidden: int) -> None:
        super().__init__()
        self.n_state, self.n_actions = n_state, n_actions
        self.net = AgentMLP(1, (n_state + n_agents * n_actions, hidden, hidden, dim))

    def forward(self, state: Tensor, actions: Tensor) -> Tensor:
        """States ``[R, S]`` and joint actions ``[R, N]`` to ``[R, d]``."""
        one_hot = F.one_hot(actions, self.n_actions).flatten(1).to(state.dtype)
        encoding: Tensor = self.net(th.cat([state[:, :self.n_state], one_hot], 1)[:, None])
        return encoding[:, 0]
