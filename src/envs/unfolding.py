"""How a game is unfolded into all that can happen, for exact values of teams that draw nothing."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class Rows(NamedTuple):
    """What a team can have come to at one time, each with its own row.

    Attributes:
        state: a state that shows the team what it sees there, ``[R, K]``.
        law: how likely the row is together with what the team cannot tell apart, ``[R, ...]``; all sum to 1.
        parent: the row that it came from one step before, ``[R]``.
    """

    state: NDArray[np.int64]
    law: NDArray[np.float64]
    parent: NDArray[np.int64]


class Unfolding(Protocol):
    """All that can happen in a game."""

    def begin(self) -> Rows:
        """The rows before the first action."""

    def step(self, rows: Rows, actions: NDArray[np.int64], most: int) -> tuple[float, Rows | None]:
        """Plays the joint actions ``[R, N]``.

        Returns:
            What the step pays on average, and the rows after it; None where these are more than ``most``.
        """
