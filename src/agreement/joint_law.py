"""The probabilities of whole joint actions under an autoregressive policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch as th
from torch import Tensor
from torch.nn import functional as F

from ..modules.autoregressive import AutoregressiveNet


@dataclass(frozen=True)
class JointLaw:
    """For each of B states, joint actions and how likely the team plays them.

    Attributes:
        actions: ``[B, K, N]``; rows of probability 0 are padding.
        probs: ``[B, K]``, summing to 1; a joint action may come up in several rows.
        lost: probability of the joint actions left out for want of room (before rescaling), ``[B]``.
    """

    actions: Tensor
    probs: Tensor
    lost: Tensor

    @staticmethod
    def join(laws: list[JointLaw]) -> JointLaw:
        """The laws of several groups of states one after the other."""
        width = max(law.probs.shape[1] for law in laws)
        room = [width - law.probs.shape[1] for law in laws]
        return JointLaw(
            th.cat([F.pad(law.actions, (0, 0, 0, more)) for law, more in zip(laws, room, strict=True)]),
            th.cat([F.pad(law.probs, (0, more)) for law, more in zip(laws, room, strict=True)]),
            th.cat([law.lost for law in laws]))

    def best(self, size: int) -> JointLaw:
        """At most ``size`` rows for each state, the most likely ones first."""
        probs, order = self.probs.topk(min(size, self.probs.shape[1]), 1)
        kept = probs.sum(1)
        actions = self.actions.gather(1, order[..., None].expand(-1, -1, self.actions.shape[-1]))
        return JointLaw(actions, probs / kept[:, None], 1 - (1 - self.lost) * kept)


@th.no_grad()
def enumerate_law(net: AutoregressiveNet, inputs: Tensor, conditional: Callable[[int, Tensor], Tensor], width: int,
                  ) -> JointLaw:
    """All joint actions that the policy may play, or the most likely ones by beam search.

    Exact (``lost`` is 0) where no more than ``width`` beginnings of joint actions are possible.

    Args:
        net: the policy.
        inputs: what the agents see, encoded, ``[B, G, F]``.
        conditional: ``(agent, logits [B, k, A])`` to that agent's probabilities ``[B, k, A]``.
        width: largest number of joint actions kept for each state.
    """
    batch, n_actions = len(inputs), net.n_actions
    actions = th.zeros(batch, 1, net.n_agents, dtype=th.long, device=inputs.device)
    probs, lost = inputs.new_ones(batch, 1), inputs.new_zeros(batch)
    prefix = inputs.new_zeros(batch, 1, net.hidden)
    for agent in range(net.n_agents):
        k = probs.shape[1]
        seen = net.seen_by(agent, inputs)
        logits = net.head(agent, seen[:, None].expand(-1, k, -1).flatten(0, 1), prefix.flatten(0, 1))
        probs, parent, action, left_out = _lengthen(probs, conditional(agent, logits.view(batch, k, n_actions)), width)
        lost = lost + left_out
        actions = actions.gather(1, parent[..., None].expand(-1, -1, net.n_agents))
        actions[:, :, agent] = action
        prefix = prefix.gather(1, parent[..., None].expand(-1, -1, net.hidden)) + net.action[agent * n_actions + action]
    return JointLaw(actions, probs / probs.sum(1, keepdim=True), lost)


@th.no_grad()
def product_law(policies: Tensor, width: int) -> JointLaw:
    """All joint actions of independent policies ``[B, N, A]``, or the most likely ones by beam search.

    Args:
        policies: every agent's probabilities.
        width: largest number of joint actions kept for each state.
    """
    batch, n_agents, _ = policies.shape
    actions = th.zeros(batch, 1, 0, dtype=th.long, device=policies.device)
    probs, lost = policies.new_ones(batch, 1), policies.new_zeros(batch)
    for agent in range(n_agents):
        probs, parent, action, left_out = _lengthen(probs, policies[:, agent, None], width)
        lost = lost + left_out
        actions = th.cat([actions.gather(1, parent[..., None].expand(-1, -1, agent)), action[..., None]], 2)
    return JointLaw(actions, probs / probs.sum(1, keepdim=True), lost)


def _lengthen(probs: Tensor, following: Tensor, width: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One step of beam search: beginnings of joint actions, one agent longer.

    Args:
        probs: of the beginnings, ``[B, k]``.
        following: probabilities of the next agent's actions after each, ``[B, k, A]`` (or ``[B, 1, A]``).
        width: largest number of beginnings kept.

    Returns:
        Probabilities, index of the beginning that each continues and the action added, ``[B, k']`` each, and the
        probability left out, ``[B]``.
    """
    longer = (probs[..., None] * following).flatten(1)  # [B, k * A]
    best, index = longer.topk(min(width, longer.shape[1]), 1)
    left_out = (longer.sum(1) - best.sum(1)).clamp(min=0) if longer.shape[1] > width else probs.new_zeros(len(probs))
    used = max(1, int((best > 0).sum(1).max()))
    index = index[:, :used]
    return best[:, :used], index // following.shape[-1], index % following.shape[-1], left_out
