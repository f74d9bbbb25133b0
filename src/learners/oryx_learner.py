"""Sequential implicit-constraint Q-learning in the manner of Oryx (Formanek et al., 2025)."""

from __future__ import annotations

import torch as th
from torch import Tensor, nn

from ..components.transitions import Transitions
from ..controllers.ar_controller import AutoregressiveMAC
from ..modules.autoregressive import AutoregressiveNet
from ..modules.followed import Followed
from ..modules.losses import batch_target_weight, log_policy, normalised, taken
from . import REGISTRY
from .base import Learner
from .repeating import ALWAYS
from .settings import OryxSettings


@REGISTRY.register("oryx_learner")
class OryxLearner(Learner):
    """Every agent's value of its action given the earlier ones is that of the team.

    No mixer: each q_i(s, a_<i, .) regresses on the team's target, and each policy is cloned with a
    softmax of its advantages over the batch.  The order of the agents is drawn anew for every
    update; tests walk in the order of the numbers.  The official networks are a sequence model for
    long histories; ours are those of all methods here, which suits games whose state is seen.
    """

    args: OryxSettings
    mac: AutoregressiveMAC
    phase = ALWAYS

    def build(self) -> dict[str, nn.Module]:
        args, info = self.args, self.info
        self.q = Followed(AutoregressiveNet(self.state_encoder.n_out + args.critic_time, info.n_agents, info.n_actions,
                                            args.hidden_dim, args.n_layers))
        return {"policy": self.mac.agent, "q": self.q}

    def losses(self, step: Transitions) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        now = self.timed(step.state, step.time, self.args.critic_time)[:, None]
        then = self.timed(step.lagged.next_state, step.time + 1, self.args.critic_time)[:, None]
        turn = th.rand(self.info.n_agents, device=now.device)
        before = (turn[:, None] > turn[None]).to(now.dtype)  # [i, j]: j acts before i
        log_pi = log_policy(self.mac.agent(step.inputs, step.actions, before), step.available)
        q = self.q.online(now, step.actions, before)  # [M, N, A]
        with th.no_grad():
            ahead = taken(self.q.target(then, step.next_actions, before), step.next_actions)  # [M, N]
            follows = (step.next_played * (1 - step.done))[:, None]
            rho = batch_target_weight(ahead, follows, self.args.alpha_q)
            goal = step.reward[:, None] + self.args.gamma * rho * ahead
            advantage = taken(q, step.actions) - (log_pi.exp() * q).sum(-1)
            if self.args.normalise_advantage:
                advantage = normalised(advantage)
            weight = (advantage / self.args.alpha).softmax(0) * len(advantage)
        # Where an episode was cut off nobody recorded what came next.
        known = th.maximum(step.done, step.next_played)[:, None].expand_as(goal)
        error = taken(q, step.actions) - goal
        return ({"critic_loss": 0.5 * (known * error.square()).sum() / known.sum().clamp(min=1.0),
                 "policy_loss": -(weight * taken(log_pi, step.actions)).mean()},
                {"weight_max": weight.amax(), "advantage_std": advantage.std(correction=0)})
