"""The tables of a report, from what was computed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..analysis.aggregate import Aggregate
from ..analysis.comparison import RULES, Cell, PaperComparison
from ..analysis.reliability import NEARLY, Reliability
from ..analysis.score import score_of
from ..analysis.statistics import CONFIDENCE, STATISTICS, Interval
from ..measure.machine import describe_machine
from ..rows.paper import table1
from ..rows.reading import Rows, grouped
from .document import Field, Section

CELL_HEADINGS = ("env", "dataset", "method", "mean", "population_std", "seeds", "best_or_tied", "optimum", "paper_mean",
                 "paper_std", "reaches_paper")
TIME_HEADINGS = ("method", "runs", "mean_seconds", "longest_seconds", "peak_mb")
AGGREGATE_HEADINGS = ("method", "statistic", "value", "low", "high")
FEW = 3  # with fewer seeds an interval says nothing
RELIABILITY_HEADINGS = ("env", "dataset", "method", "runs", "optimal", "optimal_low", "optimal_high", "nearly",
                        "nearly_low", "nearly_high", "mean", "worst", "worst_seed")
IMPROVEMENT_HEADINGS = ("method", "over", "probability", "low", "high")


def table_section(comparison: PaperComparison) -> Section:
    """Table 1: a row for every task, a column for every method."""
    usual = comparison.usual_seeds()
    rows = []
    for task in comparison.tasks:
        cells = [comparison.cells.get((task, method)) for method in comparison.methods]
        rows.append([Field(" ".join(table1().names[task]), below=f"{task.env}, {task.dataset}"),
                     *(Field() if cell is None else _table_field(cell, usual) for cell in cells),
                     Field(f"{comparison.optimum[task]:.2f}")])
    rows.append([Field("As good as in the paper", below="cells with a ✓"),
                 *(Field(comparison.reached(method)) for method in comparison.methods), Field()])
    seeds = (f"Seeds {', '.join(map(str, usual))}; cells with other seeds say how many. Returns are undiscounted, "
             "those of Aloha in messages sent; the optimum is exact.")
    return Section("Table 1: deterministic policies", ["Task", *comparison.methods, "Optimum"], rows,
                   notes=[seeds, *RULES])


def short_table(comparison: PaperComparison) -> str:
    """The same without the paper's values, as Markdown for a README; in brackets unusual numbers of seeds."""
    methods = comparison.methods
    usual = comparison.usual_seeds()
    lines = [f"| game | data | {' | '.join(methods)} | optimum |", "|---" * (len(methods) + 3) + "|"]
    for task in comparison.tasks:
        cells = [comparison.cells.get((task, method)) for method in methods]
        told = ["" if cell is None else (f"**{_value(*cell.ours)}**" if cell.best else _value(*cell.ours))
                + ("" if cell.seeds == usual else f" ({len(cell.seeds)})") for cell in cells]
        lines.append(f"| {task.env} | {task.dataset} | {' | '.join(told)} | {comparison.optimum[task]:.2f} |")
    lines.append(f"| as good as in the paper | | {' | '.join(map(comparison.reached, methods))} | |")
    return "\n".join(lines) + "\n"


def cell_rows(comparison: PaperComparison) -> list[list[object]]:
    """The same at full precision, one line for every cell (``CELL_HEADINGS``)."""
    return [[task.env, task.dataset, method, cell.ours.mean, cell.ours.std, " ".join(map(str, cell.seeds)),
             int(cell.best), comparison.optimum[task], *(cell.paper or (None, None)),
             None if cell.reached is None else int(cell.reached)]
            for (task, method), cell in comparison.cells.items()]


def time_section(comparison: PaperComparison) -> Section:
    """Number, time and memory of each method's runs."""
    rows = [[Field(method), Field(str(took.runs)), Field(f"{took.mean:.0f}"), Field(f"{took.longest:.0f}"),
             Field(f"{took.runs * took.mean / 60:.0f}"), Field(f"{took.peak_mb:.0f}")]
            for method, took in comparison.times.items()]
    total = sum(took.runs * took.mean for took in comparison.times.values()) / 3600
    return Section("Time of each method",
                   ["Method", "Runs", "Seconds (mean)", "Seconds (longest)", "Minutes in all", "Peak memory, MB"],
                   rows, notes=["Wall-clock time of a whole run, evaluations included, as its row has it; seeds that "
                                "were trained together have an equal share of it each. How busy the machine was "
                                f"besides is not known. All runs one after the other: {total:.1f} hours."])


def time_rows(comparison: PaperComparison) -> list[list[object]]:
    """The same as numbers (``TIME_HEADINGS``)."""
    return [[method, took.runs, took.mean, took.longest, took.peak_mb] for method, took in comparison.times.items()]


def aggregate_section(aggregate: Aggregate) -> Section:
    """Statistics over all tasks."""
    rows = [[Field(method), *(Field(_interval(found[name])) for name in STATISTICS)]
            for method, found in aggregate.estimates.items()]
    notes = [f"Over {len(aggregate.tasks)} of {len(table1().names)} tasks, each run's score being (result - random) / "
             "(optimum - random) of its game, so that 0 is the uniformly random team and 1 the exact optimum. In "
             f"brackets: {CONFIDENCE:.0f} % intervals by stratified bootstrap over seeds, which say nothing about "
             f"other tasks and are too narrow where seeds are few (here {aggregate.fewest} or more a task). IQM: mean "
             "of the middle half of all runs, tasks counting equally; mean and median: of the tasks' means; optimality "
             "gap: how far runs stay below 1 (less is better)."]
    if aggregate.left_out:
        lacking = ", ".join(f"{method} ({n})" for method, n in aggregate.left_out.items())
        notes.append(f"Left out, since they lack some of these tasks (number that they have): {lacking}.")
    return Section("Over all tasks", ["Method", *STATISTICS], rows, notes=notes)


