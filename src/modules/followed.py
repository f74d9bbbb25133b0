"""A network and its slowly moving target."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

Net = TypeVar("Net", bound=nn.Module)


class Followed(nn.Module, Generic[Net]):
    """``online``, which is trained, and ``target``, a copy without gradient that follows it.

    Calling it calls ``online``.  Every update moves all targets that are found in a learner's networks (config key
    ``target_update_interval_or_tau``); there is no other way to have a target network.
    """

    online: Net
    target: Net

    def __init__(self, online: Net) -> None:
        super().__init__()
        self.online = online
        self.target = copy.deepcopy(online).requires_grad_(False)

    def forward(self, *inputs: Any) -> Any:
        return self.online(*inputs)


def followed(nets: Iterable[nn.Module]) -> list[nn.Module]:
    """Every trained network in ``nets`` that has a target."""
    return [module.online for net in nets for module in net.modules() if isinstance(module, Followed)]


def target_pairs(nets: Iterable[nn.Module]) -> list[tuple[Tensor, Tensor]]:
    """Every target parameter in the networks, with the one that it follows."""
    followed = [module for net in nets for module in net.modules() if isinstance(module, Followed)]
    return [pair for module in followed
            for pair in zip(module.target.parameters(), module.online.parameters(), strict=True)]
