"""What a way to evaluate teams from recorded data says of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Estimate:
    """Of K teams, in the game's units of reward.

    Attributes:
        value: mean estimated return from the recorded first states, ``[K]``.
        error: standard error of that, as far as the data do not settle it, ``[K]``.
        start_error: the part that comes from how few first states were recorded, much the same for all teams, ``[K]``.
        unseen: share of recorded steps at whose state the team plays what the data hardly hold, ``[K]``.
        gamma: discount of the values.
        way: ``table`` or ``networks``.
        facts: what else there is to tell of the way, plain JSON.
        members: value by each of E networks ``[E, K]``; None where there are none.
    """

    value: NDArray[np.float64]
    error: NDArray[np.float64]
    start_error: NDArray[np.float64]
    unseen: NDArray[np.float64]
    gamma: float
    way: str
    facts: dict[str, int]
    members: NDArray[np.float64] | None = None

    def better_by(self, team: int, caution: float) -> NDArray[np.float64]:
        """How much better than one team each may be: the difference and ``caution`` times its standard error, ``[K]``.
        """
        if self.members is not None:
            apart = self.members - self.members[:, team, None]
            return np.asarray(apart.mean(0) + caution * apart.std(0, ddof=1 if len(apart) > 1 else 0))
        error = np.where(np.arange(len(self.value)) == team, 0.0, np.hypot(self.error, self.error[team]))
        return np.asarray(self.value - self.value[team] + caution * error)
