"""Critics of the autoregressive teacher, one for each reading of Eqs. 5 to 7 (config key ``weight``).

A critic learns values from recorded steps and says how much better than the behaviour each action
is.  With the true mu, and nothing clipped or cut off as unseen, ``chain``, ``prefix`` and ``joint``
have the same policy, the exact optimum of the regularised problem: pi(a|s) proportional to
mu(a|s) exp(Q(s, a) / alpha).  ``chain`` and ``prefix`` value every action that mu may take, ``joint`` only
joint actions that were recorded.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch as th
from torch import Tensor, nn

from ..components.env_info import EnvInfo
from ..components.transitions import Transitions
from ..utils.registry import Registry
from .autoregressive import AutoregressiveNet
from .followed import Followed
from .losses import (
    batch_target_weight,
    gumbel_loss,
    log_weight,
    log_weight_of,
    printed_target_weight,
    soft_value,
    taken,
)
from .settings import CriticSettings
from .value import StateValue

REGISTRY: Registry[type[Critic]] = Registry("weight")


@dataclass(frozen=True)
class Judgement:
    """What a critic says about M steps.

    Attributes:
        loss: the critic's own loss, a scalar.
        log_weights: log-weights of the recorded actions, ``[M, N]``, or ``[M, 1]`` for all agents alike.
        q: values ``[M, N, A]`` of every own action, of which the log-weights are made, if there are such.
        stats: further statistics, by name.
    """

    loss: Tensor
    log_weights: Tensor
    q: Tensor | None
    stats: Mapping[str, Tensor] = field(default_factory=dict)


class Critic(nn.Module):
    """Base: sizes and settings.

    Args:
        n_state: S, length of the encoded state.
        info: sizes of the environment.
        args: settings.

    Attributes:
        knows_every_action: whether it values every own action, or only joint actions that were recorded.
    """

    knows_every_action = True

    def __init__(self, n_state: int, info: EnvInfo, args: CriticSettings) -> None:
        super().__init__()
        self.n_state, self.info, self.args = n_state, info, args
        self.gamma, self.alpha = args.gamma, args.alpha
        self.horizon = info.episode_limit if args.critic_time else 0
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


@REGISTRY.register("chain")
class ChainCritic(Critic):
    """The soft value written as a chain of the agents' advantages.

    Q(s, a) = V(s) + sum_i A_i(s, a_<=i), where each A_i = b_i - alpha log sum mu exp(b_i / alpha)
    has soft mean 0 by construction.  Then G_i = V + A_1 + .. + A_i are values of prefixes as the
    ``prefix`` critic learns them, but every one consistent with the next, so that a single
    regression of Q on r + gamma V(s') trains all heads at once; a head only has to know what its own
    choice changes.  V may see the time (``critic_time``), the advantages do not: like the policy,
    they are those of the mean time.
    """

    def build(self) -> None:
        self.advantage = self.heads(self.n_state)
        self.value = Followed(self.state_value())

    def rows(self) -> AutoregressiveNet:
        return self.advantage

    def judge(self, step: Transitions, log_mu: Tensor, next_log_mu: Callable[[], Tensor],
              rows: Tensor | None = None, next_chain: Callable[[], Tensor] | None = None) -> Judgement:
        b = self.advantage(step.state[:, None], step.actions) if rows is None else rows  # [M, N, A]
        advantage = taken(b, step.actions) - soft_value(b, log_mu, self.alpha)  # [M, N]
        with th.no_grad():
            ahead = self.value.target(step.lagged.next_state, step.time + 1)[:, 0]
            goal = step.reward + self.gamma * (1 - step.done) * ahead
        q_tot = self.value(step.state, step.time)[:, 0] + advantage.sum(1)
        log_weights = log_weight_of(advantage.detach(), taken(log_mu, step.actions), self.alpha)
        return Judgement(((q_tot - goal) ** 2).mean(), log_weights, b.detach())


@REGISTRY.register("prefix")
class PrefixCritic(Critic):
    """Values of prefixes, each regressed on the soft value of the next agent's choice.

    G_N regresses on r + gamma V_1(s'), and G_{i-1} on V_i = alpha log sum_a mu_i(a) exp(G_i / alpha), backwards
    in the agent index; all V_i come from one pass of the target network, so that this is a shift
    along the agent axis.
    """

    def build(self) -> None:
        self.q = Followed(self.heads(self.n_state + (1 if self.horizon else 0)))

    def timed(self, state: Tensor, time: Tensor) -> Tensor:
        """States ``[M, S]`` with the share of the horizon passed, if the critic is to see it, ``[M, 1, S']``."""
        return (th.cat([state, (time / self.horizon)[:, None]], 1) if self.horizon else state)[:, None]

    def judge(self, step: Transitions, log_mu: Tensor, next_log_mu: Callable[[], Tensor],
              rows: Tensor | None = None, next_chain: Callable[[], Tensor] | None = None) -> Judgement:
        now, ahead = self.timed(step.state, step.time), self.timed(step.lagged.next_state, step.time + 1)
        with th.no_grad():
            target = self.q.target(self.timed(step.lagged.state, step.time), step.actions)
            first = self.q.target.first_head(ahead)
            goal = step.reward + self.gamma * (1 - step.done) * soft_value(first, next_log_mu(), self.alpha)
            goals = th.cat([soft_value(target, log_mu, self.alpha)[:, 1:], goal[:, None]], 1)  # [M, N]
        loss = ((taken(self.q(now, step.actions), step.actions) - goals) ** 2).mean()
        return Judgement(loss, log_weight(target, log_mu, step.actions, self.alpha), target)


class MixedCritic(Critic):
    """Q_tot = sum_i w_i(s) Q_i(s, a_<=i) + b(s), the paper's Eq. 7 with autoregressive utilities.

    The positive weights are normalised to sum to N, unless ``mixer_weights=abs``: unnormalised they let values grow
    without bound.
    """

    def build(self) -> None:
        self.utility = Followed(self.heads(self.n_state))
        self.mixer = Followed(self.state_value(self.info.n_agents + 1))

    def rows(self) -> AutoregressiveNet:
        return self.utility.online

    def mix(self, rows: Tensor, mixer: nn.Module, state: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """w_i Q_i for every own action ``[M, N, A]``, from the Q_i, and b ``[M]``."""
        out = mixer(state, time)
        weights = out[:, :-1].abs() if self.args.mixer_weights == "abs" else \
            th.softmax(out[:, :-1], 1) * (out.shape[1] - 1)
        return weights[..., None] * rows, out[:, -1]


@REGISTRY.register("per_agent")
class PerAgentCritic(MixedCritic):
    """Eq. 5 to the letter, its slips mended: each agent is weighed by its own w_i Q_i.

    The target is r + gamma Q_tot(s', a') at the recorded next action, as in the official MAICQ code, whose
    importance weight (``target_weight=batch``) is nearly 1: one step of improvement over the behaviour, no
    more.  Eq. 7's own weight (``printed``) multiplies the value itself, which goes wrong where episodes keep to one
    way to play: high values diverge, negative ones of good and bad actions become equal (see docs/method.md).
    Also, only the sum of the utilities is determined by the data, so the agents' weights are not: harmless on XOR, but
    not in general.
    """

    def judge(self, step: Transitions, log_mu: Tensor, next_log_mu: Callable[[], Tensor],
              rows: Tensor | None = None, next_chain: Callable[[], Tensor] | None = None) -> Judgement:
        rows = self.utility(step.state[:, None], step.actions) if rows is None else rows
        q, bias = self.mix(rows, self.mixer, step.state, step.time)
        log_weights = log_weight(q.detach(), log_mu, step.actions, self.alpha)
        with th.no_grad():
            later = step.lagged.next_state
            ahead, ahead_bias = self.mix(self.utility.target(later[:, None], step.next_actions), self.mixer.target,
                                         later, step.time + 1)
            q_next = taken(ahead, step.next_actions).sum(1) + ahead_bias
            stats = {}
            if self.args.target_weight != "one":
                weight, follows = self._target_weight(q_next, ahead, step, next_chain)
                q_next = th.where(follows > 0, weight * q_next, 0.0)
                stats = {"target_weight_mean": (weight * follows).sum() / follows.sum().clamp(min=1.0),
                         "target_weight_max": (weight * follows).amax()}
            goal = step.reward + self.gamma * (1 - step.done) * q_next
        # Where the episode was cut off, nobody recorded what would have been played next.
        known = th.maximum(step.done, step.next_played)
        loss = (known * (taken(q, step.actions).sum(1) + bias - goal) ** 2).sum() / known.sum().clamp(min=1.0)
        return Judgement(loss, log_weights, q.detach(), stats)

    def _target_weight(self, q_next: Tensor, ahead: Tensor, step: Transitions,
                       next_chain: Callable[[], Tensor] | None) -> tuple[Tensor, Tensor]:
        """The importance weights ``[M]`` of the next joint actions, and 1.0 where there is one, ``[M]``."""
        follows = step.next_played * (1 - step.done)
        if self.args.target_weight == "batch":
            return batch_target_weight(q_next, follows, self.args.alpha_q), follows
        assert next_chain is not None
        return printed_target_weight(ahead, next_chain(), step.next_actions, self.alpha), follows


@REGISTRY.register("joint")
class JointCritic(MixedCritic):
    """One weight for the whole joint action, exp((Q_tot - V) / alpha): the exact chain rule.

    V = alpha log E_mu exp(Q_tot / alpha) is learned from recorded joint actions alone (Gumbel regression) and also
    serves as the soft in-sample maximum of the target.  Best joint actions that are rarer than
    :func:`gumbel_loss` allows are undervalued, so this suits few agents.
    """

    knows_every_action = False

    def build(self) -> None:
        super().build()
        self.value = Followed(self.state_value())

    def judge(self, step: Transitions, log_mu: Tensor, next_log_mu: Callable[[], Tensor],
              rows: Tensor | None = None, next_chain: Callable[[], Tensor] | None = None) -> Judgement:
        rows = self.utility(step.state[:, None], step.actions) if rows is None else rows
        q, bias = self.mix(rows, self.mixer, step.state, step.time)
        q_tot = taken(q, step.actions).sum(1) + bias
        value = self.value(step.state, step.time)[:, 0]
        with th.no_grad():
            ahead = self.value.target(step.lagged.next_state, step.time + 1)[:, 0]
            goal = step.reward + self.gamma * (1 - step.done) * ahead
            state = step.lagged.state
            steady, steady_bias = self.mix(self.utility.target(state[:, None], step.actions), self.mixer.target, state,
                                           step.time)
            q_target = taken(steady, step.actions).sum(1) + steady_bias
        loss = ((q_tot - goal) ** 2).mean() + gumbel_loss(q_target, value, self.alpha) * self.alpha**2
        return Judgement(loss, ((q_target - value.detach()) / self.alpha)[:, None], None)
