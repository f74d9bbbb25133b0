"""The agreement key: random numbers that a team shares without a word, and how they mean an entry of the pool.

This file needs NumPy and nothing else; exported agents take it along.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.random import Philox
from numpy.typing import NDArray


class PolicyError(Exception):
    """What is wrong and what to do about it, in a sentence."""


class AgreementKey:
    """The numbers that the team shares: a function of seed, episode and step, and of nothing else.

    It is counted, not drawn in sequence (Philox, Salmon et al. 2011), so it does not matter who asks
    for which key, how often, and in what order.

    Args:
        seed: the same for all agents.
        per: ``step`` for a new key in every step, ``episode`` for one that holds for the episode.

    Raises:
        PolicyError: the seed is no whole number in 0 .. 2^128 - 1, or ``per`` is another word.
    """

    def __init__(self, seed: int, per: str = "step") -> None:
        if not isinstance(seed, int | np.integer) or not 0 <= seed < 2**128:
            raise PolicyError(f"the agents' shared seed must be a whole number from 0 to 2^128 - 1, not {seed!r}.")
        if per not in ("step", "episode"):
            raise PolicyError(f"a new agreement key comes per step or per episode, not per '{per}'.")
        self.per = per
        self._philox = Philox(key=seed)
        self._start = self._philox.state

    def draw(self, episodes: Sequence[int], step: int, size: int) -> NDArray[np.float64]:
        """Keys ``[B, size]`` of B episodes at a step, uniform in (0, 1).

        Raises:
            PolicyError: steps or episodes that are not whole numbers in 0 .. 2^64 - 1.
        """
        for place in (step, *episodes):
            if not isinstance(place, int | np.integer) or not 0 <= place < 2**64:
                raise PolicyError(f"steps and episodes are whole numbers counted from 0, not {place!r}.")
        bits = np.zeros((len(episodes), size), dtype=np.uint64)
        for row, episode in enumerate(episodes):
            self._start["state"]["counter"][:] = (0, 0, 0 if self.per == "episode" else step, episode)
            self._philox.state = self._start
            bits[row] = self._philox.random_raw(size)
        return ((bits >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52

    def commitment(self) -> str:
        """Equal for equal seeds (and ``per``); a check, not a secret: who tries small seeds finds them."""
        return hashlib.sha256(self.draw([2**40], 2**40, 64).tobytes()).hexdigest()


def gaussian(uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard normal numbers ``[B, n]`` from uniform ones ``[B, 2 n]`` (Box and Muller)."""
    u, v = np.split(uniform, 2, axis=1)
    normal: NDArray[np.float64] = np.sqrt(-2.0 * np.log(u)) * np.cos(2.0 * np.pi * v)
    return normal


def pick(shares: NDArray[np.float64], uniform: NDArray[np.float64]) -> NDArray[np.int64]:
    """The entry ``[B]`` at which the cumulated shares ``[B, c]`` pass the key ``[B]``: the inverse CDF."""
    edges = shares.cumsum(1)
    index = (edges <= uniform[:, None] * edges[:, -1:]).sum(1)
    last = shares.shape[1] - 1 - (shares[:, ::-1] > 0).argmax(1)  # rounding can put the key on the last edge
    chosen: NDArray[np.int64] = np.minimum(index, last)
    return chosen
