"""The controller of agents that hold values of their actions and never explore."""

from __future__ import annotations

from torch import Tensor

from . import REGISTRY
from .basic_controller import BasicMAC


@REGISTRY.register("greedy_mac")
class GreedyMAC(BasicMAC):
    """Every agent takes its best available action, whatever the mode: for values learned from recorded data."""

    def choose(self, values: Tensor, available: Tensor, t_env: int, test_mode: bool) -> Tensor:
        return values.argmax(-1)
