"""From the rows of sweeps to tables: ``python -m epymarl_cpa.experiments.table results/sweeps/teacher ...``."""

from __future__ import annotations

import argparse
import json
import sys

from ..errors import UserError
from ..utils.files import named_path
from ..utils.process import told_if_interrupted
from .analysis.reliability import reliabilities, runs_table
from .rows.length import about_length
from .rows.origin import about_origin
from .rows.reading import each_once, read_rows
from .rows.tables import compact, diversity, markdown


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="epymarl-cpa table",
                                     description="Tables of finished sweeps.")
    parser.add_argument("source", nargs="+", type=named_path, help="folder of a sweep's rows, or a .jsonl file of rows")
    parser.add_argument("--jsonl", action="store_true", help="print the rows themselves, one a line")
    parser.add_argument("--compact", action="store_true", help="one column for every method")
    parser.add_argument("--runs", action="store_true", help="how many runs are optimal, and the worst one")
    args = parser.parse_args(argv)
    try:
        rows = each_once(read_rows(args.source))
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    if args.jsonl:
        told = ({key: value for key, value in row.items() if key != "model"} for row in rows)  # a path of this machine
        print("\n".join(map(json.dumps, told)))
        return 0
    if args.runs:
        tables: tuple[str, ...] = (runs_table(reliabilities(rows)),)
    else:
        tables = (compact(rows),) if args.compact else (markdown(rows), diversity(rows))
    print("\n\n".join(filter(None, (*tables, *about_length(rows), *about_origin(rows)))))
    return 0


if __name__ == "__main__":
    sys.exit(told_if_interrupted(main))
