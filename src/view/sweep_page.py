"""What the page of a sweep shows: rows of many runs, or the records of many."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError, one_line
from ..experiments.rows.names import data_of, game_of, settings_of_row
from ..experiments.rows.reading import Row, about_rules, curve_of, each_once, grouped, read_rows
from .record import read_record
from .told import DEPTH

MEASURES = ("joint_entropy", "marginal_entropy", "modes", "modes_covered", "tv", "mismatch_rate", "optimal_share")


def sweep_page(path: Path, records: bool) -> dict[str, Any]:
    """The page of a sweep as JSON.

    Args:
        path: a folder of rows or a file of them, or a folder of Sacred's records.
        records: which of both.

    Raises:
        UserError: there are no rows, or something else than rows.
    """
    said: list[str] = []
    rows = _recorded(path, said) if records else read_rows([path])
    total = len(rows)
    try:
        rows = each_once(rows)
    except UserError as error:
        said.append(f"{one_line(error)}. All rows are shown.")
    if total > len(rows):
        said.append(f"{total - len(rows)} of {total} rows are copies and are left out.")
    said += about_rules(rows)
    groups = [_group(*name, members) for name, members in grouped(rows).items()]
    return {"kind": "sweep", "title": path.resolve().name, "source": str(path), "said": said,
            "facts": _facts(rows), "groups": groups, "differs": _differs(rows)}


def _recorded(path: Path, said: list[str]) -> list[Row]:
    """The rows that runs left in their records, with curves from their series."""
    found, lacking = list[Row](), 0
    for run in sorted({file.parent for pattern in DEPTH for file in path.glob(pattern)}):
        if not (run / "row.jsonl").is_file():
            lacking += 1
            continue
        for row in read_rows([run / "row.jsonl"]):
            if not row.get("curve"):
                try:
                    row["curve"] = [list(point) for point in read_record(run).series.get("test_return_mean", [])]
                except UserError:
                    pass  # a row without a curve is still one
            found.append(row)
    if lacking:
        said.append(f"{lacking} runs have no row (unfinished, failed, resumed, or evaluations) and are left out.")
    if not found:
        raise UserError(f"{path} holds records of runs, but none has finished.")
    return found


def _facts(rows: Sequence[Row]) -> list[list[str]]:
    methods, games = ({of(row) for row in rows} for of in (lambda row: row["alg"], game_of))
    seeds = {row["seed"] for row in rows}
    hours = sum(row["seconds"] for row in rows) / 3600
    spent = f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.1f} min"
    return [["Runs", f"{len(rows):,}"], ["Methods", str(len(methods))], ["Games", str(len(games))],
            ["Data sets", str(len({(game_of(row), data_of(row)) for row in rows}))], ["Seeds", str(len(seeds))],
            ["Time of all runs", spent], ["Peak memory", f"{max(row['peak_mb'] for row in rows):,} MB"]]


def _group(game: str, data: str, method: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Runs of one method on one data set."""
    values = np.array([row["headline"] for row in rows], dtype=np.float64)
    measures = {key: float(np.mean([row[key] for row in rows])) for key in MEASURES
                if all(isinstance(row.get(key), int | float) for row in rows)}
    random = rows[0].get("headline_random")
    return {"game": game, "data": data, "method": method, "mean": float(values.mean()), "std": float(values.std()),
            "worst": float(values.min()), "best": float(values.max()), "optimum": rows[0]["headline_optimum"],
            "random": random if isinstance(random, int | float) else None, "measures": measures,
            "runs": [{"seed": row["seed"], "value": float(row["headline"]), "seconds": float(row["seconds"]),
                      "id": str(row.get("id", "")), "curve": [list(point) for point in curve_of(row)]}
                     for row in sorted(rows, key=lambda row: row["seed"])]}


def _differs(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What tells the runs apart: name and values with their number of runs."""
    columns: dict[str, list[str]] = {"method": [], "game": [], "data": [], "seed": []}
    for row in rows:
        name, *words = row["alg"].split()
        columns["method"].append(name)
        columns["game"].append(game_of(row))
        columns["data"].append(data_of(row))
        columns["seed"].append(str(row["seed"]))
        mine = dict(word.partition("=")[::2] for word in (*words, *settings_of_row(row)))
        for key in mine.keys() - columns.keys():
            columns[key] = ["(default)"] * (len(columns["seed"]) - 1)
        for key in columns.keys() - {"method", "game", "data", "seed"}:
            columns[key].append(mine.get(key, "(default)"))
    found = []
    for key, values in columns.items():
        names, counts = np.unique(np.array(values, dtype=object).astype(str), return_counts=True)
        if len(names) > 1:
            order = np.argsort(-counts, kind="stable")
            found.append({"key": key, "values": [[str(names[k]), int(counts[k])] for k in order.tolist()]})
    return found
