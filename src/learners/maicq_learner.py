"""MAICQ (Yang et al., 2021): implicit-constraint Q-learning with independent policies."""

from __future__ import annotations

import torch as th
from torch import Tensor, nn

from ..components.returns import lambda_returns
from ..components.transitions import Transitions
from ..controllers.independent_controller import BasicMAC
from ..modules.followed import Followed
from ..modules.losses import batch_target_weight, log_policy, normalised, taken
from ..modules.mixers import LinearMixer, Utilities
from . import REGISTRY
from .base import Learner
from .repeating import ALWAYS
from .settings import MaicqSettings


@REGISTRY.register("maicq_learner")
class MaicqLearner(Learner):
    """SARSA(lambda) values and advantage-weighted cloning, agent by agent.

    As in the official code: the critic's importance weight is a softmax over the batch with a
    temperature (``alpha_q``) so large that it is 1 to three digits, the mixer's weights sum to 1,
    advantages are taken over the learned policy, and the policy's weights are a softmax of the
    advantages / ``alpha`` over the episodes of the batch, for every time and agent apart
    (``softmax_over=time``).  Where values differ between states, such a softmax prefers states to
    actions; ``softmax_over=batch`` with ``normalise_advantage`` is the milder form.

    Unlike there, the critic sees the time step if ``critic_time``, as those of all methods here, does
    not duel and shares Adam, soft target updates and batch sizes with the other methods; tests act
    greedily, so there is no floor of exploration.
    """

    args: MaicqSettings
    mac: BasicMAC
    phase = ALWAYS

    def build(self) -> dict[str, nn.Module]:
        args, info = self.args, self.info
        mixer = LinearMixer(self.state_encoder.n_out + args.critic_time, info.n_agents, args.hidden_dim, convex=True)
        self.critic = Followed(Utilities(self.state_rows(info.n_actions, args.critic_time), mixer))
        return {"policy": self.mac.agent, "critic": self.critic}

    def losses(self, step: Transitions) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        log_pi = log_policy(self.mac.agent(step.inputs), step.available)
        q, w, b = self.critic(self.timed(step.state, step.time, self.args.critic_time))
        goal, known = self._goal(step)
        error = (w * taken(q, step.actions)).sum(1) + b - goal
        with th.no_grad():
            advantage = taken(q, step.actions) - (log_pi.exp() * q).sum(-1)  # [M, N]
            weight = self._weight(advantage, step)
        return ({"critic_loss": (known * error.square()).sum() / known.sum().clamp(min=1.0),
                 "policy_loss": -(w.detach() * weight * taken(log_pi, step.actions)).sum(1).mean()},
                {"weight_max": weight.amax(), "advantage_std": advantage.std(correction=0)})

    @th.no_grad()
    def _goal(self, step: Transitions) -> tuple[Tensor, Tensor]:
        """Regression targets ``[M]`` and where they are known, ``[M]``."""
        q, w, b = self.critic.target(self.timed(step.lagged.next_state, step.time + 1, self.args.critic_time))
        q_tot = (w * taken(q, step.next_actions)).sum(1) + b
        follows = step.next_played * (1 - step.done)
        rho = batch_target_weight(q_tot, follows, self.args.alpha_q)
        # Where an episode was cut off nobody recorded what came next; the policy's own choice stands in.
        log_pi = log_policy(self.mac.agent(step.next_inputs), step.next_available)
        expected = (w * (log_pi.exp() * q).sum(-1)).sum(1) + b
        ahead = th.where(follows > 0, rho * q_tot, expected)
        goal = lambda_returns(step, ahead, self.args.gamma, self.args.td_lambda, self.info.episode_limit,
                              self.args.batch_size)
        return goal, th.maximum(step.done, step.next_played)

    def _weight(self, advantage: Tensor, step: Transitions) -> Tensor:
        """Softmax of the advantages ``[M, N]``, rescaled to mean 1 over what it was taken over."""
        if self.args.normalise_advantage:
            advantage = normalised(advantage)
        z = advantage / self.args.alpha
        if self.args.softmax_over == "batch":
            even: Tensor = z.softmax(0) * len(z)
            return even
        episodes, horizon = self.args.batch_size, self.info.episode_limit
        place = (step.episode * horizon + step.time)[:, None].expand_as(z)
        missing = th.finfo(z.dtype).min
        table = z.new_full((episodes * horizon, z.shape[1]), missing).scatter(0, place, z)
        table = table.view(episodes, horizon, -1)
        count = (table > missing).sum(0)
        weight: Tensor = (table.softmax(0) * count).flatten(0, 1).gather(0, place)
        return weight
