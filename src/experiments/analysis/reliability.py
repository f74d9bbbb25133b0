"""How many runs of a method can be relied on: shares of good runs with intervals, and the worst run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..rows.names import game_of
from ..rows.reading import Row, Rows, grouped
from .score import score_of

Z = 1.959964  # two-sided 95 %
NEARLY = 0.99  # a score from which a run counts as nearly optimal
EXACT = 1e-6  # how far an optimal run may be off, in shares of the optimum's size (at least 1)


class Share(NamedTuple):
    """``good`` of ``of`` runs, with the interval of their share by Wilson's score."""

    good: int
    of: int
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.good} of {self.of} [{self.low:.3f}, {self.high:.3f}]"


def share(good: int, of: int) -> Share:
    """The share of ``good`` of ``of`` (at least 1) runs, with its 95 % interval (Wilson 1927)."""
    p, square = good / of, Z * Z / of
    centre, half = p + square / 2, Z * math.sqrt((p * (1 - p) + square / 4) / of)
    return Share(good, of, max(0.0, (centre - half) / (1 + square)), min(1.0, (centre + half) / (1 + square)))


@dataclass(frozen=True)
class Reliability:
    """Of a method on a task.

    Attributes:
        env, dataset, method: which.
        optimal: runs at the optimum; None where no run on this game is, as where tests are samples of a random game.
        nearly: runs whose score is at least ``NEARLY``; None where nobody knows the optimum or the random team's.
        runs: how many there are.
        mean, worst: of the headline figure.
        seed: of the worst run.
    """

    env: str
    dataset: str
    method: str
    optimal: Share | None
    nearly: Share | None
    runs: int
    mean: float
    worst: float
    seed: int


def reliabilities(rows: Rows) -> list[Reliability]:
    """Of every method on every task, in the order of the rows."""
    reached = {game_of(row) for row in rows if _is_optimal(row)}
    return [_of(env, data, alg, group, game_of(group[0]) in reached) for (env, data, alg), group in
            grouped(rows).items()]


def _is_optimal(row: Row) -> bool:
    best = row["headline_optimum"]
    return best is not None and abs(row["headline"] - best) <= EXACT * max(1.0, abs(best))


def _of(env: str, data: str, alg: str, group: Sequence[Row], can_be_reached: bool) -> Reliability:
    last = min(group, key=lambda row: float(row["headline"]))
    scores, hits = [score_of(row) for row in group], sum(map(_is_optimal, group))
    return Reliability(env, data, alg, share(hits, len(group)) if can_be_reached else None,
                       None if any(map(math.isnan, scores)) else share(sum(s >= NEARLY for s in scores), len(group)),
                       len(group), sum(float(row["headline"]) for row in group) / len(group), float(last["headline"]),
                       int(last["seed"]))


def runs_table(found: Sequence[Reliability]) -> str:
    """The same as Markdown."""
    lines = [f"| game | data | method | at the optimum | score {NEARLY} or more | mean | worst (its seed) |",
             "|---|---|---|---|---|---|---|"]
    lines += [f"| {each.env} | {each.dataset} | {each.method} | {each.optimal or '-'} | {each.nearly or '-'} "
              f"| {each.mean:.4f} | {each.worst:.4f} ({each.seed}) |" for each in found]
    return "\n".join(lines)
