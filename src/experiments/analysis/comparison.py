"""Our Table 1 beside the paper's."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import UserError
from ..rows.paper import Methods, Task, Value, table1
from ..rows.reading import Rows
from .statistics import SAME

ROUNDING = 0.005  # the paper prints two decimals
RULES = (
    "Each cell: our mean ± population standard deviation over seeds, and below it the paper's (whose \"standard "
    "error\" is that deviation, too). The paper's data sets are unpublished; ours are not the same.",
    "Bold: the best of our methods in the row and every method tied with it, that is, whose mean is less than the "
    "standard error of the difference, √(s₁² / (n₁ - 1) + s₂² / (n₂ - 1)) over n seeds, or 10⁻⁹, below the best.",
    "✓: our mean reaches the paper's less one of its standard deviations (less 0.005 for its rounding); "
    "✗: it does not.",
)


@dataclass(frozen=True)
class Cell:
    """One method on one task.

    Attributes:
        ours: mean and population standard deviation over seeds.
        seeds: of the runs.
        best: whether no other method is better by more than a tie (see ``RULES``).
        paper: what the paper reports, if it has this method.
        reached: whether our mean reaches the paper's less one standard deviation, if it has one.
    """

    ours: Value
    seeds: tuple[int, ...]
    best: bool
    paper: Value | None
    reached: bool | None


@dataclass(frozen=True)
class Times:
    """What the runs of a method took: their number, seconds and megabytes."""

    runs: int
    mean: float
    longest: float
    peak_mb: float


@dataclass(frozen=True)
class PaperComparison:
    """Table 1 from rows.

    Attributes:
        methods: with at least one row, in order.
        tasks: with at least one row, in the paper's order.
        cells: by task and method; missing where there are no rows.
        optimum: exact, by task.
        times: by method.
    """

    methods: list[str]
    tasks: list[Task]
    cells: dict[tuple[Task, str], Cell]
    optimum: dict[Task, float]
    times: dict[str, Times]

    @staticmethod
    def of(rows: Rows, methods: Methods) -> PaperComparison:
        """Compares the rows of the paper's 15 tasks; one row each of a method, task and seed.

        Raises:
            UserError: a row does not know the optimum of its game.
        """
        groups = methods.grouped(rows)
        tasks = [task for task in table1().names if any(task in group for group in groups.values())]
        optimum = {task: _optimum(group[task]) for task in tasks for group in groups.values() if task in group}
        cells: dict[tuple[Task, str], Cell] = {}
        for task in tasks:
            ours = {method: _value(group[task]) for method, group in groups.items() if task in group}
            seeds = {method: len(group[task]) for method, group in groups.items() if task in group}
            top = max(ours, key=lambda method: ours[method].mean)
            for method, value in ours.items():
                paper = table1().value(task, method)
                cells[task, method] = Cell(
                    value, tuple(sorted(row["seed"] for row in groups[method][task])),
                    _tied(value, seeds[method], ours[top], seeds[top]), paper,
                    None if paper is None else value.mean >= paper.mean - paper.std - ROUNDING)
        times = {method: _times([row for task in group.values() for row in task]) for method, group in groups.items()}
        return PaperComparison([*groups], tasks, cells, optimum, times)

    def reached(self, method: str) -> str:
        """In how many of its cells that the paper has, too, a method reaches the paper's value: "8 of 15"."""
        told = [cell.reached for (_, other), cell in self.cells.items() if other == method and cell.paper]
        return f"{sum(map(bool, told))} of {len(told)}" if told else ""

    def usual_seeds(self) -> tuple[int, ...]:
        """The seeds that most cells have; none without cells."""
        counts = Counter(cell.seeds for cell in self.cells.values())
        return counts.most_common(1)[0][0] if counts else ()


def _optimum(rows: list[dict[str, Any]]) -> float:
    row = rows[0]
    if row["headline_optimum"] is None:
        raise UserError(f"the rows of {row['alg']} on {row['env']}, {row['dataset']}, do not know the game's "
                        "optimum ('headline_optimum'), which all games of the paper have; make them anew.")
    return float(row["headline_optimum"])


def _value(rows: list[dict[str, Any]]) -> Value:
    values = np.array([row["headline"] for row in rows], dtype=np.float64)
    return Value(float(values.mean()), float(values.std()))


def _tied(value: Value, seeds: int, top: Value, top_seeds: int) -> bool:
    error = float(np.sqrt(value.std**2 / max(seeds - 1, 1) + top.std**2 / max(top_seeds - 1, 1)))
    gap = top.mean - value.mean
    return gap < SAME or error - gap > SAME * max(1.0, error)  # of one failure among n runs both are the same


def _times(rows: list[dict[str, Any]]) -> Times:
    seconds = [float(row["seconds"]) for row in rows]
    return Times(len(rows), float(np.mean(seconds)), max(seconds), max(float(row["peak_mb"]) for row in rows))
