"""Runs a grid of configurations over several processes: ``python -m epymarl_cpa.experiments.sweep teacher``.

Every finished run leaves one small row file; a sweep that is started again does only what is
missing.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..utils.files import write_text
from ..utils.process import handling, interrupt
from .backends import BACKENDS, Backend, make_backend
from .grid import Cell, read_grid
from .jobs import Job, Key, plan
from .progress import Progress
from .rows import Row
from .store import Store, given_rows
from .subset import subset
from .table import diversity, markdown
from .work import Outcome


class Sweep:
    """The runs of a grid in one folder; those of the sweeps that train its teachers are in the folders beside it.

    Args:
        folder: of the rows, made if needed.
        given: rows by their ``id`` that count where the folder has none.

    Raises:
        UserError: the folder cannot be written.
    """

    def __init__(self, folder: Path, given: Mapping[str, Row]) -> None:
        self._given, self._stores = given, dict[Path, Store]()
        self.folder = folder
        self._store("")

    def run(self, cells: Sequence[Cell], make: Callable[[], Backend]) -> list[str]:
        """Does what has no row yet, and before it the teachers that it needs.

        Args:
            cells: the runs to do; the whole stack is done for a run of a stack.
            make: makes the backend, if there is anything to do.

        Returns:
            A sentence for every run that failed.

        Raises:
            UserError: a folder is in use, or cannot be written.
            KeyboardInterrupt: SIGINT or SIGTERM; the runs in progress are lost, finished ones are not.
        """
        with ExitStack() as locks:
            locks.enter_context(self._store("").locked())
            jobs = plan(cells, self._store)
            for folder in {Path(job.folder) for job in jobs} - {self.folder}:
                locks.enter_context(self._stores[folder].locked())
            jobs = plan(cells, self._store)  # again, since another sweep may have trained teachers until now
            done = self.rows(cells)
            elsewhere = sum(Path(job.folder) != self.folder for job in jobs)
            print(f"{len(done)} of {len(cells)} runs are done already"
                  + (f"; missing teachers: {elsewhere}" if elsewhere else ""), flush=True)
            if not jobs:
                return []
            backend = make()
            try:
                with handling((signal.SIGTERM,), interrupt):
                    return self._do(jobs, backend, Progress(jobs, done))
            finally:
                backend.stop()

    def rows(self, cells: Sequence[Cell]) -> list[Row]:
        """The rows that there are, in the order of the cells."""
        found: dict[str, Row] = {}
        for cell in cells:
            if cell.id not in found:
                found.update((row["id"], row) for row in self._store("").rows([each.id for each in cell.together()]))
        return [found[cell.id] for cell in cells if cell.id in found]

    def _do(self, jobs: Sequence[Job], backend: Backend, progress: Progress) -> list[str]:
        """Does the jobs, each behind that of its teacher, and writes their rows."""
        waiting, running, failed = list(jobs), dict[Future[Outcome], Job](), list[str]()
        models: dict[Key, str] = {}
        lost: set[Key] = set()

        def fail(job: Job, reason: str) -> None:
            progress.drop(job)
            lost.add(job.key)
            failed.append(f"{job.name}: {reason}")
            print(f"[{progress.line(backend.slots)}] FAILED {failed[-1]}", file=sys.stderr, flush=True)

        while waiting or running:
            for job in list(waiting):
                if job.after in lost:
                    waiting.remove(job)
                    fail(job, "its teacher could not be trained")
                elif job.after in models and not models[job.after]:
                    waiting.remove(job)
                    fail(job, "its teacher's model is not there; all machines must share the folder of --out")
                elif (job.after is None or job.after in models) and len(running) < backend.slots:
                    waiting.remove(job)
                    progress.begin(job)
                    running[backend.submit(job, models[job.after] if job.after else job.model)] = job
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                job = running.pop(future)
                outcome = _outcome(future)
                if isinstance(outcome, str):
                    fail(job, outcome)
                    continue
                store = self._stores[Path(job.folder)]
                store.write(outcome)
                models[job.key] = store.model(job.cells[0].id)
                progress.finish(job, outcome)
                print(f"[{progress.line(backend.slots)}] {job.name}: {_told(outcome)}", flush=True)
        return failed

    def _store(self, sweep: str) -> Store:
        folder = self.folder.with_name(Path(sweep).stem) if sweep else self.folder
        if folder not in self._stores:
            self._stores[folder] = Store(folder, self._given)
        return self._stores[folder]


def _outcome(future: Future[Outcome]) -> Outcome:
    try:
        return future.result()
    except Exception as error:  # a backend's own, such as a crashed worker of Ray's
        return f"its process failed ({(str(error).strip().splitlines() or [type(error).__name__])[0]})"


def _told(rows: Sequence[Row]) -> str:
    value, best = np.mean([row["headline"] for row in rows]), rows[0]["headline_optimum"]
    of = "" if best is None else f" of {best:.4f}"
    return f"{value:.4f}{of} in {sum(row['seconds'] for row in rows):.0f} s"


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m epymarl_cpa.experiments.sweep", description=__doc__)
    parser.add_argument("grid", help="name under config/sweeps, or a YAML file (EPyMARL's search files, too)")
    parser.add_argument("--workers", type=int, help="runs at once (default 2; all processors of a Ray cluster)")
    parser.add_argument("--out", default="results/sweeps", help="folder of the rows (default results/sweeps)")
    parser.add_argument("--only", action="append", default=[], metavar="KEY=VALUE,...",
                        help="only runs of these alg, env, dataset or seed; may be repeated")
    parser.add_argument("--rows", action="append", default=[], type=Path, metavar="FILE",
                        help="rows of finished runs (.jsonl), which are not done again; may be repeated")
    parser.add_argument("--jsonl", type=Path, metavar="FILE",
                        help="write all finished rows of the grid there when the sweep ends or is stopped, one a "
                             "line in the grid's order")
    parser.add_argument("--seeds", type=int, help="number of seeds of an EPyMARL search file (default 3)")
    parser.add_argument("--backend", choices=BACKENDS, default="local", help="where runs are done (default local)")
    parser.add_argument("--ray-address", default="", help="of a running Ray cluster (default: one for this sweep)")
    args = parser.parse_args(argv)
    try:
        if args.workers is not None and args.workers < 1:
            raise UserError(f"--workers must be at least 1, not {args.workers}.")
        grid = read_grid(args.grid, args.seeds)
        cells = subset(grid, args.only)
        given = given_rows(args.rows) if args.rows else {}
        _tell_foreign(given, grid)
        if args.jsonl and not args.jsonl.absolute().parent.is_dir():
            raise UserError(f"the folder of {args.jsonl} does not exist; make it, or choose another with --jsonl.")
        sweep = Sweep(Path(args.out) / Path(args.grid).stem, given)
        try:
            failed = sweep.run(cells, lambda: make_backend(args.backend, args.workers, args.ray_address))
        except KeyboardInterrupt:
            if args.jsonl:
                _write_jsonl(args.jsonl, sweep.rows(grid))
            raise
        rows = sweep.rows(cells)
        if args.jsonl:
            _write_jsonl(args.jsonl, sweep.rows(grid))
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command continues with what is missing", file=sys.stderr)
        return 130
    print("\n" + "\n\n".join(filter(None, (markdown(rows), diversity(rows)))))
    if failed:
        print(f"\n{len(failed)} runs failed:\n" + "\n".join(failed), file=sys.stderr)
    return 1 if failed else 0


def _tell_foreign(given: Mapping[str, Row], grid: Sequence[Cell]) -> None:
    """Says how many of the given rows are of no run of the grid, such as those of former settings."""
    known = {run.id for cell in grid for run in (cell, cell.teacher) if run}
    if foreign := len(given.keys() - known):
        print(f"{foreign} of {len(given)} given rows are of other grids, settings or versions and are left out",
              file=sys.stderr, flush=True)


def _write_jsonl(path: Path, rows: Sequence[Row]) -> None:
    told = ({key: value for key, value in row.items() if key != "model"} for row in rows)  # a path of this machine
    try:
        write_text(path, "".join(json.dumps(row) + "\n" for row in told))
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); choose another file with --jsonl.") from None


if __name__ == "__main__":
    sys.exit(main())
