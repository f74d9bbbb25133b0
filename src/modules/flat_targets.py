"""Target networks that follow in few operations, where what they follow lies in one buffer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch as th
from torch import Tensor

from .flat_adam import FlatAdam


class FlatTargets:
    """Target parameters, as views of buffers that follow parts of the networks' own.

    Args:
        pairs: every target parameter with the one that it follows; one whose original is in no network follows by
            itself.
        networks: where the originals are.

    Attributes:
        layout: another number whenever the targets may lie elsewhere than before.
    """

    def __init__(self, pairs: Sequence[tuple[Tensor, Tensor]], networks: Sequence[FlatAdam]) -> None:
        places = {id(param): (network, *span) for network in networks
                  for param, span in zip(network.params, network.spans, strict=True)}
        self._runs: list[_Run] = []
        self.layout = 0
        self._single = [(target, online) for target, online in pairs if id(online) not in places]
        for target, online in pairs:
            if id(online) not in places:
                continue
            network, begin, end = places[id(online)]
            last = self._runs[-1] if self._runs else None
            if last is None or last.network is not network or last.end != begin:
                self._runs.append(last := _Run(network, begin, begin, []))
            last.targets.append(target)
            last.end = end

    @th.no_grad()
    def bind(self) -> None:
        """Makes the targets views of their buffers; the networks are bound."""
        for run in self._runs:
            self.layout += run.bind()

    @th.no_grad()
    def follow(self, share: float | Tensor) -> None:
        """Moves the targets a share of the way; the networks are bound."""
        for target, online in self._single:
            target.lerp_(online, share)
        self.bind()
        for run in self._runs:
            run.values.lerp_(run.online, share)


@dataclass
class _Run:
    """Targets whose originals are neighbours in a network.

    Attributes:
        begin, end: where the originals are in the network's buffer.
        values, online: the targets and the originals, ``[(E,) P']``.
        places: where the targets lay when they were bound.
        whole: the network's buffer then.
    """

    network: FlatAdam
    begin: int
    end: int
    targets: list[Tensor]
    values: Tensor = field(default_factory=lambda: th.empty(0))
    online: Tensor = field(default_factory=lambda: th.empty(0))
    places: list[int] = field(default_factory=list)
    whole: Tensor | None = None

    def bind(self) -> bool:
        """Makes the targets views of ``values``, if they are not; returns whether something lies elsewhere now."""
        if moved := self.whole is not self.network.values:
            self.whole = self.network.values
            self.online = self.whole[..., self.begin:self.end]
        if [target.data_ptr() for target in self.targets] == self.places:
            return moved
        lead = self.online.shape[:-1]
        self.values = th.cat([target.detach().reshape(*lead, -1) for target in self.targets], -1)
        at = 0
        for target in self.targets:
            width = target.numel() // max(1, lead.numel())
            target.data = self.values[..., at:at + width].view(target.shape)
            at += width
        self.places = [target.data_ptr() for target in self.targets]
        return True
