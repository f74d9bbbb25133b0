"""When a team's episode is over, if each agent ends by itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def flags_of(given: ArrayLike) -> NDArray[np.bool_]:
    """Truth values, or zeros and ones, as an array.

    Raises:
        ValueError: they are something else, such as a text or a dict, all of which Python takes for true.
    """
    flags = np.asarray(given)
    if flags.dtype.kind not in "biuf" or not ((flags == 0) | (flags == 1)).all():
        raise ValueError
    return flags.astype(np.bool_)


class TeamEnds:
    """Watches the flags of one episode: it is over as soon as every agent has terminated or been truncated.

    It makes no difference whether an agent's flag stays set after its own end or stands at that step only.

    Args:
        n_agents: N.

    Attributes:
        over: the agents that have ended, ``[N]``.
    """

    def __init__(self, n_agents: int) -> None:
        self.over: NDArray[np.bool_] = np.zeros(n_agents, dtype=np.bool_)

    def step(self, terminated: ArrayLike, truncated: ArrayLike) -> tuple[bool, bool]:
        """Takes the flags of a step, one for all or one for each agent ``[N]``.

        Returns:
            Whether the episode has truly ended, and whether it was cut off: whether one of the agents that ended last
            was truncated and did not terminate.

        Raises:
            ValueError: they are not N, or no truth values.
        """
        ended, cut = (np.broadcast_to(flags_of(flags).ravel(), self.over.shape)
                      for flags in (terminated, truncated))
        last = (ended | cut) & ~self.over
        self.over = self.over | last
        if not self.over.all():
            return False, False
        was_cut = bool((cut & ~ended & last).any())
        return not was_cut, was_cut
