"""Recomputes a random sample of rows: ``python -m epymarl_cpa.experiments.recompute docs/results/table1.jsonl``.

Every row of the sample is computed anew by the present code in a temporary folder, with its data and its teacher, and
compared with what was recorded.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from ..utils.files import named_path, reason, write_text
from .rows.store import given_rows
from .sweeps import BACKENDS
from .sweeps.grid import read_grid
from .sweeps.subset import chosen

if TYPE_CHECKING:
    from .sweeps.recomputing import Recomputed


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="epymarl-cpa recompute", description=__doc__,
        epilog="The exit status is 0 even if rows differ, and 2 for bad input.")
    parser.add_argument("rows", type=named_path, help="file of rows (.jsonl), or folder of a sweep's rows")
    parser.add_argument("--sample", type=int, default=20, help="number of rows (default 20)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw (default 0)")
    parser.add_argument("--only", action="append", default=[], metavar="KEY=VALUE,...",
                        help="draw from rows of these alg, env, dataset or seed; may be repeated")
    parser.add_argument("--grid", default="", help="grid of the rows (default: the one of their file's name)")
    parser.add_argument("--workers", type=int, default=2, help="runs at once (default 2)")
    parser.add_argument("--backend", choices=BACKENDS, default="local", help="where runs are done (default local)")
    parser.add_argument("--out", type=named_path, metavar="FILE", help="write the result there, too, as Markdown")
    args = parser.parse_args(argv)
    from .sweeps.backends import make_backend  # here: they need torch
    from .sweeps.recomputing import RULE, as_markdown, draw, recompute, summary

    try:
        if args.workers < 1 or args.sample < 1:
            raise UserError(f"--workers and --sample must be at least 1, not {args.workers} and {args.sample}.")
        if args.out and not args.out.absolute().parent.is_dir():
            raise UserError(f"the folder of {args.out} does not exist; make it, or choose another with --out.")
        rows, grid = given_rows([args.rows]), read_grid(args.grid or args.rows.stem)
        if strange := len(rows.keys() - {spec.id for spec in grid}):
            print(f"{strange} of {len(rows)} rows are of other grids or settings and are left out", file=sys.stderr)
        sample = draw(rows, chosen(grid, args.only), args.sample, args.seed)
        if not sample:
            raise UserError(f"{args.rows} holds no row of such runs of the grid '{args.grid or args.rows.stem}'; "
                            "name their grid with --grid, or choose others with --only.")
        with tempfile.TemporaryDirectory(prefix="recompute-", ignore_cleanup_errors=True) as folder:
            found, failed = recompute(rows, sample, Path(folder).resolve(),
                                      lambda: make_backend(args.backend, args.workers))
        print("\n".join(["", *map(_line, found), "", RULE, summary(found)]))
        if failed:
            print("\n".join(failed), file=sys.stderr)
        if args.out:
            _write(args.out, as_markdown(found, f"A sample of {args.rows.name}, recomputed"))
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"Error: runs cannot be made again in the folder of temporary files ({reason(error)}); choose another "
              "with TMPDIR=<folder>.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; nothing was compared", file=sys.stderr)
        return 130
    return 0


def _line(each: Recomputed) -> str:
    """What is printed of one row."""
    from .sweeps.recomputing import Agreement, made

    told = f"{each.row['id']} (made by {made(each)}): "
    if each.now is None or each.agreement is Agreement.EXACT:
        return told + each.agreement.value
    return f"{told}{each.agreement.value}, {each.row['headline']:.10g} recorded, {each.now['headline']:.10g} now"


def _write(path: Path, text: str) -> None:
    try:
        write_text(path, text)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({reason(error)}); choose another file with --out.") from None


if __name__ == "__main__":
    sys.exit(main())
