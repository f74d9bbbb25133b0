"""CPA's first stage: the autoregressive MAICQ teacher (paper Eqs. 4 to 8).

Three networks learn side by side from the same recorded steps: the behaviour mu (whose partition
function Eq. 6 needs), a critic that says how much better than mu each action is, and the policy,
fitted to mu tilted by the critic (Eq. 5).  What the critic is, and with it how agents are weighed,
is the config key ``weight`` (see :mod:`epymarl_cpa.modules.critics`).

A critic that does not see the time (``critic_time=false``) takes an end at the episode limit for
chance, and an action that was once recorded there for cheap; one that does has to learn a cliff
there.  ``limit_ends=false`` counts such episodes as cut off and leaves their last step out, as suits
games that good play finishes long before the limit: their values are those of any time.
"""

from __future__ import annotations

import torch as th
from torch import Tensor, nn

from ..components.merged import told_of_its_own
from ..components.transitions import Transitions
from ..controllers.ar_controller import AutoregressiveMAC
from ..modules.autoregressive import AutoregressiveNet
from ..modules.critic import Judgement
from ..modules.critics import REGISTRY as CRITICS
from ..modules.losses import (
    behaviour_loss,
    expected_policy_loss,
    in_support,
    log_policy,
    weighted_policy_loss,
)
from . import REGISTRY
from .base import Learner
from .teaching_settings import CpaArSettings


@REGISTRY.register("cpa_ar_learner")
class CpaArLearner(Learner):
    """Autoregressive in-sample learning from a fixed data set."""

    args: CpaArSettings
    mac: AutoregressiveMAC

    def build(self) -> dict[str, nn.Module]:
        args, info, n_state = self.args, self.info, self.state_encoder.n_out
        self.behaviour = AutoregressiveNet(n_state, info.n_agents, info.n_actions, args.hidden_dim, args.n_layers)
        self.critic = CRITICS[args.weight](n_state, info, args)
        return {"policy": self.mac.agent, "behaviour": self.behaviour, "critic": self.critic}

    @property
    def limit_ends(self) -> bool:
        """Whether an episode that the limit ended is over; by itself, what the data tell."""
        return self.told_limit_ends if self.args.limit_ends is None else self.args.limit_ends

    @property
    def unread(self) -> frozenset[str] | None:
        time = () if self.limit_ends and self.args.critic_time else ("time",)
        by_critic = self.critic.unread if told_of_its_own(type(self.critic), "unread", "judge") else None
        return None if by_critic is None else by_critic.union(("episode", "recorded_state", "next_inputs", *time))

    @property
    def phase(self) -> str:
        return "policy too" if self._started else "before the policy"

    @property
    def _started(self) -> bool:
        """Whether the policy learns.

        If it were fitted to the guesses of an untrained critic, it could take long to let go of them.
        """
        return self.t_env >= self.args.policy_start * self.stage.length

    def losses(self, step: Transitions) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        of_mu, of_critic, of_policy = self._rows(step, self._started)
        log_mu = log_policy(of_mu, step.available)  # [M, N, A]
        seen = self._seen(log_mu.detach())

        @th.no_grad()
        def next_seen() -> Tensor:
            first = self.behaviour.first_head(step.next_state[:, None])
            return self._seen(log_policy(first, step.next_available[:, 0]))

        @th.no_grad()
        def next_chain() -> Tensor:
            return self._seen(log_policy(self.behaviour(step.next_state[:, None], step.next_actions),
                                         step.next_available))

        self.critic.limit_ends, self.critic.reward_scale = self.limit_ends, self.reward_scale
        judgement = self.critic.judge(step, seen, next_seen, of_critic, next_chain)
        if th.is_grad_enabled():
            self.critic.temperature.heed(judgement.error, step.mean(step.reward.square()))
        losses = {"behaviour_loss": behaviour_loss(log_mu, step.actions, step.mean), "critic_loss": judgement.loss}
        weights = judgement.log_weights.exp().clamp(max=self.args.weight_clip)
        stats = {"weight_mean": step.mean(weights), "weight_max": weights.max(), **judgement.stats}
        if isinstance(judgement.alpha, Tensor):
            unit = 1.0 / self.reward_scale  # both in the game's rewards
            stats |= {"alpha": unit * judgement.alpha, "critic_error": unit * judgement.error.sqrt()}
        if of_policy is not None:
            losses["policy_loss"] = self._policy_loss(step, of_policy, seen, judgement)
        return losses, stats

    def _rows(self, step: Transitions, started: bool) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """What behaviour, critic and, once it has started, policy make of the steps, ``[M, N, A]`` each."""
        critic, alike = self.critic.rows(), self.alike
        beside = [net for net in (critic, self.mac.agent if started and alike else None) if net is not None]
        rows = self.behaviour.beside(beside, step.state[:, None], step.actions)
        of_policy = None if not started else rows.pop() if alike else self.mac.agent(step.inputs, step.actions)
        return rows[0], None if critic is None else rows[1], of_policy

    def _policy_loss(self, step: Transitions, rows: Tensor, seen: Tensor, judgement: Judgement) -> Tensor:
        log_pi = log_policy(rows, step.available)
        if self.args.policy_loss == "expected":
            assert judgement.q is not None
            return expected_policy_loss(log_pi, judgement.q, seen, judgement.alpha, step.mean)
        return weighted_policy_loss(log_pi, step.actions, judgement.log_weights, self.args.weight_clip, step.mean)

    def _seen(self, log_mu: Tensor) -> Tensor:
        return in_support(log_mu, self.args.support_share, self.args.support_floor)
