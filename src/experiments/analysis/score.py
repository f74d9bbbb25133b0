"""How good a result is on a scale that all games share."""

from __future__ import annotations

from ...envs.score import score
from ..rows.names import game_of
from ..rows.paper import table1
from ..rows.reading import Row


def score_of(row: Row, headline: float | None = None) -> float:
    """The score of a row; not a number for a game in which the random team is optimal, or what it gets is not known.

    Args:
        row: of a game with a known optimum; what it does not say of the random team is taken from the paper's table.
        headline: to score instead of the row's own, such as one of its curve.
    """
    random = row.get("headline_random")
    random = table1().random.get(game_of(row)) if random is None else random
    if random is None or row["headline_optimum"] is None:
        return float("nan")
    found = score(float(row["headline"] if headline is None else headline), float(random),
                  float(row["headline_optimum"]))
    return float("nan") if found is None else found
