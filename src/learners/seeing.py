"""How learners see recorded episodes: as steps, through encoders, with rewards of a usual size."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from logging import Logger
from typing import ClassVar

import torch as th
from torch import Tensor

from ..components.env_info import EnvInfo
from ..components.episode_buffer import EpisodeBatch
from ..components.transitions import Transitions, at_limit, last_actions, transitions
from ..controllers.base import Controller
from ..conventions.experience import EpisodeSource
from ..errors import UserError
from ..modules.encoders import Encoder, Sight
from ..modules.encoders.memoryless import Memoryless
from ..modules.encoders.rnn import Rnn
from ..settings import Settings
from .settings import RECORDED, LimitSettings


class Seeing:
    """What a learner knows of the world before it learns.

    Args:
        mac: the controller that is trained.
        info: sizes of the environment.
        console: takes words.
        args: settings.

    Attributes:
        source: the whole data set that the batches come from, if there is one.
        state_encoder: through which critics see.
        target_encoder, target_state_encoder: through which target networks see what agents and critics do.
        outcomes: whether its losses look at what steps lead to; one that only imitates does not, and learns from steps,
            too, after which nobody recorded the state.
        rewarded: whether its losses look at rewards; those of students, who imitate, do not.
    """

    args: Settings
    mac: Controller
    outcomes: ClassVar[bool] = True
    rewarded: ClassVar[bool] = True

    def __init__(self, mac: Controller, info: EnvInfo, console: Logger, args: Settings) -> None:
        self.mac, self.info, self.console, self.args = mac, info, console, args
        self.source: EpisodeSource | None = None
        self._check_limit()
        remembers = args.critic_input == "history"
        sight = Sight(info.state_shape, info.n_agents * info.n_actions * remembers, args.state_levels)
        self.state_encoder: Encoder = (Rnn if remembers else Memoryless)(sight, args.hidden_dim)
        self.target_encoder: Encoder = mac.encoder
        self.target_state_encoder: Encoder = self.state_encoder

    def use_data(self, source: EpisodeSource) -> None:
        """Takes the whole data set that the batches come from, before learning begins."""
        self.source = source
        self._check_limit()  # asks the data now, so that they are told and recorded also where a later stage goes on

    @property
    def limit_ends(self) -> bool | None:
        """Whether an episode that the limit ended is over (see :func:`.at_limit`); None: if it says so."""
        how = self.args.limit_ends if isinstance(self.args, LimitSettings) else RECORDED
        return self.told_limit_ends if how is None else None if isinstance(how, str) else how

    def _check_limit(self) -> None:
        if self.limit_ends is False and self.info.episode_limit == 1:
            raise UserError("limit_ends=false leaves the step at the episode limit out, and the episodes of "
                            f"{self.args.env} have no other; set limit_ends=true.")

    @property
    def told_limit_ends(self) -> bool:
        """The same by what the data tell; by what is played online nothing is told."""
        return self.source is None or self.source.limit_is_end

    def steps(self, batch: EpisodeBatch) -> Transitions:
        """The M steps of B episodes ``[B, T + 1, ...]`` to learn from, rewards scaled.

        Whole episodes are encoded here, before they are cut into steps.  The same episodes must give the same steps
        whenever they are asked for: stacked seeds ask once.
        """
        mac = self.mac
        step = self._seen_by(batch, self.state_encoder, mac.encoder)
        if self.target_encoder is not mac.encoder or self.target_state_encoder is not self.state_encoder:
            with th.no_grad():
                step = replace(step, by_targets=self._seen_by(batch, self.target_state_encoder, self.target_encoder))
        is_end = self.limit_ends
        return step if is_end is None else at_limit(step, self.info.episode_limit, is_end)

    def _seen_by(self, batch: EpisodeBatch, state_encoder: Encoder, encoder: Encoder) -> Transitions:
        """The steps as these encoders see them."""
        args = self.args
        if args.critic_input == "state":
            state = state_encoder(batch["state"])
        else:
            done = last_actions(batch["actions_onehot"], slice(None), slice(None)).flatten(2)
            state = state_encoder(th.cat([batch["state"], done.to(batch["state"].dtype)], -1)[:, :, None])[:, :, 0]
        inputs = None if self.alike else self.mac.encode(batch, encoder)
        return transitions(batch, state, inputs, self.reward_scale, args.reward_min,
                           args.reward_scalarisation == "sum", self.outcomes)

    @cached_property
    def reward_scale(self) -> float:
        """What training rewards are multiplied by.

        By itself (``reward_scale=null``) so that typical ones are not larger than 1, as networks take long to say large
        numbers.
        """
        if (asked := self.args.reward_scale) is not None:
            return asked
        unit = 1.0 if self.source is None or not self.rewarded else self.source.typical_reward
        if unit <= 1.0:  # or nothing is learned from rewards
            return 1.0
        self.console.info("training rewards are divided by %.4g, their typical size (reward_scale)", unit)
        return 1.0 / unit

    @property
    def alike(self) -> bool:
        """Whether the agents see just the state that the critics see."""
        return self.mac.sees_state_alone and self.args.critic_input == "state"

    def timed(self, state: Tensor, time: Tensor, critic_time: bool) -> Tensor:
        """What critics see of encoded states ``[M, S]``: with ``critic_time`` also the share of the horizon passed."""
        if not critic_time:
            return state
        if self.limit_ends is False:  # values are those of any time
            time = th.zeros_like(time)
        return th.cat([state, (time / self.info.episode_limit)[:, None].to(state.dtype)], 1)
