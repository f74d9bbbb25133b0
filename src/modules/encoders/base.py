"""The contract of encoders.

Whole episodes are encoded at once in training (:meth:`Encoder.forward`), single steps in play (:meth:`Encoder.step`);
both must give the same.  An encoder with a memory keeps it in a hidden state for each row of a batch, which its
controller holds (EPyMARL's ``init_hidden``).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from torch import Tensor, nn


class Encoder(nn.Module):
    """Base of all encoders.

    Args:
        n_seen: length of what is seen, a raw state or observation.
        levels: the config key ``state_levels``.
        hidden: the config key ``hidden_dim``.

    Attributes:
        n_out: F, length of the features made of it.
        n_hidden: H, length of the hidden state of one row and agent; 0 without memory.
        exported: name of its counterpart in ``deploy/policy.py``, by which exported agents see.
    """

    n_out: int
    n_hidden: int = 0
    exported: ClassVar[str] = ""

    def __init__(self, n_seen: int, levels: int, hidden: int) -> None:
        super().__init__()
        self.build(n_seen, levels, hidden)

    @abstractmethod
    def build(self, n_seen: int, levels: int, hidden: int) -> None:
        """Sets the sizes and makes the networks, if any."""

    @abstractmethod
    def forward(self, seen: Tensor) -> Tensor:
        """Whole episodes ``[B, T, G, n_seen]`` to features ``[B, T, G, F]``; what is seen later changes nothing."""

    @abstractmethod
    def step(self, seen: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """One step ``[B, G, n_seen]`` with hidden states ``[B, G, H]`` to features ``[B, G, F]`` and new states."""

    def init_hidden(self, seen: Tensor) -> Tensor:
        """Hidden states ``[B, G, H]`` of episodes that begin, for what is seen, ``[B, G, n_seen]``."""
        return seen.new_zeros(*seen.shape[:2], self.n_hidden)
