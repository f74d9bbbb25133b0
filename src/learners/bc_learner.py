"""Behaviour cloning of every agent by itself."""

from __future__ import annotations

from torch import Tensor, nn

from ..components.transitions import Transitions
from ..controllers.independent_controller import BasicMAC
from ..modules.losses import behaviour_loss, log_policy
from ..settings import Settings
from . import REGISTRY
from .base import Learner
from .repeating import ALWAYS


@REGISTRY.register("bc_learner")
class BcLearner(Learner):
    """Maximum likelihood of each agent's recorded actions, as if they were independent.

    Its policy is the product of the data's marginals, which is where policy mismatch comes from.
    """

    mac: BasicMAC
    outcomes = rewarded = False
    phase = ALWAYS

    @classmethod
    def reads_critic_input(cls, args: Settings) -> bool:
        return False

    def build(self) -> dict[str, nn.Module]:
        return {"policy": self.mac.agent}

    def losses(self, step: Transitions) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        logits = self.mac.agent(step.inputs)
        return {"policy_loss": behaviour_loss(log_policy(logits, step.available), step.actions)}, {}
