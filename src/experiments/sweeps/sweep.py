"""Doing the runs of a grid: those without rows, each after the one that trains its teacher."""

from __future__ import annotations

import signal
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np

from ...utils.process import handling, interrupt
from ...utils.progress import Counter, counting
from ..rows.origin import code_of, of_other_code
from ..rows.reading import Row
from ..rows.store import Store
from .backends import Backend
from .grid import RunSpec
from .jobs import Job, JobId, missing_jobs
from .progress import Progress
from .validity import code_now, unfit
from .work import JobResult

LOOK = 1.0  # seconds between changes of the live line, if there is one


class Sweep:
    """The runs of a grid in one folder; those of the sweeps that train its teachers are in the folders beside it.

    Args:
        folder: of the rows, made if needed.
        given: rows by their ``id`` that count where the folder has none.
        redo: whether to do runs anew whose rows were made by other or unknown code.

    Raises:
        UserError: the folder cannot be written.
    """

    def __init__(self, folder: Path, given: Mapping[str, Row], redo: bool = False) -> None:
        self._given, self._stores = given, dict[Path, Store]()
        self.folder, self.redo = folder, redo
        self._store("")

    def run(self, specs: Sequence[RunSpec], make: Callable[[], Backend]) -> list[str]:
        """Does what has no row yet, and before it the teachers that it needs.

        Args:
            specs: the runs to do; the whole stack is done for a run of a stack.
            make: makes the backend, if there is anything to do.

        Returns:
            A sentence for every run that failed.

        Raises:
            UserError: a folder is in use, or cannot be written.
            KeyboardInterrupt: SIGINT or SIGTERM; the runs in progress are lost, finished ones are not.
        """
        with ExitStack() as locks:
            locks.enter_context(self._store("").locked())
            jobs = missing_jobs(specs, self._store, self._is_done)
            for folder in {Path(job.folder) for job in jobs} - {self.folder}:
                locks.enter_context(self._stores[folder].locked())
            jobs = missing_jobs(specs, self._store, self._is_done)  # again: another sweep may have trained teachers
            missing = {spec.id for job in jobs for spec in job.specs}
            done = [row for row in self.rows(specs) if row["id"] not in missing]
            elsewhere = sum(Path(job.folder) != self.folder for job in jobs)
            print(f"{len(done)} of {len(specs)} runs are done already"
                  + (f"; missing teachers: {elsewhere}" if elsewhere else ""), flush=True)
            self._tell_origins(specs, jobs)
            if not jobs:
                return []
            backend = make()
            try:
                with handling((signal.SIGTERM,), interrupt), \
                        counting(f"sweep {self.folder.name}", len(jobs), "runs", foremost=True) as counter:
                    return self._do(jobs, backend, Progress(jobs, done), counter)
            finally:
                backend.stop()

    def rows(self, specs: Sequence[RunSpec]) -> list[Row]:
        """The rows that there are, those of other code among them, in the order of the runs."""
        found: dict[str, Row] = {}
        for spec in specs:
            if spec.id not in found:
                ids = [each.id for each in spec.together()]
                rows = self._store("").rows(ids, partial(_fits, spec))
                found.update((row["id"], row) for row in rows)
        return [found[spec.id] for spec in specs if spec.id in found]

    def _is_done(self, spec: RunSpec, row: Row) -> bool:
        return not unfit(spec, row) and (not self.redo or code_of(row) == code_now(spec))

    def _tell_origins(self, specs: Sequence[RunSpec], jobs: Sequence[Job]) -> None:
        """Says which rows do not count, and how many others are of other code."""
        refused: defaultdict[str, list[str]] = defaultdict(list)
        for job in jobs:
            for spec in job.specs:
                store = self._stores[Path(job.folder)]
                reasons = {reason for row in store.all_of(spec.id) if (reason := unfit(spec, row))}
                for reason in sorted(reasons):
                    refused[reason].append(spec.id)
        for reason, ids in refused.items():
            one = len(ids) == 1
            print(f"the row {ids[0]} was {reason}; it is made anew" if one else
                  f"{len(ids)} rows were {reason}; they are made anew", file=sys.stderr, flush=True)
        now = {spec.id: code_now(spec) for spec in specs}
        if told := of_other_code(self.rows(specs), lambda row: now[row["id"]]):
            print(f"{told}; {'they are made anew' if self.redo else '--redo makes them anew'}", flush=True)

    def _do(self, jobs: Sequence[Job], backend: Backend, progress: Progress, counter: Counter) -> list[str]:
        """Does the jobs, each after that of its teacher, and writes their rows."""
        waiting, running, failed = list(jobs), dict[Future[JobResult], Job](), list[str]()
        models: dict[JobId, str] = {}
        lost: set[JobId] = set()

        def fail(job: Job, reason: str) -> None:
            progress.drop(job)
            lost.add(job.id)
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
            counter.at(progress.done, f"{len(failed)} failed" if failed else "",
                       progress.seconds_left(backend.slots) if progress.is_timed else None)
            for future in wait(running, LOOK if counter.is_live else None, FIRST_COMPLETED).done:
                job = running.pop(future)
                result = _result(future)
                if isinstance(result, str):
                    fail(job, result)
                    continue
                store = self._stores[Path(job.folder)]
                store.write(result)
                models[job.id] = store.model(job.specs[0].id)
                progress.finish(job, result)
                print(f"[{progress.line(backend.slots)}] {job.name}: {_told(result)}", flush=True)
        return failed

    def _store(self, sweep: str) -> Store:
        folder = self.folder.with_name(Path(sweep).stem) if sweep else self.folder
        if folder not in self._stores:
            self._stores[folder] = Store(folder, self._given)
        return self._stores[folder]


def _fits(spec: RunSpec, row: Row) -> bool:
    return not unfit(spec, row)


def _result(future: Future[JobResult]) -> JobResult:
    try:
        return future.result()
    except Exception as error:  # a backend's own, such as a crashed worker of Ray's
        return f"its process failed ({(str(error).strip().splitlines() or [type(error).__name__])[0]})"


def _told(rows: Sequence[Row]) -> str:
    value, best = np.mean([row["headline"] for row in rows]), rows[0]["headline_optimum"]
    of = "" if best is None else f" of {best:.4f}"
    return f"{value:.4f}{of} in {sum(row['seconds'] for row in rows):.0f} s"
