"""Critics of the autoregressive teacher, one for each reading of Eqs. 5 to 7 (config key ``weight``).

A critic learns values from recorded steps and says how much better than the behaviour each action
is.  With the true mu, ``soft_values=true``, ``conservatism=0``, and nothing clipped or cut off as unseen, ``chain``,
``prefix`` and ``joint`` have the same policy, the exact optimum of the regularised problem: pi(a|s) proportional to
mu(a|s) exp(Q(s, a) / alpha).  ``chain`` and ``prefix`` value every action that mu may take, ``joint`` only
joint actions that were recorded.
"""

from __future__ import annotations

from collections.abc import Callable

import torch as th
from torch import Tensor, nn

from ..components.transitions import Transitions
from ..utils.registry import Registry
from .autoregressive import AutoregressiveNet
from .critic import Critic, Judgement
from .followed import Followed
from .losses import (
    batch_target_weight,
    gumbel_loss,
    is_unseen,
    log_weight,
    log_weight_of,
    policy_value,
    printed_target_weight,
    soft_value,
    taken,
)

REGISTRY: Registry[type[Critic]] = Registry("weight")


@REGISTRY.register("chain")
class ChainCritic(Critic):
    """The value written as a chain of the agents' advantages.

    Q(s, a) = V(s) + sum_i A_i(s, a_<=i), where each A_i = b_i - M_i, and M_i, a mean of b_i over the own action, makes
    the advantage's own mean 0 by construction.  Then G_i = V + A_1 + .. + A_i are values of prefixes, every one
    consistent with the next, so that a single regression of Q on r + gamma V(s') trains all heads at once; a head only
    has to know what its own choice changes.  V may see the time (``critic_time``), the advantages do not: like the
    policy, they are those of the mean time.

    With M_i = alpha log sum mu exp(b_i / alpha) (``soft_values``) values are soft, as those of the ``prefix`` critic:
    what every agent's policy costs by its distance from mu, alpha times the divergence, is taken off at every step.
    That adds up: where mu is mostly noise, ten steps cost more than good ways to play differ by.  With the mean of b_i
    under that agent's policy, mu exp(b_i / alpha) / Z, the sum of the advantages has mean 0 under the team's, and V is
    what it earns.
    """

    unread = frozenset(("next_actions", "next_available", "next_played"))

    def build(self) -> None:
        self.advantage = self.heads(self.n_state)
        self.value = Followed(self.state_value())

    def rows(self) -> AutoregressiveNet:
        return self.advantage

    def judge(self, step: Transitions, log_mu: Tensor, next_log_mu: Callable[[], Tensor],
              rows: Tensor | None = None, next_chain: Callable[[], Tensor] | None = None) -> Judgement:
        alpha, (now, then) = self.alpha(step), self.clock(step)
        b = self.advantage(step.state[:, None], step.actions) if rows is None else rows  # [M, N, A]
        chosen = taken(b, step.actions)
        advantage = chosen - soft_value(b, log_mu, alpha)  # [M, N]
        gain = advantage if self.args.soft_values else chosen - policy_value(b, log_mu, alpha)
        with th.no_grad():
            ahead = self.value.target(step.lagged.next_state, then)[:, 0]
            goal = step.reward + self.gamma * (1 - step.done) * ahead
        q_tot = self.value(step.state, now)[:, 0] + gain.sum(1)
        log_weights = log_weight_of(advantage.detach(), taken(log_mu, step.actions), alpha)
        error = step.mean((q_tot - goal) ** 2)
        loss = error
        if self.args.conservatism:
            loss = error - self.args.conservatism * alpha * self._recorded(advantage, log_mu, step)
        return Judgement(loss, log_weights, b.detach(), alpha, error.detach())

    def _recorded(self, advantage: Tensor, log_mu: Tensor, step: Transitions) -> Tensor:
        """How much better than the soft value recorded joint actions are, a scalar.

        Over the temperature and up to a constant it is the log-likelihood of what was recorded under the policy that
        the advantages stand for, so that what raises it takes from actions that nobody recorded, as CQL does.
        """
        return step.mean(th.where(is_unseen(taken(log_mu, step.actions)), 0.0, advantage).sum(1))


