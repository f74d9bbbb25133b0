"""A batch of episodes as a flat list of the steps that were really played."""

from __future__ import annotations

from dataclasses import dataclass

import torch as th
from torch import Tensor

from .episode_buffer import EpisodeBatch


@dataclass(frozen=True)
class Transitions:
    """M steps.

    Attributes:
        state, next_state: ``[M, S]``, as recorded.
        obs: ``[M, N, O]``, or ``[M, 1, S]`` where all agents see the state.
        actions, next_actions: ``[M, N]``.
        available, next_available: bool ``[M, N, A]``.
        reward: training team reward ``[M]`` (see ``reward_min`` and ``reward_scale``).
        done: 1.0 where the episode truly ended, ``[M]``.
        time: index of the step in its episode ``[M]``.
        episode: index of its episode in the batch ``[M]``.
        next_played: 1.0 where ``next_actions`` were really played, ``[M]``.
    """

    state: Tensor
    actions: Tensor
    available: Tensor
    reward: Tensor
    done: Tensor
    next_state: Tensor
    next_actions: Tensor
    next_available: Tensor
    time: Tensor
    next_played: Tensor
    obs: Tensor
    episode: Tensor

    def __getitem__(self, index: Tensor | tuple[Tensor, ...]) -> Transitions:
        """Every field at ``index``: a bool mask ``[M]``, or whatever else indexes its first dimensions."""
        return Transitions(**{name: value[index] for name, value in vars(self).items()})


def played_steps(batch: EpisodeBatch) -> Tensor:
    """Bool ``[B, T]``: steps before the end whose outcome is known.

    EPyMARL's own mask also counts the last entry of an episode that was cut off before the horizon;
    its outcome was never recorded, so it is left out here.
    """
    filled: Tensor = batch["filled"][..., 0].bool()
    terminated: Tensor = batch["terminated"][..., 0].bool()
    ended = terminated.long().cumsum(1) - terminated.long()  # ends strictly before each step
    return filled[:, :-1] & (filled[:, 1:] | terminated[:, :-1]) & (ended[:, :-1] == 0)


def transitions(batch: EpisodeBatch, reward_scale: float = 1.0, reward_min: float | None = None,
                share_sum: bool = True) -> Transitions:
    """Flattens ``batch``.

    Args:
        batch: episodes ``[B, T + 1, ...]``.
        reward_scale, reward_min: training rewards are ``max(reward, reward_min) * reward_scale``.
        share_sum: whether individual rewards add up to the team's (else they are averaged).
    """
    played = played_steps(batch)
    row, time = played.nonzero(as_tuple=True)
    reward = batch["reward"][row, time]
    reward = reward.sum(1) if share_sum else reward.mean(1)
    if reward_min is not None:
        reward = reward.clamp(min=reward_min)
    actions, available, state = batch["actions"][..., 0], batch["avail_actions"], batch["state"]
    obs = batch["obs"] if "obs" in batch.scheme else state[:, :, None]
    following = th.cat([played, played.new_zeros(len(played), 1)], 1)[row, time + 1]
    return Transitions(
        state=state[row, time], next_state=state[row, time + 1],
        actions=actions[row, time], next_actions=actions[row, time + 1],
        available=available[row, time].bool(), next_available=available[row, time + 1].bool(),
        reward=reward * reward_scale, done=batch["terminated"][row, time, 0].float(),
        time=time, next_played=following.float(), obs=obs[row, time], episode=row)
