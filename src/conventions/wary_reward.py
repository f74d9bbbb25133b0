"""A model of rewards that knows where it knows nothing."""

from __future__ import annotations

import torch as th
from torch import Tensor, nn

from .column_model import Columns, conditions, reward_net
from .plan import spread_of

MODELS = 3  # enough for a spread, and each is evaluated for every change that a search tries


class WaryReward(nn.Module):
    """Several models of E[r | s, a]; each is learned beside a random function of its own that never changes.

    Where actions were recorded, learning makes up for that function; elsewhere it remains, and the models disagree
    (Osband et al., *Randomized Prior Functions for Deep Reinforcement Learning*, 2018).  So joint actions of which
    nothing is known, although every agent was seen to do its part, count as worth less.

    Args:
        columns: of the states.
        n_agents, n_actions: N and A.
    """

    scale: Tensor
    needs_next = False

    def __init__(self, columns: Columns, n_agents: int, n_actions: int) -> None:
        super().__init__()
        self.columns, self.n_actions = columns, n_actions
        self.register_buffer("scale", th.ones(()))
        self.learned = nn.ModuleList(reward_net(columns, n_agents, n_actions) for _ in range(MODELS))
        self.prior = nn.ModuleList(reward_net(columns, n_agents, n_actions) for _ in range(MODELS))
        self.prior.requires_grad_(False)
        for layer in self.prior.modules():
            if isinstance(layer, nn.Linear):
                nn.init.orthogonal_(layer.weight, 2 ** 0.5)

    def fit_scale(self, reward: Tensor) -> None:
        """Rewards that never vary are in doubt by as much as they are worth."""
        self.scale.fill_(max(spread_of(reward), float(reward.abs().mean()), 1e-6))

    def every(self, numbers: Tensor, actions: Tensor) -> Tensor:
        """What each model expects, ``[K, M]``."""
        given = conditions(self.columns, numbers, actions, self.n_actions)
        return th.stack([(learned(given) + prior(given))[:, 0] * self.scale
                         for learned, prior in zip(self.learned, self.prior, strict=True)])

    def forward(self, numbers: Tensor, actions: Tensor) -> Tensor:
        """Columns ``[M, S]`` and joint actions ``[M, N]`` to expected rewards ``[M]``."""
        return self.every(numbers, actions).mean(0)

    def wary(self, numbers: Tensor, actions: Tensor) -> Tensor:
        """The same, less the models' standard deviation."""
        every = self.every(numbers, actions)
        return every.mean(0) - every.std(0)

    def loss(self, numbers: Tensor, actions: Tensor, following: Tensor, reward: Tensor) -> Tensor:
        """The squared errors of the rewards ``[M]``, in units of ``scale``."""
        return ((self.every(numbers, actions) - reward) / self.scale).square().mean(1).sum()
