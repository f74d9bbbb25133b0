"""Several runs side by side."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UserError, clipped
from ..experiments.analysis.score import score_of
from ..experiments.analysis.statistics import REPETITIONS, Interval, estimates
from ..experiments.rows.faults import fault_of
from ..experiments.rows.reading import grouped, read_rows, without_repeats
from ..utils.files import named_path
from .teams import checked_seed
from .training import TrainedRun
from .words import named, whole

Sources = Iterable[TrainedRun | Mapping[str, Any] | str | os.PathLike[str]]


@dataclass(frozen=True)
class Line:
    """A method on one data set of a game.

    Attributes:
        game, dataset, method: names, with the settings in which rows of one name differ.
        result: mean over seeds of the game's headline figure, and its interval.
        std: population standard deviation over seeds.
        score: the same mean and interval on the scale of 0 for random play and 1 for the optimum; None where that is
            unknown.
        seeds: number of runs.
        optimum: of the headline figure; None where nobody knows it.
    """

    game: str
    dataset: str
    method: str
    result: Interval
    std: float
    score: Interval | None
    seeds: int
    optimum: float | None


@dataclass(frozen=True, repr=False)
class Comparison:
    """Methods side by side; printed, and shown by notebooks, as a table.

    Attributes:
        lines: one for every game, data set and method.
        overall: over all tasks, by method and name of a statistic of the scores (``IQM``, ``mean``, ``median``,
            ``optimality gap``); of the methods only that have scores of all tasks, and empty for a single task.
    """

    lines: tuple[Line, ...]
    overall: Mapping[str, Mapping[str, Interval]]

    def __repr__(self) -> str:
        head = ["game", "data", "method", "result (95 % interval)", "std", "score (95 % interval)", "seeds", "optimum"]
        cells = [[line.game, line.dataset, line.method, _told(line.result), f"{line.std:.4f}", _told(line.score),
                  str(line.seeds), "-" if line.optimum is None else f"{line.optimum:.4f}"] for line in self.lines]
        text = _table([head, *cells])
        if self.overall:
            names = list(next(iter(self.overall.values())))
            text += "\n\n" + _table([["over all tasks", *names], *([method, *(_told(found[name]) for name in names)]
                                                                   for method, found in self.overall.items())])
        return text

    def _repr_markdown_(self) -> str:
        return repr(self)


def compare(*sources: TrainedRun | Mapping[str, Any] | str | os.PathLike[str] | Sources, seed: int = 0,
            repetitions: int = REPETITIONS) -> Comparison:
    """A table of runs, with intervals by the percentile bootstrap over seeds, as the reports compute them.

    ::

        print(compare([train(method, "xor", seed=seed) for method in ("bc", "cpa_ar") for seed in range(3)]))

    Args:
        sources: results of :func:`train`, rows, folders of sweeps' rows or ``.jsonl`` files; or lists of such.
        seed: of the bootstrap; a line's interval does not depend on which others are there.
        repetitions: samples of the bootstrap.

    Raises:
        UserError: there are no rows, something else is given, or two rows of one run differ.
    """
    seed, repetitions = checked_seed(seed), whole(repetitions) or 0
    if repetitions < 1:
        raise UserError("repetitions must be a positive whole number.")
    rows = without_repeats([row for source in _flat(sources) for row in _rows(source)])
    if not rows:
        raise UserError("compare() was given no runs; give results of train(), rows, or paths of rows.")
    lines, tasks = list[Line](), dict[str, dict[tuple[str, str], Any]]()
    for (game, dataset, method), group in grouped(rows).items():
        values, scores = np.array([row["headline"] for row in group]), np.array([score_of(row) for row in group])
        known = bool(np.isfinite(scores).all())
        rng = np.random.default_rng([seed, zlib.crc32(f"{game} {dataset} {method}".encode())])
        result = estimates([values], rng, repetitions)["mean"]
        lines.append(Line(game, dataset, method, result, float(values.std()),
                          estimates([scores], rng, repetitions)["mean"] if known else None, len(group),
                          group[0]["headline_optimum"]))
        if known:
            tasks.setdefault(method, {})[game, dataset] = scores
    every = dict.fromkeys((line.game, line.dataset) for line in lines)
    complete = {method: [found[task] for task in every] for method, found in tasks.items() if len(found) == len(every)}
    return Comparison(tuple(lines), {method: estimates(each, np.random.default_rng([seed, zlib.crc32(method.encode())]),
                                                       repetitions)
                                     for method, each in complete.items()} if len(every) > 1 else {})


def _flat(sources: Iterable[Any]) -> Iterable[Any]:
    for source in sources:
        if isinstance(source, TrainedRun | Mapping | str | os.PathLike):
            yield source
        elif isinstance(source, Iterable):
            yield from _flat(source)
        else:
            raise UserError(f"compare() cannot read {clipped(repr(source))}; give results of train(), rows, or paths "
                            "of rows.")


def _rows(source: TrainedRun | Mapping[str, Any] | str | os.PathLike[str]) -> list[dict[str, Any]]:
    if isinstance(source, str | os.PathLike):
        return read_rows([named_path(named("a file of rows", source))])
    row = dict(source.row if isinstance(source, TrainedRun) else source)
    if fault := fault_of(row):
        raise UserError(f"a row given to compare() {fault}.")
    return [row]


def _told(found: Interval | None) -> str:
    return "-" if found is None else f"{found.value:.4f} ({found.low:.4f} to {found.high:.4f})"


def _table(rows: list[list[str]]) -> str:
    """Markdown whose columns stand one below the other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
             for row in rows]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])
