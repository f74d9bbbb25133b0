"""A value of the state alone."""

from __future__ import annotations

import itertools

import torch as th
from torch import Tensor, nn


class StateValue(nn.Module):
    """V(s, t): a plain network on the (encoded) state and, if wanted, the share of the horizon passed.

    Finite games pay less the later it is.  Agents do not see the time, but a critic may: it is only
    used in training, and without it the end of an episode looks like a random accident.

    Args:
        n_state: S.
        hidden, layers: width and number of hidden layers.
        horizon: T to use the time, 0 to ignore it.
        n_out: values per state.
    """

    def __init__(self, n_state: int, hidden: int, layers: int, horizon: int, n_out: int) -> None:
        super().__init__()
        self.horizon = horizon
        sizes = [n_state + (1 if horizon else 0), *[hidden] * layers]
        blocks = [m for a, b in itertools.pairwise(sizes) for m in (nn.Linear(a, b), nn.ReLU())]
        self.net = nn.Sequential(*blocks, nn.Linear(hidden, n_out))

    def forward(self, state: Tensor, time: Tensor) -> Tensor:
        """States ``[M, S]`` and time steps ``[M]`` to ``[M, n_out]``."""
        if self.horizon:
            state = th.cat([state, (time / self.horizon)[:, None].to(state.dtype)], 1)
        return self.net(state)  # type: ignore[no-any-return]
