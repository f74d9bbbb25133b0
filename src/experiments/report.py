"""Tables, statistics and figures of finished runs: ``python -m epymarl_cpa.experiments.report ROWS... --out=DIR``.

``report.md`` and ``report.html`` hold the tables (and figures), ``short.md`` only our values, the CSV files their
numbers, and ``marl_eval.json`` the results for InstaDeep's ``marl-eval``.
"""

from __future__ import annotations

import argparse
import sys

from ..errors import UserError
from ..utils.files import named_path
from ..utils.process import told_if_interrupted
from .analysis.statistics import REPETITIONS
from .rows.paper import METHODS, Methods
from .rows.reading import Row, read_rows, without_repeats


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="epymarl-cpa report",
                                     description="Tables, statistics and figures of finished runs.")
    parser.add_argument("source", nargs="+", type=named_path, help="folder of a sweep's rows, or a .jsonl file of rows")
    parser.add_argument("--out", required=True, type=named_path, help="folder to write the report to")
    parser.add_argument("--figures", action="store_true", help="draw what the rows allow (needs matplotlib)")
    parser.add_argument("--bridge", nargs="+", default=[], metavar="MODEL",
                        help="draw Figure 5: model folder of cpa_pa on bridge (its teacher is drawn, too), "
                             "or of cpa_ar and then of cpa_pa")
    parser.add_argument("--columns", nargs="+", default=[], metavar="METHOD",
                        help="tables of these methods only, by the names of their columns")
    parser.add_argument("--methods", type=named_path, default=METHODS,
                        help="YAML file of methods, instead of methods.yaml")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default 0)")
    parser.add_argument("--repetitions", type=int, default=REPETITIONS,
                        help=f"samples of the bootstrap (default {REPETITIONS})")
    args = parser.parse_args(argv)
    if args.seed < 0 or args.repetitions < 1 or len(args.bridge) > 2:
        parser.error("--seed must not be negative, --repetitions be positive, and --bridge name one or two models")
    from .reports.report import report  # here: it needs torch

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
    sys.exit(told_if_interrupted(main))
