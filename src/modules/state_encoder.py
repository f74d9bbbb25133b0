"""How a state vector enters the networks."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


class StateEncoder:
    """Leaves a state as it is, or writes each of its integer entries as a one-hot vector.

    Grid coordinates are names of places rather than quantities; networks tell them apart sooner
    when each value has its own input.

    Args:
        n_state: S, length of the raw state vector.
        levels: 0 keeps the state; L > 0 expects integers in 0 .. L - 1 (others are clipped).
    """

    def __init__(self, n_state: int, levels: int) -> None:
        self.levels = levels
        self.n_out = n_state * max(1, levels)

    def __call__(self, state: Tensor) -> Tensor:
        """``[..., S]`` to ``[..., S']`` with S' = ``n_out``."""
        if not self.levels:
            return state
        return F.one_hot(state.round().long().clamp(0, self.levels - 1), self.levels).flatten(-2).to(state.dtype)
