"""A network and its slowly moving target."""

from __future__ import annotations

import copy
from typing import Any

import torch as th
from torch import nn


class Followed(nn.Module):
    """``online``, which is trained, and ``target``, a copy without gradient that follows it.

    Calling it calls ``online``.  Learners move all targets after every update (config key
    ``target_update_interval_or_tau``).
    """

    def __init__(self, online: nn.Module) -> None:
        super().__init__()
        self.online = online
        self.target = copy.deepcopy(online).requires_grad_(False)

    def forward(self, *args: Any) -> Any:
        return self.online(*args)

    @th.no_grad()
    def update_targets(self, tau: float) -> None:
        """Moves the target the share ``tau`` of the way."""
        th._foreach_lerp_(list(self.target.parameters()), list(self.online.parameters()), tau)
