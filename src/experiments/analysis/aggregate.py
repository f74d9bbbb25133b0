"""Methods compared over all tasks together, on scores that are 0 for the random team and 1 for the best one."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from ..rows.paper import Methods, Task, table1
from ..rows.reading import Row, Rows
from .score import score_of
from .statistics import REPETITIONS, FloatArray, Interval, estimates, improvement, redraws


@dataclass(frozen=True)
class Aggregate:
    """Statistics over tasks.

    Attributes:
        tasks: those that any method has; only methods that have them all are compared.
        estimates: by method and name of the statistic.
        improvements: probability that the first method beats the second, by both.
        left_out: methods that lack some task, with the number that they have.
        fewest: number of seeds of the compared methods' task that has fewest.
    """

    tasks: list[Task]
    estimates: dict[str, dict[str, Interval]]
    improvements: dict[tuple[str, str], Interval]
    left_out: dict[str, int]
    fewest: int

    @staticmethod
    def of(rows: Rows, methods: Methods, seed: int = 0, repetitions: int = REPETITIONS) -> Aggregate:
        """Statistics of the rows.

        Args:
            rows: one each of a method, task and seed.
            methods: which rows are of which method.
            seed: of the bootstrap; a method's interval does not depend on which others are there.
            repetitions: samples of the bootstrap.
        """
        groups = methods.grouped(rows)
        tasks = [task for task in table1().names if any(task in group for group in groups.values())]
        whole = {method: [_scores(group[task]) for task in tasks] for method, group in groups.items()
                 if len(group) == len(tasks)}
        single = {method: estimates(scores, _rng(seed, method), repetitions) for method, scores in whole.items()}
        drawn = {method: redraws(scores, _rng(seed, f"{method} in pairs"), repetitions)
                 for method, scores in whole.items()}
        pairs = {(x, y): improvement(whole[x], whole[y], drawn[x], drawn[y])
                 for x in whole for y in whole if x != y}
        return Aggregate(tasks, single, pairs,
                         {method: len(group) for method, group in groups.items() if method not in whole},
                         min((len(task) for scores in whole.values() for task in scores), default=0))


def _scores(rows: list[Row]) -> FloatArray:
    return np.array([score_of(row) for row in sorted(rows, key=lambda row: int(row["seed"]))])


def _rng(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode())])
