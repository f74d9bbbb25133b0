"""Runs a grid of configurations over several processes: ``python -m epymarl_cpa.experiments.sweep teacher``.

Every finished run leaves one small row file; a sweep that is started again does only what is
missing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import UserError
from ..utils.files import named_path
from ..utils.progress import showing
from .rows.length import about_length
from .rows.lines import write_lines
from .rows.reading import Row
from .rows.store import given_rows
from .rows.tables import diversity, markdown
from .sweeps import BACKENDS
from .sweeps.grid import RunSpec, read_grid
from .sweeps.subset import chosen


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="epymarl-cpa sweep", description=__doc__)
    parser.add_argument("grid", help="name under config/sweeps, or a YAML file (EPyMARL's search files, too)")
    parser.add_argument("--workers", type=int, help="runs at once (default 2; all processors of a Ray cluster)")
    parser.add_argument("--out", type=named_path, default=Path("results/sweeps"),
                        help="folder of the rows (default results/sweeps)")
    parser.add_argument("--only", action="append", default=[], metavar="KEY=VALUE,...",
                        help="only runs of these alg, env, dataset or seed; may be repeated")
    parser.add_argument("--rows", action="append", default=[], type=named_path, metavar="FILE",
                        help="rows of finished runs (.jsonl), which are not done again; may be repeated")
    parser.add_argument("--redo", action="store_true",
                        help="do anew what was done by other or unknown code: the runs that --only lets through, and "
                             "those that train their teachers")
    parser.add_argument("--jsonl", type=named_path, metavar="FILE",
                        help="write all finished rows of the grid there when the sweep ends or is stopped, one a "
                             "line in the grid's order; lines of other runs that it holds go to a file beside it")
    parser.add_argument("--seeds", type=int, help="number of seeds of an EPyMARL search file (default 3)")
    parser.add_argument("--backend", choices=BACKENDS, default="local", help="where runs are done (default local)")
    parser.add_argument("--ray-address", default="", help="of a running Ray cluster (default: one for this sweep)")
    args = parser.parse_args(argv)
    from .sweeps.backends import make_backend  # here: they need torch
    from .sweeps.sweep import Sweep

    try:
        if args.workers is not None and args.workers < 1:
            raise UserError(f"--workers must be at least 1, not {args.workers}.")
        grid = read_grid(args.grid, args.seeds)
        specs = chosen(grid, args.only)
        given = given_rows(args.rows) if args.rows else {}
        _tell_foreign(given, grid)
        if args.jsonl and not args.jsonl.absolute().parent.is_dir():
            raise UserError(f"the folder of {args.jsonl} does not exist; make it, or choose another with --jsonl.")
        if args.jsonl and args.jsonl.is_dir():
            raise UserError(f"--jsonl must name a file, and {args.jsonl} is a folder.")
        sweep = Sweep(args.out / Path(args.grid).stem, given, args.redo)
        _tell_left(sweep.folder, grid)
        try:
            with showing(None, None):
                failed = sweep.run(specs, lambda: make_backend(args.backend, args.workers, args.ray_address))
        except KeyboardInterrupt:
            if args.jsonl:
                write_lines(args.jsonl, sweep.rows(grid))
            raise
        rows = sweep.rows(specs)
        if args.jsonl:
            write_lines(args.jsonl, sweep.rows(grid))
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command continues with what is missing", file=sys.stderr)
        return 130
    print("\n" + "\n\n".join(filter(None, (markdown(rows), diversity(rows), *about_length(rows)))))
    if failed:
        print(f"\n{len(failed)} runs failed:\n" + "\n".join(failed), file=sys.stderr)
    return 1 if failed else 0


def _tell_left(folder: Path, grid: Sequence[RunSpec]) -> None:
    """Says how many rows in the sweep's folder are of no run of the grid: nobody looks at them."""
    known = {run.id for spec in grid for run in (spec, spec.first) if run}
    if left := len({file.stem for file in folder.glob("*.json")} - known):
        print(f"{left} rows in {folder} are of other settings, or of a version that named rows otherwise; they are "
              "left alone", file=sys.stderr, flush=True)


def _tell_foreign(given: Mapping[str, Row], grid: Sequence[RunSpec]) -> None:
    """Says how many of the given rows are of no run of the grid, such as those of former settings."""
    known = {run.id for spec in grid for run in (spec, spec.first) if run}
    if foreign := len(given.keys() - known):
        print(f"{foreign} of {len(given)} given rows are of other grids or settings and are left out",
              file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
