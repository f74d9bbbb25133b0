"""How good a result is on a scale that all games share."""

from __future__ import annotations

from ...envs.score import score
from ..rows.paper import table1
from ..rows.reading import Row


def score_of(row: Row, headline: float | None = None) -> float:
    """The score of a row; not a number for a game in which the random team is optimal.

    Args:
        row: of a game with a known optimum; what it does not say of the random team is taken from the paper's table.
        headline: to score instead of the row's own, such as one of its curve.
    """
    random = row.get("headline_random")
    found = score(float(row["headline"] if headline is None else headline),
                  float(table1().random[row["env"]] if random is None else random), float(row["headline_optimum"]))
    return float("nan") if found is None else found
