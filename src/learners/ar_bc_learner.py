"""Autoregressive behaviour cloning: CPA's teacher without values, as an ablation.

It imitates the joint behaviour faithfully, good and bad alike, so it cures mismatch only where the
data hold nothing but optimal joint actions.
"""

from __future__ import annotations

from torch import Tensor, nn

from ..components.transitions import Transitions
from ..controllers.ar_controller import AutoregressiveMAC
from ..modules.losses import behaviour_loss, log_policy
from ..settings import Settings
from . import REGISTRY
from .base import Learner
from .repeating import ALWAYS


@REGISTRY.register("ar_bc_learner")
class ArBcLearner(Learner):
    """Maximum likelihood of the recorded joint actions under Eq. 4's factorisation."""

    mac: AutoregressiveMAC
    outcomes = rewarded = False
    phase = ALWAYS

    @classmethod
    def reads_critic_input(cls, args: Settings) -> bool:
        return False

    def build(self) -> dict[str, nn.Module]:
        return {"policy": self.mac.agent}

    def losses(self, step: Transitions) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        logits = self.mac.agent(step.inputs, step.actions)
        return {"policy_loss": behaviour_loss(log_policy(logits, step.available), step.actions)}, {}