@REGISTRY.register("prefix")
class PrefixCritic(Critic):
    """Values of prefixes, each regressed on the soft value of the next agent's choice.

    G_N regresses on r + gamma V_1(s'), and G_{i-1} on V_i = alpha log sum_a mu_i(a) exp(G_i / alpha), backwards
    in the agent index; all V_i come from one pass of the target network, so that this is a shift
    along the agent axis.
    """

    unread = frozenset(("next_actions", "next_played"))

    def build(self) -> None:
        self.q = Followed(self.heads(self.n_state + (1 if self.horizon else 0)))

    def timed(self, state: Tensor, time: Tensor) -> Tensor:
        """States ``[M, S]`` with the share of the horizon passed, if the critic is to see it, ``[M, 1, S']``."""
        return (th.cat([state, (time / self.horizon)[:, None]], 1) if self.horizon else state)[:, None]

    def judge(self, step: Transitions, log_mu: Tensor, next_log_mu: Callable[[], Tensor],
              rows: Tensor | None = None, next_chain: Callable[[], Tensor] | None = None) -> Judgement:
        alpha, (time, later) = self.alpha(step), self.clock(step)
        now, ahead = self.timed(step.state, time), self.timed(step.lagged.next_state, later)
        with th.no_grad():
            target = self.q.target(self.timed(step.lagged.state, time), step.actions)
            first = self.q.target.first_head(ahead)
            goal = step.reward + self.gamma * (1 - step.done) * soft_value(first, next_log_mu(), alpha)
            goals = th.cat([soft_value(target, log_mu, alpha)[:, 1:], goal[:, None]], 1)  # [M, N]
        errors = (taken(self.q(now, step.actions), step.actions) - goals) ** 2
        return Judgement(step.mean(errors), log_weight(target, log_mu, step.actions, alpha), target, alpha,
                         step.mean(errors[:, -1]).detach())


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
        alpha, (now, then) = self.alpha(step), self.clock(step)
        rows = self.utility(step.state[:, None], step.actions) if rows is None else rows
        q, bias = self.mix(rows, self.mixer, step.state, now)
        log_weights = log_weight(q.detach(), log_mu, step.actions, alpha)
        with th.no_grad():
            later = step.lagged.next_state
            ahead, ahead_bias = self.mix(self.utility.target(later[:, None], step.next_actions), self.mixer.target,
                                         later, then)
            q_next = taken(ahead, step.next_actions).sum(1) + ahead_bias
            stats = {}
            if self.args.target_weight != "one":
                weight, follows = self._target_weight(q_next, ahead, step, alpha, next_chain)
                q_next = th.where(follows > 0, weight * q_next, 0.0)
                stats = {"target_weight_mean": (weight * follows).sum() / follows.sum().clamp(min=1.0),
                         "target_weight_max": (weight * follows).amax()}
            goal = step.reward + self.gamma * (1 - step.done) * q_next
        # Where the episode was cut off, nobody recorded what would have been played next.
        known = th.maximum(step.done, step.next_played)
        loss = (known * (taken(q, step.actions).sum(1) + bias - goal) ** 2).sum() / known.sum().clamp(min=1.0)
        return Judgement(loss, log_weights, q.detach(), alpha, loss.detach(), stats)

    def _target_weight(self, q_next: Tensor, ahead: Tensor, step: Transitions, alpha: float | Tensor,
                       next_chain: Callable[[], Tensor] | None) -> tuple[Tensor, Tensor]:
        """The importance weights ``[M]`` of the next joint actions, and 1.0 where there is one, ``[M]``."""
        follows = step.next_played * (1 - step.done)
        if self.args.target_weight == "batch":
            return batch_target_weight(q_next, follows, self.args.alpha_q), follows
        assert next_chain is not None
        return printed_target_weight(ahead, next_chain(), step.next_actions, alpha), follows


@REGISTRY.register("joint")
class JointCritic(MixedCritic):
    """One weight for the whole joint action, exp((Q_tot - V) / alpha): the exact chain rule.

    V = alpha log E_mu exp(Q_tot / alpha) is learned from recorded joint actions alone (Gumbel regression) and also
    serves as the soft in-sample maximum of the target.  Best joint actions that are rarer than
    :func:`gumbel_loss` allows are undervalued, so this suits few agents.
    """

    knows_every_action = False
    unread = frozenset(("next_actions", "next_available", "next_played"))

    def build(self) -> None:
        super().build()
        self.value = Followed(self.state_value())

    def judge(self, step: Transitions, log_mu: Tensor, next_log_mu: Callable[[], Tensor],
              rows: Tensor | None = None, next_chain: Callable[[], Tensor] | None = None) -> Judgement:
        alpha, (now, then) = self.alpha(step), self.clock(step)
        rows = self.utility(step.state[:, None], step.actions) if rows is None else rows
        q, bias = self.mix(rows, self.mixer, step.state, now)
        q_tot = taken(q, step.actions).sum(1) + bias
        value = self.value(step.state, now)[:, 0]
        with th.no_grad():
            ahead = self.value.target(step.lagged.next_state, then)[:, 0]
            goal = step.reward + self.gamma * (1 - step.done) * ahead
            state = step.lagged.state
            steady, steady_bias = self.mix(self.utility.target(state[:, None], step.actions), self.mixer.target, state,
                                           now)
            q_target = taken(steady, step.actions).sum(1) + steady_bias
        error = step.mean((q_tot - goal) ** 2)
        loss = error + gumbel_loss(q_target, value, alpha, mean=step.mean) * alpha**2
        return Judgement(loss, ((q_target - value.detach()) / alpha)[:, None], None, alpha, error.detach())
