"""Returns over several steps, without a loop over time."""

from __future__ import annotations

import torch as th
from torch import Tensor

from .transitions import Transitions


def lambda_returns(step: Transitions, ahead: Tensor, gamma: float, lam: float, horizon: int, episodes: int) -> Tensor:
    """TD(lambda) targets G_t = r_t + gamma (1 - done_t) [(1 - lambda) V_{t+1} + lambda G_{t+1}].

    Where the next step is not among them, G_{t+1} is V_{t+1}.

    Args:
        step: M steps, of which those of an episode are consecutive in time.
        ahead: bootstrap values V_{t+1} of the next states ``[M]``, without gradient.
        gamma, lam: discount and lambda.
        horizon: T, at least the length of the longest episode.
        episodes: B, at least the number of episodes.

    Returns:
        ``[M]``.
    """
    # G = x + gamma lambda G_{t+1} where the episode goes on, hence a triangular matrix of powers.
    place = step.episode * horizon + step.time
    there = ahead.new_zeros(episodes * horizon).index_fill(0, place, 1.0).view(episodes, horizon)
    follows = th.cat([there[:, 1:], there.new_zeros(episodes, 1)], 1).flatten()[place]
    x = step.reward + gamma * (1 - step.done) * (1 - lam * follows) * ahead
    table = x.new_zeros(episodes * horizon).scatter(0, place, x).view(episodes, horizon)
    late = th.arange(horizon, device=x.device)
    power = (late[None] - late[:, None]).clamp(min=0)  # [t, k]: k - t
    weights = ((gamma * lam) ** power.to(x)).triu()
    return (table @ weights.T).flatten()[place]
