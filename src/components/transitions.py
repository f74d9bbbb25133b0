"""A batch of episodes as a flat list of the steps that were really played."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch as th
from torch import Tensor

from .episode_buffer import EpisodeBatch, Index

#: what ``filled`` holds at a last step that leads to a state which nobody recorded: that entry and the one after it
#: count, as EPyMARL's buffers find the length of an episode by its sum, though there is nothing in the latter
NO_NEXT = 2


@dataclass(frozen=True)
class Transitions:
    """M steps.

    What policies see (``inputs``) may hold what an encoder remembers of the steps before; whole episodes are
    encoded first and cut into steps here.  G is 1 where all agents see the same, else N.

    Attributes:
        inputs, next_inputs: what the agents see, encoded, ``[M, G, F]``.
        state, next_state: as critics see them, encoded, ``[M, S']``.
        recorded_state: as recorded, ``[M, S]``; tells states apart.
        actions, next_actions: ``[M, N]``.
        available, next_available: bool ``[M, N, A]``.
        reward: training team reward ``[M]`` (see ``reward_min`` and ``reward_scale``).
        done: 1.0 where the episode truly ended, ``[M]``.
        time: index of the step in its episode ``[M]``.
        episode: index of its episode in the batch ``[M]``.
        next_played: 1.0 where ``next_actions`` were really played, ``[M]``.
        by_targets: the same steps, encoded by the targets of the encoders; None where no encoder has one.
        count: how often each step is there, ``[M]``; None: once each.
    """

    inputs: Tensor
    next_inputs: Tensor
    state: Tensor
    next_state: Tensor
    recorded_state: Tensor
    actions: Tensor
    next_actions: Tensor
    available: Tensor
    next_available: Tensor
    reward: Tensor
    done: Tensor
    time: Tensor
    episode: Tensor
    next_played: Tensor
    by_targets: Transitions | None = None
    count: Tensor | None = None

    def mean(self, values: Tensor) -> Tensor:
        """The mean of ``[M, ...]`` over all that was drawn, a scalar."""
        if self.count is None:
            return values.mean()
        each = values if values.dim() == 1 else values.flatten(1).mean(1)
        return each @ self.count / self.count.sum()

    @property
    def lagged(self) -> Transitions:
        """The steps as target networks see them."""
        return self if self.by_targets is None else self.by_targets

    def __getitem__(self, index: Tensor | tuple[Tensor, ...]) -> Transitions:
        """Every field at ``index``: a bool mask ``[M]``, or whatever else indexes its first dimensions."""
        fields: dict[str, Any] = {name: None if value is None else value[index] for name, value in vars(self).items()}
        return Transitions(**fields)


def played_steps(batch: EpisodeBatch | Mapping[str, Tensor], outcomes: bool = True) -> Tensor:
    """Bool ``[B, T]``: steps before the end whose outcome is known.

    EPyMARL's own mask also counts the last entry of an episode that was cut off before the horizon;
    its outcome was never recorded, so it is left out here.

    Args:
        batch: episodes.
        outcomes: whether what a step leads to must be known; else recorded steps count that lead to unknown states.
    """
    filled: Tensor = batch["filled"][..., 0].bool()
    terminated: Tensor = batch["terminated"][..., 0].bool()
    ended = terminated.long().cumsum(1) - terminated.long()  # ends strictly before each step
    followed = filled[:, 1:] | terminated[:, :-1]
    if not outcomes:
        followed = followed | (batch["filled"][:, :-1, 0] == NO_NEXT)
    return filled[:, :-1] & followed & (ended[:, :-1] == 0)


def transitions(batch: EpisodeBatch, state: Tensor, inputs: Tensor | None = None, reward_scale: float = 1.0,
                reward_min: float | None = None, share_sum: bool = True, outcomes: bool = True) -> Transitions:
    """Flattens ``batch``.

    Args:
        batch: episodes ``[B, T + 1, ...]``.
        state: its states, encoded, ``[B, T + 1, S']``.
        inputs: what the agents see, encoded, ``[B, T + 1, G, F]``; None where that is ``state`` for all.
        reward_scale, reward_min: training rewards are ``max(reward, reward_min) * reward_scale``.
        share_sum: whether individual rewards add up to the team's (else they are averaged).
        outcomes: whether steps count only if it is known what they lead to.
    """
    played = played_steps(batch, outcomes)
    row, time = played.nonzero(as_tuple=True)
    reward = batch["reward"][row, time]
    reward = reward.sum(1) if share_sum else reward.mean(1)
    if reward_min is not None:
        reward = reward.clamp(min=reward_min)
    actions, available = batch["actions"][..., 0], batch["avail_actions"]
    following = th.cat([played, played.new_zeros(len(played), 1)], 1)[row, time + 1]
    now, later = state[row, time], state[row, time + 1]
    return Transitions(
        inputs=now[:, None] if inputs is None else inputs[row, time],
        next_inputs=later[:, None] if inputs is None else inputs[row, time + 1],
        state=now, next_state=later, recorded_state=batch["state"][row, time],
        actions=actions[row, time], next_actions=actions[row, time + 1],
        available=in_columns(available[row, time].bool()), next_available=in_columns(available[row, time + 1].bool()),
        reward=reward * reward_scale, done=batch["terminated"][row, time, 0].float(),
        time=time, episode=row, next_played=following.float())


def at_limit(step: Transitions, limit: int, is_end: bool) -> Transitions:
    """Steps by what the episode limit is.

    Where it is the game's end, nothing follows its last step, also if the environment calls that a truncation: nobody
    recorded how it goes on from there.  Where it only cuts off, that step is left out.

    Args:
        step: M steps.
        limit: of steps in an episode.
        is_end: whether it is the game's end.
    """
    last = step.time + 1 >= limit
    return replace(step, done=th.where(last, 1.0, step.done)) if is_end else step[~last]


def in_columns(rows: Tensor) -> Tensor:
    """``[M, N, A]`` laid out in memory as the networks' outputs are, ``[N, A, M]``, so that passes over both are quick.
    """
    return rows.permute(1, 2, 0).contiguous().permute(2, 0, 1)


def last_actions(onehot: Tensor, bs: Index, t: Index) -> Tensor:
    """One-hot actions ``[B, T, N, A]`` one step before the places ``(bs, t)``; zeros where an episode begins."""
    if isinstance(t, int):
        return onehot[bs, t - 1] if t else th.zeros_like(onehot[bs, 0])
    if isinstance(t, slice):
        return th.cat([th.zeros_like(onehot[:, :1]), onehot[:, :-1]], 1)[bs, t]
    times = th.as_tensor(t, device=onehot.device)
    return onehot[bs, (times - 1).clamp(min=0)] * (times > 0)[:, None, None]
