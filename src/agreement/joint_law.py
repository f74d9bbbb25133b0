"""The probabilities of whole joint actions under an autoregressive policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch as th
from torch import Tensor
from torch.nn import functional as F

from ..modules.autoregressive import AutoregressiveNet

#: from an agent and its logits ``[B, k, A]`` to its probabilities ``[B, k, A]``
Conditional = Callable[[int, Tensor], Tensor]
NARROWEST = 32  # beginnings of joint actions in a beam


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


def enumerate_law(net: AutoregressiveNet, inputs: Tensor, conditional: Conditional, width: int) -> JointLaw:
    """All joint actions that the policy may play, or the most likely ones by beam search.

    Exact (``lost`` is 0) where no more than ``width`` beginnings of joint actions are possible.

    Args:
        net: the policy.
        inputs: what the agents see, encoded, ``[B, G, F]``.
        conditional: ``(agent, logits [B, k, A])`` to that agent's probabilities ``[B, k, A]``.
        width: largest number of joint actions kept for each state.
    """
    return _search(net, inputs, conditional, width)[0]


def likeliest(net: AutoregressiveNet, inputs: Tensor, available: Tensor,
              conditional_on: Callable[[Tensor], Conditional], size: int, width: int) -> JointLaw:
    """A law whose ``size`` likeliest joint actions are those of :func:`enumerate_law`, for less.

    First comes a narrow beam.  No joint action is likelier than its beginnings; so where every beginning that the beam
    leaves out is less likely than its joint action number ``size``, these are the likeliest there are.  Elsewhere the
    search is repeated with ``width``, without what cannot be among them; but not where they are less than half of the
    play: of so many joint actions, all rare, it matters little which few are taken.

    Args:
        net, inputs, width: as there.
        available: masks ``[B, N, A]``.
        conditional_on: from masks to ``conditional``.
        size: joint actions that are asked for.
    """
    narrow = beam_for(size)
    if narrow >= width:
        return enumerate_law(net, inputs, conditional_on(available), width)
    law, cut = _search(net, inputs, conditional_on(available), narrow)
    if law.probs.shape[1] < narrow:  # none was left out, since every beginning goes on somehow
        return law
    found = law.probs[:, :size] * (1 - law.lost)[:, None]
    again = ((cut > found[:, -1]) & (found.sum(1) > 0.5)).nonzero()[:, 0]
    if not len(again):
        return law
    floor = found[again, -1] * (1 - 1e-4)  # by more than rounding
    more, _ = _search(net, inputs[again], conditional_on(available[again]), width, (narrow, floor))
    order = th.arange(len(inputs), device=again.device)
    order[again] = th.arange(len(again), device=again.device) + len(inputs)
    both = JointLaw.join([law, more])
    return JointLaw(both.actions[order], both.probs[order], both.lost[order])


def beam_for(size: int) -> int:
    """Width of the narrow beam that looks for so many joint actions."""
    return max(NARROWEST, 2 * size)


@th.no_grad()
def _search(net: AutoregressiveNet, inputs: Tensor, conditional: Conditional, width: int,
            spared: tuple[int, Tensor] | None = None) -> tuple[JointLaw, Tensor]:
    """The law, likeliest joint actions first, and the largest probability ``[B]`` of a beginning left out."""
    batch = len(inputs)
    actions = th.zeros(batch, 1, 0, dtype=th.long, device=inputs.device)
    probs, lost, cut = inputs.new_ones(batch, 1), inputs.new_zeros(batch), inputs.new_zeros(batch)
    parts = net.state_parts(inputs)
    for agent in range(net.n_agents):
        following = conditional(agent, net.lengthened(parts[agent], actions))
        step = _lengthen(probs, following, width, spared)
        probs, lost, cut = step.probs, lost + step.left_out, th.maximum(cut, step.cut)
        actions = th.cat([actions.gather(1, step.parent[..., None].expand(-1, -1, agent)), step.action[..., None]], 2)
    return JointLaw(actions, probs / probs.sum(1, keepdim=True), lost), cut


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
        step = _lengthen(probs, policies[:, agent, None], width)
        probs, lost = step.probs, lost + step.left_out
        actions = th.cat([actions.gather(1, step.parent[..., None].expand(-1, -1, agent)), step.action[..., None]], 2)
    return JointLaw(actions, probs / probs.sum(1, keepdim=True), lost)


@dataclass(frozen=True)
class _Step:
    """Beginnings of joint actions, one agent longer.

    Attributes:
        probs: ``[B, k']``, falling.
        parent: the beginning that each continues, ``[B, k']``.
        action: what is added, ``[B, k']``.
        left_out: the probability of all that were left out, ``[B]``.
        cut: that of the likeliest of them, ``[B]``.
    """

    probs: Tensor
    parent: Tensor
    action: Tensor
    left_out: Tensor
    cut: Tensor


def _lengthen(probs: Tensor, following: Tensor, width: int, spared: tuple[int, Tensor] | None = None) -> _Step:
    """One step of beam search.

    Args:
        probs: of the beginnings, ``[B, k]``.
        following: probabilities of the next agent's actions after each, ``[B, k, A]`` (or ``[B, 1, A]``).
        width: largest number of beginnings kept.
        spared: how many are kept in any case, and how likely others must be, ``[B]``.
    """
    longer = (probs[..., None] * following).flatten(1)  # [B, k * A]
    best, index = longer.topk(min(width, longer.shape[1]), 1)
    if spared is not None:
        best[:, spared[0]:] *= best[:, spared[0]:] >= spared[1][:, None]
    used = max(1, int((best > 0).sum(1).max()))
    best, index = best[:, :used], index[:, :used]
    left_out = cut = probs.new_zeros(len(probs))
    if longer.shape[1] > width or spared is not None:
        left_out = (longer.sum(1) - best.sum(1)).clamp(min=0)
        cut = longer.scatter(1, index, 0.0).amax(1)
    return _Step(best, index // following.shape[-1], index % following.shape[-1], left_out, cut)
