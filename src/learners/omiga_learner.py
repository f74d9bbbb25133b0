"""OMIGA (Wang et al., 2023): implicit global-to-local value regularisation."""

from __future__ import annotations

import torch as th
from torch import Tensor, nn

from ..components.transitions import Transitions
from ..controllers.independent_controller import BasicMAC
from ..modules.followed import Followed
from ..modules.losses import log_policy, taken
from ..modules.mixers import LinearMixer, Utilities
from . import REGISTRY
from .base import Learner
from .repeating import ALWAYS
from .settings import OmigaSettings

LIMIT = 10.0  # of the exponents


@REGISTRY.register("omiga_learner")
class OmigaLearner(Learner):
    """In-sample values by an exponential regression, one per agent, and weighted cloning.

    w_i V_i is the soft maximum of w_i Q_i over the data with temperature ``alpha``, the team's target
    r + gamma (sum w_i V_i + b)(s'), and each policy is cloned with weights exp((w_i Q_i - w_i V_i) / alpha).
    With ``critic_time`` all values see the time step.  Exponents end at 10 as in the official code, but in the
    regression the exponential goes on as a straight line: cut off, it would have no slope where V_i is far too low
    and leave it there.
    """

    args: OmigaSettings
    mac: BasicMAC
    phase = ALWAYS

    def build(self) -> dict[str, nn.Module]:
        args, info, time = self.args, self.info, int(self.args.critic_time)
        mixer = LinearMixer(self.state_encoder.n_out + time, info.n_agents, args.hidden_dim)
        self.critic = Followed(Utilities(self.state_rows(info.n_actions, time), mixer))
        self.value = Followed(self.state_rows(1, time))
        return {"policy": self.mac.agent, "critic": self.critic, "value": self.value}

    def losses(self, step: Transitions) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        alpha, with_time = self.args.alpha, self.args.critic_time
        log_pi = log_policy(self.mac.agent(step.inputs), step.available)
        now = self.timed(step.state, step.time, with_time)
        steady = self.timed(step.lagged.state, step.time, with_time)
        then = self.timed(step.lagged.next_state, step.time + 1, with_time)
        q, w, b = self.critic(now)
        value = self.value(now[:, None])[..., 0]  # [M, N]
        with th.no_grad():
            steady_q, steady_w, _ = self.critic.target(steady)
            _, next_w, next_b = self.critic.target(then)
            next_value = self.value.target(then[:, None])[..., 0]
            goal = step.reward + self.args.gamma * (1 - step.done) * ((next_w * next_value).sum(1) + next_b)
        error = (w * taken(q, step.actions)).sum(1) + b - goal
        z = steady_w * (taken(steady_q, step.actions) - value) / alpha  # [M, N]
        cut = z.clamp(max=LIMIT)
        # As in the official code, divided by the batch's largest exponential, so that Adam sees moderate numbers.
        top = cut.detach().amax().clamp(min=-1.0)
        growth = (cut - top).exp() + (z - cut) * (cut.detach() - top).exp()
        value_loss = (growth + (-top).exp() * steady_w * value / alpha).mean()
        weight = cut.detach().exp()
        return ({"critic_loss": error.square().mean(), "value_loss": value_loss,
                 "policy_loss": -(weight * taken(log_pi, step.actions)).mean()},
                {"weight_mean": weight.mean(), "weight_max": weight.amax(), "cut_share": (z > LIMIT).float().mean()})
