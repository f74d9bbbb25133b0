"""One run of very many updates: its memory and the time of an update stay what they were."""

from __future__ import annotations

import contextlib
import gc
import resource
import time
from collections.abc import Mapping
from pathlib import Path

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
    """Processor time and memory at every log of statistics."""

    told: list[tuple[int, float, int]]

    def __init__(self) -> None:
        self.told = Gauge.told = []

    def statistics(self, t_env: int, values: Mapping[str, float]) -> None:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.told.append((t_env, time.process_time(), pages * resource.getpagesize()))


def attack(seed: int, count: int, workers: int, work: Path) -> Tally:
    """One run of ``count`` updates."""
    preload()
    tally = each(1, lambda _: _long(seed, count, work), 1, 24 * 3600)
    return tally


def _long(seed: int, count: int, work: Path) -> tuple[str, str]:
    REGISTRY["gauge"] = Gauge
    with contextlib.chdir(work), quiet():
        status = main(["main.py", "--config=cpa_ar", "--env-config=xor", "with", f"seed={seed}", f"t_max={count}",
                       f"test_interval={count // PARTS}", f"learner_log_interval={count // PARTS}", "observers=[gauge]",
                       "hidden_dim=16", "batch_size=32", "test_nepisode=20"])
    times = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in zip(Gauge.told, Gauge.told[1:], strict=False)]
    first, last = sorted(times[1: PARTS // 2]), sorted(times[PARTS // 2:])
    ratio = last[len(last) // 2] / first[len(first) // 2]
    more = Gauge.told[-1][2] - Gauge.told[1][2]  # the first has not seen an evaluation and a checkpoint yet
    kind = f"run of {count:,} updates ({1000 * first[len(first) // 2]:.2f} ms each at first, {ratio:.2f} times that " \
           f"later, {more / 2**20:+.1f} MiB)"
    faults = [*([f"exit status {status}"] if status else []),
              *([f"updates take {ratio:.2f} times as long at the end"] if ratio > SLOWER else []),
              *([f"{more / 2**20:.0f} MiB more memory at the end"] if more > MEMORY else [])]
    return kind, "; ".join(faults)
