"""How good a value is between random play and the optimum, which also makes sense where returns are negative."""

from __future__ import annotations

import math


def score(value: float, random: float, best: float | None) -> float | None:
    """0 for the uniformly random team, 1 for the best one; worse than random is negative.

    Args:
        value: what a team reaches.
        random: what the random team is expected to reach, :meth:`.game.Game.random_headline`.
        best: what the best team is expected to reach, :meth:`.game.Game.headline_optimum`.

    Returns:
        (value - random) / (best - random); None where nobody knows the best, or random play is as good.
    """
    if best is None or math.isclose(best, random, abs_tol=1e-12):
        return None
    return (value - random) / (best - random)
