"""How long something takes, beside other things that take turns with it.

Others use the machine, too: what is compared is measured in turns, in small portions, by the processor's time, and what
counts is the median of the ratios of the turns.  On a GPU, whose work no processor's clock sees, it is the time by the
wall, from an idle device to an idle device.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch as th

Call = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """Times of one thing.

    Attributes:
        rounds: the median time of a call in each round, in seconds.
    """

    rounds: tuple[float, ...]

    @property
    def seconds(self) -> float:
        """The median over the rounds."""
        return float(np.median(self.rounds))

    @property
    def ms(self) -> float:
        """The same in milliseconds, to four digits."""
        return digits(self.seconds * 1e3)

    def over(self, other: Timing) -> float:
        """How many times as long as the other's it takes: the median of the ratios, round by round, to three digits."""
        return digits(float(np.median([a / b for a, b in zip(self.rounds, other.rounds, strict=True)])), 3)


def digits(value: float, n: int = 4) -> float:
    """A number to ``n`` significant digits."""
    return float(f"{value:.{n}g}")


def clock(device: str = "cpu") -> Callable[[], float]:
    """A clock for work on a device."""
    if device == "cpu":
        return time.process_time

    def now() -> float:
        th.cuda.synchronize()
        return time.perf_counter()
    return now


def interleaved(calls: Mapping[str, Call], rounds: int, times: int, warm: int = 3, device: str = "cpu",
                ) -> dict[str, Timing]:
    """Measures what takes turns.

    Args:
        calls: by name; each does its work once.
        rounds: number of turns of each.
        times: calls in a turn.
        warm: calls before the first turn, which are not measured.
        device: that does the work.
    """
    now = clock(device)
    for call in calls.values():
        for _ in range(warm):
            call()
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            took = []
            for _ in range(times):
                started = now()
                call()
                took.append(now() - started)
            found[name].append(max(float(np.median(took)), 1e-9))
    return {name: Timing(tuple(values)) for name, values in found.items()}


def once(call: Call, device: str = "cpu") -> float:
    """Seconds of one call."""
    now = clock(device)
    started = now()
    call()
    return max(now() - started, 1e-9)
