"""One run of very many updates: its memory and the time of an update stay what they were."""

from __future__ import annotations

import contextlib
import gc
import itertools
import resource
import time
from collections.abc import Mapping
from pathlib import Path

import torch as th

from epymarl_cpa.cli import main
from epymarl_cpa.observers import REGISTRY, Observer

from .forked import Tally, each
from .reading import quiet
from .scenes import preload

PROMISE = "However long a run is, it takes no more memory and no more time for an update than at its beginning"
GUARDS = ("unit/test_observers.py", "system/test_run.py")
PARTS = 20  # of the run, that are compared
MEMORY = 32 * 2**20  # bytes that may come in over the whole run: curves are kept, and allocators keep what was freed
SLOWER = 1.15  # times the median of the first half that the median of the second may take


class Gauge(Observer):
    """Processor time, memory, and how fast the machine is just then, at every log of statistics."""

    told: list[tuple[int, float, int, float]]

    def __init__(self) -> None:
        self.told = Gauge.told = []
        self.work, self.spent = th.eye(48) + 0.01, 0.0

    def statistics(self, t_env: int, values: Mapping[str, float]) -> None:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        before = time.process_time()
        for _ in range(300):  # work that is always the same, since others use the machine, too
            th.linalg.solve(self.work, self.work)
        after = time.process_time()
        self.spent += after - before
        self.told.append((t_env, after - self.spent, pages * resource.getpagesize(), after - before))


def attack(seed: int, count: int, workers: int, work: Path) -> Tally:
    """One run of ``count`` updates."""
    preload()
    return each(1, lambda _: _long(seed, count, work), 1, 24 * 3600)


def _long(seed: int, count: int, work: Path) -> tuple[str, str]:
    REGISTRY["gauge"] = Gauge
    with contextlib.chdir(work), quiet():
        status = main(["main.py", "--config=cpa_ar", "--env-config=xor", "with", f"seed={seed}", f"t_max={count}",
                       f"test_interval={count // PARTS}", f"learner_log_interval={count // PARTS}", "observers=[gauge]",
                       "hidden_dim=16", "batch_size=32", "test_nepisode=20"])
    gaps = sorted(b[0] - a[0] for a, b in itertools.pairwise(Gauge.told))
    # Not the single updates between an evaluation and what is told right after it.
    pairs = [(a, b) for a, b in itertools.pairwise(Gauge.told) if 2 * (b[0] - a[0]) > gaps[-1]]
    times = [(b[1] - a[1]) / (b[0] - a[0]) / (a[3] + b[3]) for a, b in pairs]  # beside that other work
    first, last = sorted(times[1: len(times) // 2]), sorted(times[len(times) // 2:])
    ratio = last[len(last) // 2] / first[len(first) // 2]
    each_took = (Gauge.told[-1][1] - Gauge.told[0][1]) / count
    more = Gauge.told[-1][2] - Gauge.told[1][2]  # the first has not seen an evaluation and a checkpoint yet
    kind = f"run of {count:,} updates ({1000 * each_took:.2f} ms each, later {ratio:.2f} times as long as at first, " \
           f"{more / 2**20:+.1f} MiB)"
    faults = [*([f"exit status {status}"] if status else []),
              *([f"updates take {ratio:.2f} times as long at the end"] if ratio > SLOWER else []),
              *([f"{more / 2**20:.0f} MiB more memory at the end"] if more > MEMORY else [])]
    return kind, "; ".join(faults)
