"""The encoder of agents without a memory (``use_rnn=false``)."""

from __future__ import annotations

from torch import Tensor

from .base import Encoder, Sight


class Memoryless(Encoder):
    """Sees the present only, as it is or with each of its integer entries as a one-hot vector."""

    exported = "memoryless"

    def build(self, sight: Sight, hidden: int) -> None:
        self.n_out = sight.n_spread

    def forward(self, seen: Tensor) -> Tensor:
        """``[..., n_seen]`` to ``[..., F]``."""
        return self.sight.spread(seen)

    def step(self, seen: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        return self(seen), hidden
