"""The equations of the action pool and the agreement key, as pure functions.

Shapes: R labels (joint actions of the teacher in some state), M states with up to K labels each,
c entries, d dimensions, N agents, A actions.
"""

from __future__ import annotations

import math

import torch as th
from torch import Tensor


def straight_through(encoding: Tensor, entry: Tensor) -> Tensor:
    """Eq. 11: the value of ``entry``, with the gradient going to ``encoding``, both ``[R, d]``.

    The printed sign, e - sg[z - e], has another value and sends the encoder no gradient.
    """
    return encoding + (entry - encoding).detach()


def vq_loss(encoding: Tensor, entry: Tensor, commitment: float) -> Tensor:
    """Eq. 10, ``[R]``: the first term moves the entry, the second commits the encoder (the text swaps them)."""
    pool = (encoding.detach() - entry).square().sum(-1)
    return pool + commitment * (entry.detach() - encoding).square().sum(-1)


def reconstruction_loss(log_probs: Tensor, actions: Tensor) -> Tensor:
    """Eq. 12, ``[R]``: minus the log-likelihood of joint actions ``[R, N]`` under ``[R, N, A]``."""
    return -log_probs.gather(-1, actions[..., None])[..., 0].sum(-1)


def kl_loss(mean: Tensor, log_std: Tensor) -> Tensor:
    """KL(N(mean, std^2) || N(0, 1)) of ``[R, n]``, summed over dimensions, ``[R]`` (reconstruction of Eq. 14)."""
    return 0.5 * (mean.square() + (2 * log_std).exp() - 1 - 2 * log_std).sum(-1)


@th.no_grad()
def assign(cost: Tensor, valid: Tensor, exclusive: bool) -> Tensor:
    """Eq. 9: the entry of least cost for every label; if ``exclusive``, no two labels of a state share one.

    Two joint actions in one entry would be averaged by the heads, agent by agent: mismatch again,
    inside the entry.  Earlier labels (the more likely ones) choose first.

    Args:
        cost: ``[M, K, c]``.
        valid: bool ``[M, K]``, false for padding.

    Returns:
        Entries ``[M, K]``.  Exclusive labels beyond the c-th find none left and share entry 0.
    """
    if not exclusive or cost.shape[-1] == 1:
        return cost.argmin(-1)
    penalty = th.zeros(valid.shape, dtype=cost.dtype, device=cost.device).masked_fill_(valid, math.inf)
    taken = th.zeros_like(cost[:, 0])
    chosen = []
    for each, own in zip(cost.unbind(1), penalty[..., None].unbind(1), strict=True):
        chosen.append((each + taken).argmin(-1, keepdim=True))
        taken.scatter_add_(1, chosen[-1], own)
    return th.cat(chosen, 1)
