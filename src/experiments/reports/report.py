"""What a report consists of, and writing it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...utils.files import reason, write_text
from ..analysis.aggregate import Aggregate
from ..analysis.comparison import PaperComparison
from ..analysis.reliability import reliabilities
from ..analysis.statistics import REPETITIONS
from ..figures import matplotlib_needed
from ..figures.bridge_policy import BridgeTeams, Scene
from ..rows.length import about_length
from ..rows.origin import about_origin
from ..rows.paper import Methods
from ..rows.reading import Row, Rows
from . import sections
from .document import Section, csv_text, markdown, web_page
from .marl_export import marl_eval_json

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
        sentences about rows of other code or of runs that were too short, and for everything that is not in it.

    Raises:
        UserError: a column has no rows, matplotlib is missing, a model cannot be drawn, or the folder cannot be
            written.
    """
    scenes = BridgeTeams(*bridge).scenes() if bridge else []
    drawn, rows = rows, methods.only(rows, columns) if columns else rows
    comparison = PaperComparison.of(rows, methods)
    aggregate = Aggregate.of(rows, methods, seed, repetitions)
    exported, notes = marl_eval_json(rows, methods)
    origin, short = about_origin(rows), about_length(rows)
    others = _elsewhere(rows, methods)
    notes = _unknown(others) + notes
    parts: list[Section] = sections.short_section(short)
    if comparison.cells:
        parts += [sections.table_section(comparison), sections.time_section(comparison)]
    if aggregate.estimates:
        parts += [sections.aggregate_section(aggregate), sections.improvement_section(aggregate)]
    runs = reliabilities(rows)
    parts += [sections.reliability_section(runs), *sections.other_section(others)]
    tables: dict[str, tuple[Sequence[str], list[list[object]]]] = {
        "table1": (sections.CELL_HEADINGS, sections.cell_rows(comparison)),
        "times": (sections.TIME_HEADINGS, sections.time_rows(comparison)),
        "aggregate": (sections.AGGREGATE_HEADINGS, sections.aggregate_rows(aggregate)),
        "improvement": (sections.IMPROVEMENT_HEADINGS, sections.improvement_rows(aggregate)),
        "runs": (sections.RELIABILITY_HEADINGS, sections.reliability_rows(runs))}
    try:
        out.mkdir(parents=True, exist_ok=True)
        if figures or scenes:
            pictures, skipped = _draw(drawn, methods, aggregate, scenes, out, all_figures=figures)
            notes += skipped
            parts += [Section("Figures", pictures=pictures)] if pictures else []
        parts += [sections.machine_section(origin), *sections.note_section(notes)]
        for name, (headings, lines) in tables.items():
            write_text(out / f"{name}.csv", csv_text(headings, lines))
        write_text(out / "marl_eval.json", json.dumps(exported, indent=1, allow_nan=False) + "\n")
        write_text(out / "short.md", sections.short_table(comparison))
        write_text(out / "report.md", markdown(TITLE, parts, out))
        write_text(out / "report.html", web_page(TITLE, parts))
    except OSError as error:
        raise UserError(f"the report cannot be written to {out} ({reason(error)}); choose another folder with "
                        "--out.") from None
    return origin + short + notes


def _elsewhere(rows: Rows, methods: Methods) -> list[Row]:
    """The rows that Table 1 has no place for."""
    placed = {id(row) for group in methods.grouped(rows).values() for found in group.values() for row in found}
    return [row for row in rows if id(row) not in placed]


def _unknown(rows: Rows) -> list[str]:
    """Sentences about the rows that Table 1 has no place for."""
    others = Counter(row["alg"] for row in rows)
    if not others:
        return []
    told = ", ".join(f"'{alg}' ({number})" for alg, number in others.items())
    return ["Rows that are not in the paper's table, since methods.yaml has no column for them, the paper no such "
            f"task, or they learned online: {told}."]


def _draw(rows: Rows, methods: Methods, aggregate: Aggregate, scenes: list[Scene], out: Path, all_figures: bool,
          ) -> tuple[list[tuple[Path, str]], list[str]]:
    """Draws what the rows allow: files with captions, and a sentence for every figure that cannot be."""
    with matplotlib_needed():
        from ..figures import bridge as figure5
        from ..figures import canvas, curves, diversity, intervals, joint_tables
    games = curves.games(rows, methods)
    wanted: list[tuple[str, str, Callable[[], Any]]] = [
        ("figure1_joint_actions", "Figure 1: share of seeds that end at each greedy joint action on XOR (framed: it "
         "wins).",
         lambda: joint_tables.joint_tables(rows, methods)),
        ("figure3_permutation", "Figure 3: performance and diversity on Permutation, poor data, over the paper's "
         "thresholds β of Eq. 8; whiskers: population standard deviation over seeds.",
         lambda: diversity.diversity_bars(rows, "permutation")),
        ("figure4_aloha", "Figure 4: the same on Aloha.", lambda: diversity.diversity_bars(rows, "aloha")),
        ("aggregate", "Statistics over all tasks with their bootstrap intervals.",
         lambda: intervals.interval_plot(aggregate)),
        *((f"learning_curves_{env}", f"Learning curves on {canvas.named(env)}: mean over seeds and its standard "
           "error; PA is in all panels. Updates of PA and KD are those of students, after the teacher's.",
           partial(curves.learning_curves, rows, methods, env))
          for env in games)] if all_figures else []
    folder, pictures = out / "figures", []
    skipped = [f"learning_curves is not drawn: {curves.NONE}"] if all_figures and not games else []
    folder.mkdir(exist_ok=True)
    for name, caption, build in wanted:
        try:
            pictures.append((canvas.save(build(), folder, name)[0], caption))
        except UserError as error:
            skipped.append(f"{name} is not drawn: {error}")
    if scenes:
        pictures.append((canvas.save(figure5.bridge_figure(scenes), folder, "figure5_bridge")[0],
                         "Figure 5: learned policies on Bridge at the initial state and after the likeliest joint "
                         "action; A is the agent that decides first."))
    return pictures, skipped
