"""What a sweep has still to do, as jobs of one run or of one stack of runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .grid import Cell
from .store import Store

Key = tuple[str, str]


@dataclass(frozen=True)
class Job:
    """What one process does at a stretch.

    Attributes:
        cells: one run, or the runs of a stack.
        folder: where their rows belong; what they leave beside rows goes to ``runs`` in it.
        model: absolute path of the teacher's model, if it is there already.
        after: key of the job that trains the teacher, if it is not.
    """

    cells: tuple[Cell, ...]
    folder: str
    model: str = ""
    after: Key | None = None

    @property
    def key(self) -> Key:
        """What tells jobs apart."""
        return self.folder, self.cells[0].id

    @property
    def name(self) -> str:
        """What to call the job in messages."""
        cell = self.cells[0]
        return f"{cell.alg}-{cell.env}-{cell.config['dataset']}-{len(self.cells)}_seeds" if cell.stack else cell.id

    @property
    def kind(self) -> tuple[str, str, int]:
        """Method, game and number of seeds: jobs of one kind take about as long as one another."""
        return self.cells[0].alg, self.cells[0].env, len(self.cells)


def plan(cells: Sequence[Cell], store_of: Callable[[str], Store]) -> list[Job]:
    """Jobs for the runs without rows, each behind the one that trains its teacher.

    Args:
        cells: the wanted runs; a stack is always done as a whole.
        store_of: the store of a sweep's rows by the sweep's name, empty for that of ``cells``.
    """
    jobs: dict[Key, Job] = {}
    seen: set[str] = set()
    for cell in cells:
        if cell.id in seen:
            continue
        together, store = cell.together(), store_of("")
        seen |= {other.id for other in together}
        if store.rows([other.id for other in together]):
            continue
        job = Job(together, str(store.folder))
        if cell.teacher:
            place = store_of(cell.teachers)
            teaching = Job((cell.teacher,), str(place.folder))
            model = place.model(cell.teacher.id)
            if not model:
                jobs.setdefault(teaching.key, teaching)
            job = Job(together, str(store.folder), model, None if model else teaching.key)
        jobs.setdefault(job.key, job)
    return list(jobs.values())
