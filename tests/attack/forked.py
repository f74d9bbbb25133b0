"""Cases in forked children: one that crashes, hangs or eats the memory costs a finding and not the run."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import select
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

#: a case by its number: what kind it was, and what was wrong ("" for nothing)
Case = Callable[[int], tuple[str, str]]


_END = -1  # of this child's pipe


def note(text: str) -> None:
    """Says what the case in progress is about, for the case that it never ends, or raises."""
    if _END >= 0:
        os.write(_END, json.dumps([-1, text[:500], ""]).encode() + b"\n")


@dataclass
class Tally:
    """What came of some cases: how many of each kind, and a line for each fault."""

    kinds: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    @property
    def cases(self) -> int:
        return self.kinds.total()

    def add(self, kind: str, finding: str = "") -> None:
        self.kinds[kind] += 1
        if finding:
            self.findings.append(finding)


@dataclass
class _Lane:
    """One child at a time, which does every ``step``-th case from ``next`` on."""

    next: int
    pid: int = 0
    pipe: int = -1
    rest: bytes = b""
    about: str = ""
    deadline: float = 0.0


def each(count: int, case: Case, workers: int, seconds: float, memory: int = 0) -> Tally:
    """Does the cases 0 to ``count`` - 1.

    Args:
        count: how many.
        case: does one; what it raises is a finding.
        workers: children at once.
        seconds: that one case may take.
        memory: bytes of address space that a child may have beyond those of this process; 0 for no limit.
    """
    tally, lanes = Tally(), [_Lane(first) for first in range(min(workers, count))]
    for lane in lanes:
        _start(lane, count, case, workers, seconds, memory)
    while running := {lane.pipe: lane for lane in lanes if lane.pid}:
        ready, _, _ = select.select(list(running), [], [], 0.2)
        for lane in running.values():
            if lane.pipe in ready and (data := os.read(lane.pipe, 65536)):
                lane.deadline = time.monotonic() + seconds
                *lines, lane.rest = (lane.rest + data).split(b"\n")
                for line in lines:
                    number, kind, finding = json.loads(line)
                    if number < 0:
                        lane.about = kind
                        continue
                    about = f"{lane.about}: " if kind == "raised" and lane.about else ""
                    tally.add(kind, finding and f"case {number}: {about}{finding}")
                    lane.next, lane.about = number + workers, ""
            elif lane.pipe in ready or time.monotonic() > lane.deadline:
                if lane.pipe not in ready:
                    os.kill(lane.pid, signal.SIGKILL)
                late, status = lane.pipe not in ready, _ended(lane)
                if lane.next < count:
                    how = f"took more than {seconds:g} s" if late else f"its process ended ({status})"
                    tally.add("crashed", f"case {lane.next}: {lane.about}: {how}")
                    lane.next += workers
                    _start(lane, count, case, workers, seconds, memory)
    return tally


def once(work: Callable[[], object]) -> None:
    """Does something in a child, so that its threads and imports are not those of later children."""
    tally = each(1, lambda _: (work() and "") or ("done", ""), 1, 300)
    if tally.findings:
        raise RuntimeError("\n".join(tally.findings))


def _start(lane: _Lane, count: int, case: Case, step: int, seconds: float, memory: int) -> None:
    if lane.next >= count:
        lane.pid = 0
        return
    pipe, end = os.pipe()
    gc.freeze()
    sys.stdout.flush()
    lane.pid, lane.pipe, lane.rest, lane.deadline = os.fork(), pipe, b"", time.monotonic() + seconds
    if lane.pid:
        os.close(end)
        return
    global _END
    _END = end
    try:
        os.close(pipe)
        if memory:
            limit = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + memory
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        for number in range(lane.next, count, step):
            kind, finding = _told(case, number)
            os.write(end, json.dumps([number, kind, finding]).encode() + b"\n")
    finally:
        os._exit(0)


def _told(case: Case, number: int) -> tuple[str, str]:
    try:
        return case(number)
    except BaseException as error:
        return "raised", f"{type(error).__name__}: {error} {place_of(error)}"


def place_of(error: BaseException) -> str:
    """Where in the code an error was raised, innermost last: ``(file.py:12 < caller.py:3)``."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    return "(" + " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames)) + ")"


def _ended(lane: _Lane) -> str:
    _, status = os.waitpid(lane.pid, 0)
    with contextlib.suppress(OSError):
        os.close(lane.pipe)
    lane.pid = 0
    return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else f"status {status}"
