"""Processes that are killed at a random moment and started again, over and over."""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from .forked import Tally, each, note, place_of
from .reading import quiet
from .scenes import Scene, prepare_all, some

PROMISE = "A run, sweep, recording or export that is killed at any moment leaves whole files, and goes on to the " \
          "very bits of one that nothing disturbed"
GUARDS = ("system/test_resume.py", "system/test_sweep_resume.py", "system/test_record.py", "system/test_interrupt.py",
          "system/test_run.py", "unit/test_checkpoint.py", "unit/test_files.py", "unit/test_formats_store.py")
MOST = 6  # kills of one scene before it is left alone


def attack(seed: int, count: int, workers: int, work: Path) -> Tally:
    """Kills ``count`` processes or a few more; a case is a scene with all of its kills."""
    scenes, tally, first = some(seed, count), Tally(), 0
    prepare_all(scenes, work, workers)

    def case(number: int) -> tuple[str, str]:
        scene = scenes[number % len(scenes)]
        note(scene.name)
        kills, fault = _disturbed(scene, work / scene.name, random.Random(f"{seed} kills {number}"))
        return f"{scene.name}: {kills}", fault and f"{scene.name}: {fault}"

    while tally.cases < count:  # a scene is killed as often as luck will have it, so this shows on the way
        part = each(len(scenes), _from(case, first), workers, 120)
        first += len(scenes)
        for kind, cases in part.kinds.items():
            name, _, kills = kind.partition(": ")
            tally.kinds[f"{name}, killed"] += cases * int(kills or 1)
        tally.findings += part.findings
    return tally


def _from(case: Callable[[int], tuple[str, str]], first: int) -> Callable[[int], tuple[str, str]]:
    return lambda number: case(first + number)


def _disturbed(scene: Scene, place: Path, luck: random.Random) -> tuple[int, str]:
    """A scene that is killed until it comes to its end; how often it was, and what was wrong."""
    wanted, seconds = json.loads((place / "wanted.json").read_text())
    here = place / f"here-{os.getpid()}" / "now"
    shutil.rmtree(here, ignore_errors=True)
    shutil.copytree(place / "before", here)
    kills = 0
    while kills < MOST:
        delay = luck.uniform(0, seconds)
        status = in_child(scene, here, delay)
        if fault := looked_at(scene, here):
            return kills, f"after kill {kills + 1}, {delay:.3f} s after its start, {fault}"
        if status == "SIGKILL":
            kills += 1
        elif status:
            return kills, f"done again after {kills} kills, it ended with {status}: {said(here)}"
        else:
            break
    else:
        if status := in_child(scene, here, None):
            return kills, f"done again after {kills} kills, it ended with {status}: {said(here)}"
    with contextlib.chdir(here):
        same = scene.result() == wanted
    return kills, "" if same else f"its result after {kills} kills differs from that of an undisturbed one"


def in_child(scene: Scene, here: Path, delay: float | None, first: Callable[[], object] = lambda: None) -> str:
    """Does a scene in a child; how it ended ("" for well). ``delay``: seconds until it is killed, None for never.

    What it says goes through a pipe, so that a child that may write no file can tell of it.
    """
    pipe, end = os.pipe()
    pid = os.fork()
    if not pid:
        status = 1
        try:
            os.dup2(end, 1)
            os.dup2(end, 2)
            sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
            os.chdir(here)
            first()
            status = scene.act()
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)
    os.close(end)
    words, deadline = b"", time.monotonic() + (60 if delay is None else delay)
    while (left := deadline - time.monotonic()) > 0 and select.select([pipe], [], [], left)[0]:
        if not (more := os.read(pipe, 65536)):
            break
        words += more
    else:
        os.kill(pid, signal.SIGKILL)
    os.close(pipe)
    here.with_name("said").write_bytes(words)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return f"status {os.WEXITSTATUS(status)}" if status else ""


def looked_at(scene: Scene, here: Path) -> str:
    """What is wrong with the files that a scene left so far; "" for nothing."""
    try:
        with contextlib.chdir(here), quiet():
            scene.look()
    except Exception as error:
        return f"a file is not whole: {error} {place_of(error)}"
    return ""


def said(here: Path) -> str:
    """The last that a child said."""
    return " | ".join(here.with_name("said").read_text(errors="replace").strip().splitlines()[-3:])[-600:]
