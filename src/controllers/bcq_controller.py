"""The controller of batch-constrained Q-learning: the best of those actions that the data hold."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from ..components.action_selectors import masked_logits
from ..modules.losses import log_policy
from . import REGISTRY
from .base import Controller
from .independent_controller import ValueMAC
from .settings import FilterSettings


@REGISTRY.register("bcq_mac")
class BcqMAC(ValueMAC):
    """Values of actions, and a network per agent that imitates the data and decides which of them may be taken.

    An action passes if its imitated probability is at least ``bcq_threshold`` of the most likely
    one's (Fujimoto et al., 2019).  The filter looks at each agent by itself, so joint actions that
    nobody played pass it wherever their parts do.

    Attributes:
        imitation: inputs ``[B, G, F]`` to logits ``[B, N, A]``.
    """

    args: FilterSettings

    def build(self) -> None:
        self.imitation = self.rows(self.info.n_actions)
        super().build()

    def allowed(self, imitated: Tensor, available: Tensor) -> Tensor:
        """Which actions pass, bool ``[B, N, A]``; of the available ones at least the most likely.

        Args:
            imitated: logits ``[B, N, A]``.
            available: bool ``[B, N, A]``.
        """
        log_g = log_policy(imitated, available)
        least = math.log(max(self.args.bcq_threshold, 1e-30))
        # Where nothing is available (padding) all are equally likely, and none passes.
        return available & (log_g - log_g.amax(-1, keepdim=True) >= least)

    def values(self, inputs: Tensor, available: Tensor) -> Tensor:
        """Values ``[B, N, A]``; those of actions that do not pass are the lowest there are."""
        if self.args.filter_actions:
            available = self.allowed(self.imitation(inputs), available)
        return masked_logits(self.agent(inputs), available)

    def parameters(self) -> Iterable[nn.Parameter]:
        return [*super().parameters(), *self.imitation.parameters()]

    def load_state(self, other_mac: Controller) -> None:
        super().load_state(other_mac)
        assert isinstance(other_mac, BcqMAC)
        self.imitation.load_state_dict(other_mac.imitation.state_dict())

    def cuda(self) -> None:
        super().cuda()
        self.imitation.cuda()

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "imitation": self.imitation.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.imitation.load_state_dict(state["imitation"])
