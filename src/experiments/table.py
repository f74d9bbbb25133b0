"""From the rows of sweeps to tables: ``python -m epymarl_cpa.experiments.table results/sweeps/teacher ...``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from ..errors import UserError
from ..utils.bounded import read_text
from ..utils.files import named_path, reason, write_text
from ..utils.process import told_if_interrupted
from .analysis.comparison import PaperComparison
from .analysis.reliability import reliabilities, runs_table
from .reports.sections import short_table
from .rows.length import about_length
from .rows.names import data_of, game_of
from .rows.origin import about_origin
from .rows.pages import filled
from .rows.paper import Methods
from .rows.reading import Row, Rows, about_rules, each_once, read_rows
from .rows.tables import compact, diversity, markdown
from .sweeps.subset import subset

PAGES = "write the tables into these Markdown files, each between the lines <!-- table WORDS --> and " \
        "<!-- /table -->; WORDS are those of this command, paths as the page sees them"
KEYS = {"alg": lambda row: str(row["alg"]), "env": game_of, "dataset": data_of, "seed": lambda row: str(row["seed"])}
MOST = 2**26  # bytes of a page


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = _parser()
    parser.add_argument("--pages", nargs="+", type=named_path, metavar="PAGE", help=PAGES)
    parser.add_argument("--jsonl", action="store_true", help="print the rows themselves, one a line")
    try:
        args = parser.parse_args(argv)
        if args.pages:
            if args.source:
                raise UserError("--pages tells what to make tables of inside the pages; give no rows beside it.")
            for page in args.pages:
                _fill(page)
        elif args.jsonl:
            told = ({key: value for key, value in row.items() if key != "model"} for row in _rows(args))  # a local path
            print("\n".join(map(json.dumps, told)))
        else:
            print(_table(args))
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    return 0


class _Words(argparse.ArgumentParser):
    """Mistakes in the words of a page are told with their place."""

    def error(self, message: str) -> NoReturn:
        raise UserError(message)


def _parser(kind: type[argparse.ArgumentParser] = argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser = kind(prog="epymarl-cpa table", description="Tables of finished sweeps.", allow_abbrev=False,
                  add_help=kind is not _Words)
    parser.add_argument("source", nargs="*", type=named_path, help="folder of a sweep's rows, or a .jsonl file of rows")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--compact", action="store_true", help="one column for every method")
    shape.add_argument("--runs", action="store_true", help="how many runs are optimal, and the worst one")
    shape.add_argument("--short", action="store_true", help="the columns and tasks of the paper's Table 1")
    shape.add_argument("--diversity", action="store_true", help="measures of diversity alone")
    parser.add_argument("--columns", default="", metavar="NAME,...", help="only these methods, as reports name them")
    parser.add_argument("--only", action="append", default=[], metavar="KEY=VALUE,...",
                        help="only rows of these alg, env, dataset or seed; may be repeated")
    parser.add_argument("--bare", action="store_true", help="the table without sentences about its rows")
    return parser


def _rows(args: argparse.Namespace, place: Path = Path()) -> list[Row]:
    if not args.source:
        raise UserError("name the rows: folders of sweeps' rows, or .jsonl files of rows.")
    rows = subset(each_once(read_rows([place / source for source in args.source])), args.only, KEYS)
    return Methods.read().only(rows, args.columns.split(",")) if args.columns else rows


def _table(args: argparse.Namespace, place: Path = Path()) -> str:
    """What is asked for, and sentences about the rows, as Markdown; the rows are where ``place`` sees them."""
    rows = _rows(args, place)
    remarks = [] if args.bare else [*about_length(rows), *about_origin(rows)]
    return "\n\n".join(filter(None, (*_tables(rows, args), *about_rules(rows), *remarks)))


def _tables(rows: Rows, args: argparse.Namespace) -> Sequence[str]:
    if args.runs:
        return [runs_table(reliabilities(rows))]
    if args.short:
        return [short_table(PaperComparison.of(rows, Methods.read())).rstrip("\n")]
    if args.diversity:
        return [diversity(rows)]
    return [compact(rows)] if args.compact else [markdown(rows), diversity(rows)]


def _fill(page: Path) -> None:
    """Writes the tables of one page, which stays as it is where something is wrong."""
    def made(words: Sequence[str]) -> str:
        asked = _parser(_Words).parse_args(words)
        return _table(asked, page.parent)

    try:
        text = read_text(page, MOST)
    except (OSError, UnicodeDecodeError) as error:
        why = reason(error) if isinstance(error, OSError) else "it is not text"
        raise UserError(f"{page} cannot be read ({why}).") from None
    new = filled(text, str(page), made)
    if new != text:
        write_text(page, new)


if __name__ == "__main__":
    sys.exit(told_if_interrupted(main))
