"""How far a sweep is, and how long it will still take."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from ..rows.names import game_of
from ..rows.reading import Row
from .jobs import Job, JobId


class Progress:
    """Counts finished jobs and guesses the rest from them.

    A job is expected to take as long as those of its kind (method, game, number of seeds) did on average, else
    as long as those on its game, else as long as all; so guesses improve as kinds come up.

    Args:
        jobs: all that there are to do.
        rows: of runs that were finished earlier, which tell how long their kinds take.
    """

    def __init__(self, jobs: Sequence[Job], rows: Iterable[Row]) -> None:
        self.total, self.done = len(jobs), 0
        self._left = {job.id: job for job in jobs}
        self._begun: dict[JobId, float] = {}
        self._seconds: defaultdict[tuple[object, ...], list[float]] = defaultdict(list)
        for row in rows:
            size = row.get("stacked", 1)
            self._add((row["alg"], game_of(row), size), row["seconds"] * size)

    def begin(self, job: Job) -> None:
        self._begun[job.id] = time.monotonic()

    def drop(self, job: Job) -> None:
        """The job has failed, or will never be begun."""
        self.done += 1
        self._left.pop(job.id)
        self._begun.pop(job.id, None)

    def finish(self, job: Job, rows: Iterable[Row]) -> None:
        self._add(job.kind, sum(row["seconds"] for row in rows))
        self.drop(job)

    @property
    def is_timed(self) -> bool:
        """Whether it is known of any run how long it takes."""
        return bool(self._seconds)

    def seconds_left(self, slots: int) -> float:
        """The guess, for ``slots`` jobs at once; at least the longest job's rest."""
        now = time.monotonic()
        rests = [max(0.0, self._expected(job) - (now - self._begun.get(name, now))) for name, job in self._left.items()]
        return max(sum(rests) / slots, max(rests, default=0.0))

    def line(self, slots: int) -> str:
        """Such as ``3/20, 12 min left, kinds of runs not timed yet: 2``."""
        minutes = self.seconds_left(slots) / 60
        unknown = len({job.kind for job in self._left.values() if job.kind not in self._seconds})
        return ", ".join([f"{self.done}/{self.total}",
                          f"{minutes / 60:.1f} h left" if minutes >= 90 else f"{minutes:.0f} min left",
                          *([f"kinds of runs not timed yet: {unknown}"] if unknown else [])])

    def _add(self, kind: tuple[str, str, int], seconds: float) -> None:
        for key in (kind, kind[1:2], ()):
            self._seconds[key].append(seconds)

    def _expected(self, job: Job) -> float:
        for key in (job.kind, job.kind[1:2], ()):
            if key in self._seconds:
                return float(np.mean(self._seconds[key]))
        return 0.0
