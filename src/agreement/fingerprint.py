"""Short numbers that tell states apart."""

from __future__ import annotations

import math

import numpy as np
import torch as th
from torch import Tensor

LANES = 4
EXACT = 53  # bits of a whole number that a double holds


class Fingerprint:
    """32 bytes for each state and mask, equal for equal ones.

    In each lane, the 16-bit pieces of a state and the bits of its mask are multiplied by fixed random whole numbers
    below 2^b and summed.  Sums stay exact in doubles, so neither the order nor the machine matters; of two that differ,
    at most one of the 2^b values of a factor makes a lane agree.  With states of 200 numbers b is 28: two states are
    taken for one with a probability of 2^-112.
    """

    def __init__(self) -> None:
        self._factors = th.empty(0, LANES, dtype=th.double)

    def __call__(self, state: Tensor, available: Tensor) -> list[bytes]:
        """Of states ``[M, S]`` with masks ``[M, N, A]``."""
        pieces = (state + 0.0).contiguous().view(th.int16)  # -0.0 becomes 0.0
        masks = available.bool().flatten(1)
        factors = self._of_length(pieces.shape[1] + masks.shape[1]).to(state.device)
        sums = pieces.double() @ factors[: pieces.shape[1]] + masks.double() @ factors[pieces.shape[1]:]
        found: list[bytes] = (sums + 0.0).cpu().numpy().view(f"S{8 * LANES}").ravel().tolist()
        return found

    def _of_length(self, length: int) -> Tensor:
        """Factors ``[length, LANES]``, always the same."""
        if len(self._factors) != length:
            bits = EXACT - 15 - math.ceil(math.log2(length))
            drawn = np.random.default_rng(length).integers(0, 2**bits, (length, LANES))
            self._factors = th.from_numpy(drawn.astype(np.float64))
        return self._factors
