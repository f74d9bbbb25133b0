"""The encoder of agents without a memory."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from . import REGISTRY
from .base import Encoder


@REGISTRY.register("memoryless")
class Memoryless(Encoder):
    """Sees the present only, as it is or with each of its integer entries as a one-hot vector.

    Grid coordinates are names of places rather than quantities; networks tell them apart sooner
    when each value has its own input.  ``state_levels`` of 0 keeps what is seen; L > 0 expects integers in
    0 .. L - 1 (others are clipped).
    """

    exported = "memoryless"

    def build(self, n_seen: int, levels: int, hidden: int) -> None:
        self.levels = levels
        self.n_out = n_seen * max(1, levels)

    def forward(self, seen: Tensor) -> Tensor:
        """``[..., n_seen]`` to ``[..., F]``."""
        if not self.levels:
            return seen
        return F.one_hot(seen.round().long().clamp(0, self.levels - 1), self.levels).flatten(-2).to(seen.dtype)

    def step(self, seen: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        return self(seen), hidden
