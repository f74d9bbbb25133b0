"""Tables, statistics and figures of finished runs: ``python -m epymarl_cpa.experiments.report ROWS... --out=DIR``.

``report.md`` and ``report.html`` hold the tables (and figures), ``short.md`` only our values, the CSV files their
numbers, and ``marl_eval.json`` the results for InstaDeep's ``marl-eval``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..utils.files import write_text
from . import sections
from .aggregate import Aggregate
from .bridge_policy import BridgeTeams, Scene
from .comparison import Comparison
from .document import Section, csv_text, markdown, web_page
from .marl_export import marl_eval_json
from .paper import METHODS, Methods
from .rows import Row, Rows, read_rows, without_repeats
from .statistics import REPETITIONS

TITLE = "Offline multi-agent learning: our results beside the paper's Table 1"


def report(rows: Rows, methods: Methods, out: Path, figures: bool = False, bridge: Sequence[str] = (), seed: int = 0,
           repetitions: int = REPETITIONS, columns: Sequence[str] = ()) -> list[str]:
    """Writes the report.

    Args:
        rows: of finished runs, without repeats.
        methods: which rows are of which method.
        out: folder to write to, made if needed.
        figures: whether to draw.
        bridge: models for Figure 5 (see :class:`.bridge_policy.BridgeTeams`), if it is to be drawn.
        seed: of the bootstrap.
        repetitions: samples of the bootstrap.
        columns: methods to which tables and statistics are restricted (figures are not); empty: all.

    Returns:
        a sentence for everything that is not in it.

    Raises:
        UserError: a column has no rows, matplotlib is missing, a model cannot be drawn, or the folder cannot be
            written.
    """
    scenes = BridgeTeams(*bridge).scenes() if bridge else []
    drawn, rows = rows, methods.only(rows, columns) if columns else rows
    comparison = Comparison.of(rows, methods)
    aggregate = Aggregate.of(rows, methods, seed, repetitions)
    exported, notes = marl_eval_json(rows, methods)
    notes = _unknown(rows, methods) + notes
    parts: list[Section] = []
    if comparison.cells:
        parts += [sections.table_section(comparison), sections.time_section(comparison)]
    if aggregate.estimates:
        parts += [sections.aggregate_section(aggregate), sections.improvement_section(aggregate)]
    tables: dict[str, tuple[Sequence[str], list[list[object]]]] = {
        "table1": (sections.CELL_HEADINGS, sections.cell_rows(comparison)),
        "times": (sections.TIME_HEADINGS, sections.time_rows(comparison)),
        "aggregate": (sections.AGGREGATE_HEADINGS, sections.aggregate_rows(aggregate)),
        "improvement": (sections.IMPROVEMENT_HEADINGS, sections.improvement_rows(aggregate))}
    try:
        out.mkdir(parents=True, exist_ok=True)
        if figures or scenes:
            pictures, skipped = _draw(drawn, methods, aggregate, scenes, out, all_figures=figures)
            notes += skipped
            parts += [Section("Figures", pictures=pictures)] if pictures else []
        parts += [sections.machine_section(), *sections.note_section(notes)]
        for name, (headings, lines) in tables.items():
            write_text(out / f"{name}.csv", csv_text(headings, lines))
        write_text(out / "marl_eval.json", json.dumps(exported, indent=1) + "\n")
        write_text(out / "short.md", sections.short_table(comparison))
        write_text(out / "report.md", markdown(TITLE, parts, out))
        write_text(out / "report.html", web_page(TITLE, parts))
    except OSError as error:
        raise UserError(f"the report cannot be written to {out} ({error.strerror}); choose another folder with "
                        "--out.") from None
    return notes


def _unknown(rows: Rows, methods: Methods) -> list[str]:
    """Sentences about the rows that Table 1 has no place for."""
    placed = {id(row) for group in methods.grouped(rows).values() for found in group.values() for row in found}
    others = Counter(row["alg"] for row in rows if id(row) not in placed)
    if not others:
        return []
    told = ", ".join(f"'{alg}' ({number})" for alg, number in others.items())
    return ["Rows that are not in the tables, since methods.yaml has no column for them, the paper no such task, or "
            f"they learned online: {told}."]


def _draw(rows: Rows, methods: Methods, aggregate: Aggregate, scenes: list[Scene], out: Path, all_figures: bool,
          ) -> tuple[list[tuple[Path, str]], list[str]]:
    """Draws what the rows allow: files with captions, and a sentence for every figure that cannot be."""
    try:
        from .figures import bridge as figure5
        from .figures import curves, diversity, intervals, joint_tables
        from .figures.canvas import save
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "matplotlib":
            raise
        raise UserError("figures need matplotlib: pip install 'epymarl-cpa[report]'.") from None
    wanted: list[tuple[str, str, Callable[[], Any]]] = [
        ("figure1_joint_actions", "Figure 1: share of seeds that end at each greedy joint action on XOR (bold: it "
         "wins).",
         lambda: joint_tables.joint_tables(rows, methods)),
        ("figure3_permutation", "Figure 3: performance and diversity on Permutation, poor data, over the paper's "
         "thresholds β of Eq. 8; whiskers: population standard deviation over seeds.",
         lambda: diversity.diversity_bars(rows, "permutation")),
        ("figure4_aloha", "Figure 4: the same on Aloha.", lambda: diversity.diversity_bars(rows, "aloha")),
        ("learning_curves", "Learning curves of the runs that recorded one: mean over seeds, its standard error, and "
         "the exact optimum.",
         lambda: curves.learning_curves(rows, methods)),
        ("aggregate", "Statistics over all tasks with their bootstrap intervals.",
         lambda: intervals.interval_plot(aggregate))] if all_figures else []
    folder, pictures, skipped = out / "figures", [], []
    folder.mkdir(exist_ok=True)
    for name, caption, build in wanted:
        try:
            pictures.append((save(build(), folder, name)[0], caption))
        except UserError as error:
            skipped.append(f"{name} is not drawn: {error}")
    if scenes:
        pictures.append((save(figure5.bridge_figure(scenes), folder, "figure5_bridge")[0],
                         "Figure 5: learned policies on Bridge at the initial state and after the likeliest joint "
                         "action; A is the agent that decides first."))
    return pictures, skipped


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m epymarl_cpa.experiments.report",
                                     description="Tables, statistics and figures of finished runs.")
    parser.add_argument("source", nargs="+", type=Path, help="folder of a sweep's rows, or a .jsonl file of rows")
    parser.add_argument("--out", required=True, type=Path, help="folder to write the report to")
    parser.add_argument("--figures", action="store_true", help="draw what the rows allow (needs matplotlib)")
    parser.add_argument("--bridge", nargs="+", default=[], metavar="MODEL",
                        help="draw Figure 5: model folder of cpa_pa on bridge (its teacher is drawn, too), "
                             "or of cpa_ar and then of cpa_pa")
    parser.add_argument("--columns", nargs="+", default=[], metavar="METHOD",
                        help="tables of these methods only, by the names of their columns")
    parser.add_argument("--methods", type=Path, default=METHODS, help="YAML file of methods, instead of methods.yaml")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default 0)")
    parser.add_argument("--repetitions", type=int, default=REPETITIONS,
                        help=f"samples of the bootstrap (default {REPETITIONS})")
    args = parser.parse_args(argv)
    if args.seed < 0 or args.repetitions < 1 or len(args.bridge) > 2:
        parser.error("--seed must not be negative, --repetitions be positive, and --bridge name one or two models")
    try:
        rows: list[Row] = without_repeats(read_rows(args.source))
        notes = report(rows, Methods.read(args.methods), args.out, args.figures, args.bridge, args.seed,
                       args.repetitions, args.columns)
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    print("\n".join([*notes, f"The report is in {args.out / 'report.html'}."]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
