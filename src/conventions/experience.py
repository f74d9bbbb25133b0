"""A whole data set, for what is not learned batch by batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch as th
from torch import Tensor

from ..components.episode_buffer import EpisodeBatch
from ..components.transitions import played_steps
from ..data.ends import known

AT_ONCE = 1000  # episodes


class EpisodeSource(Protocol):
    """Where recorded episodes are."""

    @property
    def n_episodes(self) -> int:
        """E."""

    @property
    def limit_is_end(self) -> bool:
        """Whether the episode limit is to be taken for the game's own end."""

    @property
    def typical_reward(self) -> float:
        """The root of the mean square of the team's rewards, raised to ``reward_min``; 0 where there are none."""

    def episodes(self, rows: Tensor) -> EpisodeBatch:
        """The episodes ``rows`` ``[B]``."""


@dataclass(frozen=True)
class Experience:
    """E episodes on the CPU; entries behind an episode's end are 0.

    Attributes:
        state: ``[E, T + 1, S]``.
        obs: ``[E, T + 1, N, O]``.
        actions: ``[E, T + 1, N]``.
        available: bool ``[E, T + 1, N, A]``.
        reward: the team's, as it was recorded, ``[E, T + 1]``.
        filled: bool ``[E, T + 1]``: what was seen.
        played: bool ``[E, T]``: steps whose outcome is known.
        terminated: bool ``[E, T + 1]``.
        paid: bool ``[E, T]``: steps that were played, their outcome known or not; their rewards make up the return.
    """

    state: Tensor
    obs: Tensor
    actions: Tensor
    available: Tensor
    reward: Tensor
    filled: Tensor
    played: Tensor
    terminated: Tensor
    paid: Tensor

    @staticmethod
    def of(source: EpisodeSource, horizon: int, share_sum: bool) -> Experience:
        """All episodes of a source.

        Args:
            source: where they are.
            horizon: T.
            share_sum: whether individual rewards add up to the team's (else they are averaged).
        """
        parts = []
        for k in range(0, source.n_episodes, AT_ONCE):
            batch = source.episodes(th.arange(k, min(k + AT_ONCE, source.n_episodes)))
            parts.append({"state": batch["state"], "obs": batch["obs"], "actions": batch["actions"][..., 0],
                          "available": batch["avail_actions"].bool(), "reward": team_reward(batch, share_sum),
                          "filled": batch["filled"][..., 0].bool(), "played": played_steps(batch),
                          "paid": played_steps(batch, outcomes=False),
                          "terminated": batch["terminated"][..., 0].bool()})
        lengths = {name: horizon + (name not in ("played", "paid")) for name in parts[0]}
        whole = {name: th.cat([_padded(part[name].cpu(), length) for part in parts])
                 for name, length in lengths.items()}
        seen = known(*(whole[name].numpy() for name in ("state", "available", "filled", "terminated")))
        return Experience(**{**whole, "filled": th.from_numpy(seen)})

    def __len__(self) -> int:
        return len(self.state)

    @property
    def returns(self) -> Tensor:
        """Undiscounted, ``[E]``."""
        return (self.reward[:, :-1] * self.paid).sum(1)


def team_reward(batch: EpisodeBatch | Mapping[str, Tensor], share_sum: bool) -> Tensor:
    """The team's reward as it was recorded, neither scaled nor cut, ``[B, T + 1]``; argument as of `Experience.of`."""
    reward: Tensor = batch["reward"].sum(2) if share_sum else batch["reward"].mean(2)
    return reward


def returns_of(batch: EpisodeBatch, share_sum: bool) -> Tensor:
    """Undiscounted returns of a batch's episodes, ``[B]``, double."""
    return (team_reward(batch, share_sum)[:, :-1] * played_steps(batch, outcomes=False)).sum(1).double()


def _padded(value: Tensor, length: int) -> Tensor:
    """``[B, t, ...]`` to ``[B, length, ...]``."""
    whole = value.new_zeros(len(value), length, *value.shape[2:])
    whole[:, : value.shape[1]] = value
    return whole
