"""How well conventions explain recorded episodes."""

from __future__ import annotations

from torch import Tensor

from ..components.transitions import Transitions
from ..modules.losses import log_policy, taken


def episode_likelihood(step: Transitions, every: Tensor, episodes: int) -> Tensor:
    """Log-likelihood of each of B episodes under each of c conventions, ``[B, c]``.

    Args:
        step: the M steps of whole episodes.
        every: logits of all conventions there, ``[M, c, N, A]``.
        episodes: B.
    """
    size = every.shape[1]
    log_pi = log_policy(every, step.available[:, None])
    chosen = step.actions[:, None].expand(-1, size, -1)
    each = taken(log_pi.flatten(0, 1), chosen.flatten(0, 1)).sum(1).view(-1, size)
    return each.new_zeros(episodes, size).index_add(0, step.episode, each)
