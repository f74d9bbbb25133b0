"""Policies over numbered observation histories, as episodes that show them."""

from __future__ import annotations

import numpy as np
import torch as th
from torch import Tensor

from ..envs.dpomdp.policies import Policies
from ..envs.game import IntArray
from .symbols import Symbols


class Histories:
    """Every agent's observation histories of a whole episode, each in a row of its own.

    Row r shows agent i the history with the number r modulo the number of its histories, so that R is the largest
    of these numbers.

    Args:
        symbols: what can be seen.
        horizon: T.

    Attributes:
        obs: ``[R, T, N, O]``.
        available: bool ``[R, T, N, A]``.
    """

    def __init__(self, symbols: Symbols, horizon: int) -> None:
        self.horizon, self.sizes = horizon, symbols.n_observations
        self.length = horizon if symbols.sees_first else horizon - 1  # observations before the last decision
        self.count = [size**self.length for size in self.sizes]
        rows = max(self.count)
        obs, available = [], []
        for agent, size in enumerate(self.sizes):
            digits = self._digits(np.arange(rows) % self.count[agent], size)  # [R, length]
            if not symbols.sees_first:
                digits = np.concatenate([np.full((rows, 1), len(symbols.vectors[agent]) - 1), digits], 1)
            obs.append(symbols.vectors[agent][digits])
            available.append(symbols.available[agent][digits])
        self.obs = th.from_numpy(np.stack(obs, 2))
        self.available = th.from_numpy(np.stack(available, 2))

    def _digits(self, number: IntArray, size: int) -> IntArray:
        return np.stack([number // size ** (self.length - 1 - k) % size for k in range(self.length)], 1) \
            if self.length else np.zeros((len(number), 0), dtype=np.int64)

    def actions(self, policies: Policies) -> Tensor:
        """What agents with these policies do in every row, ``[R, T, N]``."""
        rows, late = np.arange(len(self.obs)), self.length - self.horizon + 1
        return th.from_numpy(np.stack([
            np.stack([policy[t][rows % count // size ** (self.length - t - late)] for t in range(self.horizon)], 1)
            for policy, count, size in zip(policies, self.count, self.sizes, strict=True)], 2))

    def policies(self, actions: Tensor) -> Policies:
        """The policies of agents that do this in every row, ``[R, T, N]``."""
        late, table = self.length - self.horizon + 1, actions.numpy()
        return [[table[: count][:: size ** (self.length - t - late), t, agent].copy() for t in range(self.horizon)]
                for agent, (count, size) in enumerate(zip(self.count, self.sizes, strict=True))]
