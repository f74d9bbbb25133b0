"""The sizes of an environment, and the batches that hold its episodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch as th

from ..envs.game import Game
from .episode_buffer import EpisodeBatch, Preprocess, ReplayBuffer
from .transforms import OneHot


@dataclass(frozen=True)
class EnvInfo:
    """What EPyMARL's ``get_env_info`` tells, as a value: what networks and batches are made for.

    Attributes:
        n_agents, n_actions: N and A.
        state_shape, obs_shape: S and O, lengths of the state and of an agent's observation.
        episode_limit: T.
        n_rewards: 1 where the team has one reward, else N.
        spec: what identifies the game and its variant in data sets and checkpoints.
    """

    n_agents: int
    n_actions: int
    state_shape: int
    obs_shape: int
    episode_limit: int
    n_rewards: int = 1
    spec: Mapping[str, Any] = field(default_factory=dict)

    @staticmethod
    def of(game: Game, common_reward: bool = True) -> EnvInfo:
        """Those of a game."""
        return EnvInfo(game.n_agents, game.n_actions, game.state_dim, game.obs_dim, game.episode_limit,
                       1 if common_reward else game.n_agents, game.spec())

    @property
    def groups(self) -> dict[str, int]:
        return {"agents": self.n_agents}

    @property
    def scheme(self) -> dict[str, dict[str, Any]]:
        """EPyMARL's layout of a batch."""
        return {"state": {"vshape": self.state_shape}, "obs": {"vshape": self.obs_shape, "group": "agents"},
                "actions": {"vshape": (1,), "group": "agents", "dtype": th.long},
                "avail_actions": {"vshape": (self.n_actions,), "group": "agents", "dtype": th.int},
                "reward": {"vshape": (self.n_rewards,)}, "terminated": {"vshape": (1,), "dtype": th.uint8}}

    @property
    def preprocess(self) -> Preprocess:
        return {"actions": ("actions_onehot", [OneHot(self.n_actions)])}

    @property
    def episode_bytes(self) -> int:
        """Memory of one whole episode."""
        step = 4 * (self.state_shape + self.n_rewards + 2) + 4 * self.n_agents * (
            self.obs_shape + 2 * self.n_actions + 2)
        return step * (self.episode_limit + 1)

    def batch(self, episodes: int, device: str | th.device = "cpu") -> EpisodeBatch:
        """A batch of zeros ``[episodes, T + 1, ...]``."""
        return EpisodeBatch(self.scheme, self.groups, episodes, self.episode_limit + 1, preprocess=self.preprocess,
                            device=device)

    def buffer(self, episodes: int, seed: int) -> ReplayBuffer:
        """An empty ring of that many episodes."""
        return ReplayBuffer(self.scheme, self.groups, episodes, self.episode_limit + 1, self.preprocess, seed=seed)
