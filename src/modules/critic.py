"""What all critics of the autoregressive teacher share (see :mod:`.critics`)."""


from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch as th
from torch import Tensor, nn

from ..components.env_info import EnvInfo
from ..components.transitions import Transitions
from .autoregressive import AutoregressiveNet
from .settings import CriticSettings
from .temperature import Temperature, carried
from .value import StateValue


@dataclass(frozen=True)
class Judgement:
    """What a critic says about M steps.

    Attributes:
        loss: the critic's own loss, a scalar.
        log_weights: log-weights of the recorded actions, ``[M, N]``, or ``[M, 1]`` for all agents alike.
        q: values ``[M, N, A]`` of every own action, of which the log-weights are made, if there are such.
        alpha: the temperature of the log-weights.
        error: mean squared error of the prediction of the team's value, a scalar without gradient.
        stats: further statistics, by name.
    """

    loss: Tensor
    log_weights: Tensor
    q: Tensor | None
    alpha: float | Tensor
    error: Tensor
    stats: Mapping[str, Tensor] = field(default_factory=dict)


class Critic(nn.Module):
    """Base: sizes and settings.

    Args:
        n_state: S, length of the encoded state.
        info: sizes of the environment.
        args: settings.

    Attributes:
        knows_every_action: whether it values every own action, or only joint actions that were recorded.
        unread: what of steps it does not look at, so that steps that differ in nothing else count as one; None: it
            judges each by itself.  A subclass with another ``judge`` says it anew.
        limit_ends: whether the episode limit is the game's own end; else values are those of any time, and its networks
            are told 0 as the time.
        reward_scale: what rewards were multiplied by.
        temperature: of its weights.
    """

    knows_every_action = True
    unread: ClassVar[frozenset[str] | None] = None

    def __init__(self, n_state: int, info: EnvInfo, args: CriticSettings) -> None:
        super().__init__()
        self.n_state, self.info, self.args = n_state, info, args
        self.gamma, self.limit_ends, self.reward_scale = args.gamma, True, 1.0
        self.horizon = info.episode_limit if args.critic_time else 0
        self.temperature = Temperature(args.alpha, args.alpha_share)
        self.build()

    @abstractmethod
    def build(self) -> None:
        """Makes the networks."""

    def heads(self, n_state: int) -> AutoregressiveNet:
        """A new autoregressive network of this critic's size."""
        return AutoregressiveNet(n_state, self.info.n_agents, self.info.n_actions, self.args.hidden_dim,
                                 self.args.n_layers)

    def state_value(self, n_out: int = 1) -> StateValue:
        """A new network of the state and, if wanted, the time."""
        return StateValue(self.n_state, self.args.value_hidden_dim, self.args.n_layers, self.horizon, n_out)

    def alpha(self, step: Transitions) -> float | Tensor:
        """The temperature by which M steps are judged."""
        if self.temperature.fixed is not None:
            return self.temperature.fixed * self.reward_scale
        alpha: float | Tensor = self.temperature(step.mean(step.reward.square()),
                                                 carried(self.info.episode_limit, self.gamma, self.limit_ends))
        return alpha

    def clock(self, step: Transitions) -> tuple[Tensor, Tensor]:
        """The time of M steps and of what follows them, ``[M]`` each, as its networks are told it."""
        if self.limit_ends:
            return step.time, step.time + 1
        never = th.zeros_like(step.time)
        return never, never

    def rows(self) -> AutoregressiveNet | None:
        """Its trained network of the present state and the actions, if it has one."""
        return None

    @abstractmethod
    def judge(self, step: Transitions, log_mu: Tensor, next_log_mu: Callable[[], Tensor],
              rows: Tensor | None = None, next_chain: Callable[[], Tensor] | None = None) -> Judgement:
        """Loss and weights for M steps.

        Args:
            step: steps with encoded states.
            log_mu: in-support behaviour at the recorded prefixes, ``[M, N, A]``, without gradient.
            next_log_mu: gives the first agent's in-support behaviour at the next states, ``[M, A]``.
            rows: what the network of :meth:`rows` makes of the steps, ``[M, N, A]``, if that is known already.
            next_chain: gives all agents' in-support behaviour at the next states, after the recorded next prefixes,
                ``[M, N, A]``; only ``target_weight=printed`` asks for it.
        """
