"""How good a result is on a scale that all games share."""

from __future__ import annotations

from ..rows.paper import table1
from ..rows.reading import Row


def score(value: float, random: float, optimum: float) -> float:
    """A result on the scale from the uniformly random team's (0) to the exact optimum (1).

    Unlike the ratio to the optimum it means the same for games of penalties, whose returns are negative; a team that
    is worse than the random one is below 0.  It is not a number for a game in which the random team is optimal.
    """
    return (value - random) / (optimum - random) if optimum != random else float("nan")


def score_of(row: Row, headline: float | None = None) -> float:
    """The score of a row.

    Args:
        row: of a game with a known optimum; what it does not say of the random team is taken from the paper's table.
        headline: to score instead of the row's own, such as one of its curve.
    """
    random = row.get("headline_random")
    return score(float(row["headline"] if headline is None else headline),
                 float(table1().random[row["env"]] if random is None else random), float(row["headline_optimum"]))