def aggregate_rows(aggregate: Aggregate) -> list[list[object]]:
    """The same as numbers (``AGGREGATE_HEADINGS``)."""
    return [[method, name, *estimate] for method, found in aggregate.estimates.items()
            for name, estimate in found.items()]


def improvement_section(aggregate: Aggregate) -> Section:
    """Probability that the method of the row beats that of the column."""
    methods = [*aggregate.estimates] if aggregate.improvements else []
    rows = [[Field(x), *(Field("-") if x == y else _improvement_field(aggregate.improvements[x, y], aggregate.fewest)
                         for y in methods)] for x in methods]
    return Section("Probability of improvement", ["Row beats column", *methods], rows, notes=[
        "Probability that a run of the row's method beats a run of the column's on the same task, ties counting half, "
        f"averaged over tasks; bold where the interval lies above 0.5 and no task has fewer than {FEW} seeds."
    ] if rows else ["It needs two methods."])


def improvement_rows(aggregate: Aggregate) -> list[list[object]]:
    """The same as numbers (``IMPROVEMENT_HEADINGS``)."""
    return [[x, y, *won] for (x, y), won in aggregate.improvements.items()]


def reliability_section(found: Sequence[Reliability]) -> Section:
    """How many runs reach the optimum, and the worst run of each method on each task."""
    rows = [[Field(each.env), Field(each.dataset), Field(each.method), Field(str(each.optimal or "-")),
             Field(str(each.nearly or "-")), Field(f"{each.mean:.4f}"), Field(f"{each.worst:.4f} ({each.seed})")]
            for each in found]
    return Section("Every run counts", ["Game", "Data", "Method", "At the optimum", f"Score {NEARLY} or more", "Mean",
                                        "Worst (its seed)"], rows, notes=[
        "Runs of all seeds, with the 95 % interval of their share (Wilson). A dash on games where no run is at the "
        "optimum: on Sensor and Aloha tests are samples of random games, and the optimum an expectation. Score: 0 for "
        "the uniformly random team, 1 for the optimum."])


def reliability_rows(found: Sequence[Reliability]) -> list[list[object]]:
    """The same as numbers (``RELIABILITY_HEADINGS``)."""
    none = (None, None, None)
    return [[each.env, each.dataset, each.method, each.runs,
             *((share.good, share.low, share.high) if (share := each.optimal) else none),
             *((share.good, share.low, share.high) if (share := each.nearly) else none),
             each.mean, each.worst, each.seed] for each in found]


def other_section(rows: Rows) -> list[Section]:
    """Rows of other games, data and methods, such as one's own; nothing without any."""
    lines = []
    for (env, data, alg), group in grouped(rows).items():
        values, best = np.array([row["headline"] for row in group]), group[0]["headline_optimum"]
        score = "-" if best is None or group[0].get("headline_random") is None else \
            f"{np.mean([score_of(row) for row in group]):.2f}"
        lines.append([Field(env), Field(data), Field(alg), Field(_value(float(values.mean()), float(values.std()))),
                      Field("-" if best is None else f"{best:.2f}"), Field(score), Field(str(len(group)))])
    headings = ["Game", "Data", "Method", "Result", "Optimum", "Score", "Seeds"]
    note = "Score: 0 for the uniformly random team, 1 for the optimum; a dash where nobody knows the optimum."
    return [Section("Beyond the paper's table", headings, lines, notes=[note])] if lines else []


def machine_section(origin: Sequence[str] = ()) -> Section:
    """The machine and the versions that made this report, and sentences about what made its rows."""
    rows = [[Field(key), Field(value)] for key, value in describe_machine().items()]
    return Section("Made on", ["What", "Which"], rows,
                   notes=["The machine that made this report; rows do not tell on which one they were run.", *origin])


def short_section(sentences: Sequence[str]) -> list[Section]:
    """What is said of rows that are too short to mean anything, if there are any."""
    return [Section("Read this first", notes=sentences)] if sentences else []


def note_section(notes: Sequence[str]) -> list[Section]:
    """What is not in the report, if there is any such thing."""
    return [Section("Left out", notes=notes)] if notes else []


def _table_field(cell: Cell, usual: tuple[int, ...]) -> Field:
    mark = "" if cell.reached is None else " ✓" if cell.reached else " ✗"
    few = "" if cell.seeds == usual else f" ({len(cell.seeds)} seed{'s' * (len(cell.seeds) > 1)})"
    below = "" if cell.paper is None else f"paper {_value(*cell.paper)}{mark}"
    return Field(_value(*cell.ours) + few, cell.best, below)


def _value(mean: float, std: float) -> str:
    return f"{mean:.2f} ± {std:.2f}".replace("-0.00", "0.00")


def _interval(estimate: Interval) -> str:
    return f"{estimate.value:.4f} [{estimate.low:.4f}, {estimate.high:.4f}]"


def _improvement_field(won: Interval, seeds: int) -> Field:
    return Field(f"{won.value:.2f} [{won.low:.2f}, {won.high:.2f}]", bold=won.low > 0.5 and seeds >= FEW)
