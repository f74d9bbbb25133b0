"""From the logits of one agent to its action: Eq. 8's threshold, sampling, and the greedy choice."""

from __future__ import annotations

import torch as th
from torch import Tensor


def masked_logits(logits: Tensor, available: Tensor) -> Tensor:
    """Logits ``[..., A]`` with unavailable actions at the lowest finite value.

    In play, infinite ones become half as large as that.  After a softmax the probability of unavailable actions is
    exactly 0.  Rows without any available action (padding) become uniform instead of NaN.
    """
    if not logits.requires_grad:  # in learning, a loss that is not finite stops the run
        far = th.finfo(logits.dtype).max / 2
        logits = logits.clamp(-far, far)
    return th.where(available.bool(), logits, th.finfo(logits.dtype).min)


def threshold(probs: Tensor, beta: float, mode: str = "ratio") -> Tensor:
    """Eq. 8 as it must be meant: actions with ``probs > beta`` survive, or else the most likely one.

    The printed equation gives every excluded action the weight exp(0) = 1, so it never excludes
    anything; see docs/method.md for the two readings offered here.

    Args:
        probs: probabilities ``[..., A]``, adding up to 1; unavailable actions have probability 0.
        beta: 0 keeps all, 1 is greedy.
        mode: ``ratio`` keeps the survivors' ratios, ``flat`` weighs them by exp(probability).

    Returns:
        Probabilities ``[..., A]``.
    """
    survives = probs > beta
    weight = (probs if mode == "ratio" else probs.exp()) * survives
    total = weight.sum(-1, keepdim=True)
    if beta * probs.shape[-1] < 0.99:  # the most likely one always survives
        return weight / total
    greedy = th.zeros_like(probs).scatter_(-1, probs.argmax(-1, keepdim=True), 1.0)
    return th.where(total > 0, weight / total.clamp(min=th.finfo(probs.dtype).tiny), greedy)


def sample_actions(probs: Tensor, generator: th.Generator) -> Tensor:
    """One action per row of ``probs`` ``[..., A]`` by the inverse of the distribution function."""
    edges = probs.cumsum(-1)
    u = th.rand(probs.shape[:-1], generator=generator, device=probs.device)[..., None] * edges[..., -1:]
    index = (edges <= u).sum(-1)
    # Rounding can put u on the last edge; fall back to the last action with any probability.
    last = probs.shape[-1] - 1 - (probs.flip(-1) > 0).int().argmax(-1)
    return th.minimum(index, last)
