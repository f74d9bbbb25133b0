"""Discrete batch-constrained Q-learning with mixed team values."""

from __future__ import annotations

from typing import ClassVar

import torch as th
from torch import Tensor, nn

from ..components.transitions import Transitions
from ..config.schema import Key
from ..modules.losses import behaviour_loss, log_policy
from . import REGISTRY
from .q_learner import QLearner


@REGISTRY.register("bcq_learner")
class BcqLearner(QLearner):
    """Q-learning whose targets only take actions that an imitation of the data finds likely; needs ``bcq_mac``.

    Fujimoto et al. (2019), "Benchmarking batch deep reinforcement learning algorithms", for each
    agent: the same filter holds in the targets and when the team acts (see :class:`BcqMAC`).
    """

    KEYS: ClassVar[dict[str, Key]] = {**QLearner.KEYS, "logit_weight": Key(float, low=0.0)}

    def build(self) -> dict[str, nn.Module]:
        return {**super().build(), "imitation": self.mac.imitation}

    def next_allowed(self, step: Transitions) -> Tensor:
        allowed: Tensor = self.mac.allowed(self.mac.imitation(step.next_state[:, None]), step.next_available)
        return allowed

    def further_losses(self, step: Transitions, q: Tensor, q_tot: Tensor, mixer_state: Tensor) -> dict[str, Tensor]:
        logits = self.mac.imitation(step.state[:, None])
        return {"imitation_loss": behaviour_loss(log_policy(logits, step.available), step.actions),
                "logit_loss": self.args.logit_weight * th.mean(logits**2)}
