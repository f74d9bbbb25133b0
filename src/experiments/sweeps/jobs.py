"""What a sweep has still to do, as jobs of one run or of one stack of runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from ..rows.reading import Row
from ..rows.store import Store
from .grid import RunSpec
from .validity import code_now

JobId = tuple[str, str]


@dataclass(frozen=True)
class Job:
    """What one process does at a stretch.

    Attributes:
        specs: one run, or the runs of a stack.
        folder: where their rows belong; what they leave beside rows goes to ``runs`` in it.
        model: absolute path of the teacher's model, if it is there already.
        after: id of the job that trains the teacher, if it is not.
        code: digest of the code that the sweep expects to do it; empty for any.
    """

    specs: tuple[RunSpec, ...]
    folder: str
    model: str = ""
    after: JobId | None = None
    code: str = ""

    @property
    def id(self) -> JobId:
        """What tells jobs apart."""
        return self.folder, self.specs[0].id

    @property
    def name(self) -> str:
        """What to call the job in messages."""
        spec = self.specs[0]
        return f"{spec.alg}-{spec.env}-{spec.config['dataset']}-{len(self.specs)}_seeds" if spec.stack else spec.id

    @property
    def kind(self) -> tuple[str, str, int]:
        """Method, game and number of seeds: jobs of one kind take about as long as one another."""
        return self.specs[0].alg, self.specs[0].place[0], len(self.specs)


def missing_jobs(specs: Sequence[RunSpec], store_of: Callable[[str], Store], counts: Callable[[RunSpec, Row], bool],
                 ) -> list[Job]:
    """Jobs for the runs without rows that count, each with the one that trains its teacher before it.

    Args:
        specs: the wanted runs; a stack is always done as a whole.
        store_of: the store of a sweep's rows by the sweep's name, empty for that of ``specs``.
        counts: whether a row counts for a run.
    """
    jobs: dict[JobId, Job] = {}
    seen: set[str] = set()
    for spec in specs:
        if spec.id in seen:
            continue
        together, store = spec.together(), store_of("")
        seen |= {other.id for other in together}
        if store.rows([other.id for other in together], partial(counts, spec)):
            continue
        job = Job(together, str(store.folder), code=code_now(spec))
        if first := spec.first:
            place = store_of(spec.first_sweep)
            training = Job((first,), str(place.folder), code=code_now(first))
            model = place.model(first.id, partial(counts, first))
            if not model:
                jobs.setdefault(training.id, training)
            job = Job(together, str(store.folder), model, None if model else training.id, job.code)
        jobs.setdefault(job.id, job)
    return list(jobs.values())
