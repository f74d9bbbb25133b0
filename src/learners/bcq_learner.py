"""Discrete batch-constrained Q-learning with mixed team values."""

from __future__ import annotations

import torch as th
from torch import Tensor, nn

from ..components.transitions import Transitions
from ..controllers.bcq_controller import BcqMAC
from ..modules.losses import behaviour_loss, log_policy
from . import REGISTRY
from .q_learner import QLearner
from .repeating import ALWAYS
from .settings import BcqSettings


@REGISTRY.register("bcq_learner")
class BcqLearner(QLearner):
    """Q-learning whose targets only take actions that an imitation of the data finds likely.

    Fujimoto et al. (2019), "Benchmarking batch deep reinforcement learning algorithms", for each
    agent: the same filter holds in the targets and when the team acts (see :class:`BcqMAC`).
    """

    args: BcqSettings
    mac: BcqMAC
    phase = ALWAYS

    def build(self) -> dict[str, nn.Module]:
        return {**super().build(), "imitation": self.mac.imitation}

    def next_allowed(self, step: Transitions) -> Tensor:
        allowed: Tensor = self.mac.allowed(self.mac.imitation(step.next_inputs), step.next_available)
        return allowed

    def further_losses(self, step: Transitions, q: Tensor, q_tot: Tensor, mixer_state: Tensor) -> dict[str, Tensor]:
        logits = self.mac.imitation(step.inputs)
        return {"imitation_loss": behaviour_loss(log_policy(logits, step.available), step.actions),
                "logit_loss": self.args.logit_weight * th.mean(logits**2)}
