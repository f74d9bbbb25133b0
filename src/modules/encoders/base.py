"""The contract of encoders.

Whole episodes are encoded at once in training (:meth:`Encoder.forward`), single steps in play (:meth:`Encoder.step`);
both must give the same.  An encoder with a memory keeps it in a hidden state for each row of a batch, which its
controller holds (EPyMARL's ``init_hidden``).
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch as th
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Sight:
    """What an encoder is made for.

    Attributes:
        n_observed: entries of a raw state or observation.
        n_beside: columns behind them that are 0 or 1 (own last action, own number).
        levels: the config key ``state_levels``: 0 keeps what is observed as it is; with L > 0 each of its entries, an
            integer in 0 .. L - 1 (-1, nothing there, counts as 0), becomes a one-hot vector.
        n_agents: N.
    """

    n_observed: int
    n_beside: int = 0
    levels: int = 0
    n_agents: int = 1

    @property
    def n_spread(self) -> int:
        """Length of what :meth:`spread` makes."""
        return self.n_observed * max(1, self.levels) + self.n_beside

    def spread(self, seen: Tensor) -> Tensor:
        """``[..., n_observed + n_beside]`` to ``[..., n_spread]``.

        Grid coordinates are names of places rather than quantities; networks tell them apart sooner when each value
        has its own input.
        """
        if not self.levels:
            return seen
        observed, beside = seen[..., : self.n_observed], seen[..., self.n_observed:]
        places = observed.round().long().clamp(0, self.levels - 1)
        spread = F.one_hot(places, self.levels).flatten(-2).to(seen.dtype)
        return th.cat([spread, beside], -1) if self.n_beside else spread


class Encoder(nn.Module):
    """Base of all encoders.

    Args:
        sight: what is seen; ``n_seen`` below is its ``n_observed + n_beside``.
        hidden: the config key ``hidden_dim``.

    Attributes:
        sight: as given.
        n_out: F, length of the features made of it.
        n_hidden: H, length of the hidden state of one row and agent; 0 without memory.
        one_each: whether every agent has networks of its own, so that its features are its own, too (G is N).
        exported: name of its counterpart in ``deploy/sight.py``, by which exported agents see.
    """

    n_out: int
    n_hidden: int = 0
    one_each: ClassVar[bool] = False
    exported: ClassVar[str] = ""

    def __init__(self, sight: Sight, hidden: int) -> None:
        super().__init__()
        self.sight = sight
        self.build(sight, hidden)

    @abstractmethod
    def build(self, sight: Sight, hidden: int) -> None:
        """Sets the sizes and makes the networks, if any."""

    @abstractmethod
    def forward(self, seen: Tensor) -> Tensor:
        """Whole episodes ``[B, T, G, n_seen]`` to features ``[B, T, G, F]``; what is seen later changes nothing."""

    @abstractmethod
    def step(self, seen: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """One step ``[B, G, n_seen]`` with hidden states ``[B, G, H]`` to features ``[B, G, F]`` and new states."""

    def init_hidden(self, seen: Tensor) -> Tensor:
        """Hidden states ``[B, G, H]`` of episodes that begin, for what is seen, ``[B, G, n_seen]``."""
        group = self.sight.n_agents if self.one_each else seen.shape[1]
        return seen.new_zeros(len(seen), group, self.n_hidden)

    def arrays_of(self, agent: int) -> dict[str, Tensor]:
        """What one agent needs of the parameters to see on its own, by the names of the counterpart."""
        return {name: value.detach() for name, value in self.state_dict().items()}
