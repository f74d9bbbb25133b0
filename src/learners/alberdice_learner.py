"""AlberDICE (Matsunaga et al., 2023): every agent's best response to the others, from recorded steps only."""

from __future__ import annotations

import torch as th
from torch import Tensor, nn

from ..components.transitions import Transitions
from ..controllers.independent_controller import BasicMAC
from ..modules import alberdice as eqs
from ..modules.alberdice_kl import others_divergence
from ..modules.autoregressive import AutoregressiveNet
from ..modules.losses import behaviour_loss, log_policy, taken
from . import REGISTRY
from .base import Learner
from .settings import AlberdiceSettings


@REGISTRY.register("alberdice_learner")
class AlberdiceLearner(Learner):
    """Stationary-distribution correction for N policies that act independently.

    Agent i treats the others' current policies as part of its world, and changes the data's state
    distribution by a value nu_i (whose residual e_i is its advantage) and then its policy by the
    I-projection.  As in the paper the agents take turns: one agent's policy changes for ``turn``
    updates while everybody's values follow, then the next one's; Adam's momentum lets the others drift
    on a little, for about ten updates.  With ``turn=0`` all change at
    once, each in answer to the policies before the update, which is faster with many agents; but
    agents that stand alike then move alike, from AA to BB and back, and may never part.

    The data's conditional piD(a_-i | s, a_i) comes from one autoregressive joint law and the agents'
    marginals instead of a network per agent.  With ``critic_time`` nu also sees the time step.
    """

    args: AlberdiceSettings
    mac: BasicMAC

    def build(self) -> dict[str, nn.Module]:
        args, info = self.args, self.info
        self.joint = AutoregressiveNet(self.state_encoder.n_out, info.n_agents, info.n_actions, args.hidden_dim,
                                       args.n_layers)
        self.marginals, self.advantage = self.mac.rows(info.n_actions), self.state_rows(info.n_actions)
        self.value = self.state_rows(1, int(args.critic_time))
        return {"policy": self.mac.agent, "joint": self.joint, "marginals": self.marginals,
                "advantage": self.advantage, "value": self.value}

    @property
    def phase(self) -> str:
        return f"the turn of {self._turn}" if self._started else "before the policies"

    @property
    def _started(self) -> bool:
        """Whether policies learn: as long as nothing has been learned about them, most ratios would be useless."""
        return self.t_env >= self.args.policy_start * self.stage.length

    @property
    def _turn(self) -> int | None:
        """Whose policy changes; None: everybody's."""
        if not self._started or self.args.turn == 0:
            return None
        return self.t_env // self.args.turn % self.info.n_agents

    def numbers(self) -> dict[str, float]:
        args = self.args
        return {"alpha": eqs.alpha_at(self.stage.progress(self.t_env), args.alpha_start, args.alpha_end)}

    def losses(self, step: Transitions) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        args, state, alpha = self.args, step.state[:, None], self.number("alpha")
        log_joint = log_policy(self.joint(state, step.actions), step.available)  # [M, N, A]
        log_marginal = log_policy(self.marginals(step.inputs.detach()), step.available)
        log_pi, e_hat = log_policy(self.mac.agent(step.inputs), step.available), self.advantage(state)
        log_data, log_now = log_marginal.detach(), log_pi.detach()
        log_own = taken(log_data, step.actions)
        ratios = eqs.log_ratio(taken(log_now, step.actions), taken(log_joint.detach(), step.actions).sum(1),
                               log_own, args.ratio_clip)
        index = eqs.resampled(ratios) if self._started else self._every(ratios)
        divergence = others_divergence(self.joint, step.state, step.actions, step.available, log_now, log_own,
                                       args.kl_samples)
        seen = self.timed(step.state, step.time, args.critic_time)
        value = self.value(seen[:, None])[..., 0]  # [M, N]
        later = self.timed(step.next_state, step.time + 1, args.critic_time)
        ahead = self.value(later[:, None])[..., 0] * (1 - step.done[:, None])
        e = step.reward[:, None] - alpha * divergence + args.gamma * ahead - value
        flow = eqs.flow_loss(e, index, value, step.done.sum(), alpha, args.gamma)
        projection = eqs.projection_loss(log_pi, e_hat.detach() * self._started, log_data, index, alpha)
        losses = {
            "joint_loss": behaviour_loss(log_joint, step.actions),
            "marginal_loss": behaviour_loss(log_marginal, step.actions),
            "value_loss": flow.mean() + self._penalty(seen.detach()),
            "advantage_loss": eqs.fit_loss(e_hat, e.detach(), step.actions, index, log_data, step.available,
                                           args.caution).mean(),
            "policy_loss": (self._on_turn(projection) * projection).mean()}
        stats = {"divergence_mean": divergence.mean(), "effective_share": eqs.effective_share(ratios).mean(),
                 "alpha": alpha * th.ones_like(divergence[0, 0]), "value_mean": value.detach().mean()}
        return losses, stats

    def _on_turn(self, like: Tensor) -> Tensor:
        """Whose policies may change, 1.0 or 0.0, ``[N]`` as ``like``."""
        if self._turn is None:
            return th.ones_like(like)
        on_turn: Tensor = th.arange(len(like), device=like.device) == self._turn
        return on_turn.float()

    @staticmethod
    def _every(ratios: Tensor) -> Tensor:
        """Every step once for every agent, ``[M, N]``."""
        return th.arange(len(ratios), device=ratios.device)[:, None].expand_as(ratios)

    def _penalty(self, seen: Tensor) -> Tensor:
        """``slope_penalty`` times the mean steepness of nu between recorded states, one of each half of the batch."""
        if not self.args.slope_penalty:
            return seen.new_zeros(())
        half = (len(seen) + 1) // 2
        one, two = seen[:half], seen[-half:]
        slope = eqs.slope(self.value, two + th.rand(half, 1, device=seen.device) * (one - two))
        return self.args.slope_penalty * slope.mean()
