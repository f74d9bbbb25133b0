"""OMIGA (Wang et al., 2023): implicit global-to-local value regularisation."""

from __future__ import annotations

from typing import ClassVar

import torch as th
from torch import Tensor, nn

from ..components.transitions import Transitions
from ..config.schema import FLAG, Key
from ..modules.followed import Followed
from ..modules.losses import log_policy, taken
from ..modules.mixers import LinearMixer
from . import REGISTRY
from .base import Learner

LIMIT = 10.0  # of the exponents


class LocalValues(nn.Module):
    """Q_i(s, a_i), V_i(s) and the positive weights and bias that add them up to the team's."""

    def __init__(self, q: nn.Module, value: nn.Module, mixer: LinearMixer) -> None:
        super().__init__()
        self.q, self.value, self.mixer = q, value, mixer

    def forward(self, state: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What critics see of states, ``[M, S]``, to Q_i ``[M, N, A]``, V_i ``[M, N]``, w ``[M, N]`` and b ``[M]``."""
        rows = state[:, None]
        return self.q(rows), self.value(rows)[..., 0], *self.mixer(state)


@REGISTRY.register("omiga_learner")
class OmigaLearner(Learner):
    """In-sample values by an exponential regression, one per agent, and weighted cloning; needs ``basic_mac``.

    w_i V_i is the soft maximum of w_i Q_i over the data with temperature ``alpha``, the team's target
    r + gamma (sum w_i V_i + b)(s'), and each policy is cloned with weights exp((w_i Q_i - w_i V_i) / alpha).
    With ``critic_time`` all values see the time step.
    """

    KEYS: ClassVar[dict[str, Key]] = {"alpha": Key(float, low=1e-6), "critic_time": FLAG}

    def build(self) -> dict[str, nn.Module]:
        args, mac = self.args, self.mac
        time = int(args.critic_time)
        mixer = LinearMixer(mac.encoder.n_out + time, args.n_agents, args.hidden_dim)
        self.critic = Followed(LocalValues(mac.rows(args.n_actions, time), mac.rows(1, time), mixer))
        return {"policy": mac.agent, "critic": self.critic}

    def losses(self, step: Transitions) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        state = self.mac.encoder(step.state)
        log_pi = log_policy(self.mac.agent(state[:, None]), step.available)
        now, then = self.timed(state, step.time), self.timed(self.mac.encoder(step.next_state), step.time + 1)
        q, value, w, b = self.critic(now)
        with th.no_grad():
            steady_q, _, steady_w, _ = self.critic.target(now)
            _, next_value, next_w, next_b = self.critic.target(then)
            goal = step.reward + self.args.gamma * (1 - step.done) * ((next_w * next_value).sum(1) + next_b)
        error = (w * taken(q, step.actions)).sum(1) + b - goal
        z = (steady_w * (taken(steady_q, step.actions) - value) / self.args.alpha).clamp(-LIMIT, LIMIT)  # [M, N]
        top = z.detach().amax().clamp(min=-1.0)  # keeps the exponentials small; scales the loss, nothing else
        value_loss = ((z - top).exp() + (-top).exp() * steady_w * value / self.args.alpha).mean()
        weight = z.detach().exp()
        return ({"critic_loss": error.square().mean(), "value_loss": value_loss,
                 "policy_loss": -(weight * taken(log_pi, step.actions)).mean()},
                {"weight_mean": weight.mean(), "weight_max": weight.amax()})
