"""Every write fails once: the disk is full, the folder forbidden, or the process dies in that very call."""

from __future__ import annotations

import builtins
import contextlib
import errno
import io
import json
import os
import random
import resource
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch as th

from .forked import Tally, each, note
from .kills import in_child, looked_at, said
from .reading import fault_of
from .scenes import SCENES, Scene, prepare_all, some

PROMISE = "Whichever write fails (disk full, forbidden, process gone), files that were there are whole, a sentence " \
          "says what failed, and the same command goes on to the same bits"
GUARDS = ("system/test_faults.py", "unit/test_files.py", "unit/test_checkpoint.py", "unit/test_formats_store.py",
          "system/test_record.py")
WAYS = {"disk full": errno.ENOSPC, "forbidden": errno.EACCES, "dies": 0}
SIZES = (0, 100, 1000, 3000, 10_000, 30_000, 100_000)  # bytes that a file may have, as on a disk that fills up
CALLS = ("fsync", "replace", "rename", "mkdir", "unlink", "rmdir", "chmod", "ftruncate", "link", "symlink")


class Failing:
    """Counts the calls of this process that change files below a folder, and lets one of them fail.

    Args:
        folder: others, such as Python's own caches, do not count.
        number: of the call that fails, counted from 1.
        code: ``errno`` of the error; 0: the process ends in that call.
    """

    def __init__(self, folder: Path, number: int, code: int) -> None:
        self.folder, self.number, self.code, self.count = str(folder), number, code, 0

    def step(self, what: str, path: Any, only: tuple[type[Exception], ...] = (OSError,)) -> None:
        """One call; raises, or ends the process, if it is the one."""
        if not self._is_inside(path):
            return
        self.count += 1
        if self.count != self.number:
            return
        name = str(path) if not isinstance(path, int) else os.readlink(f"/proc/self/fd/{path}")
        Path(f"{self.folder}.failed").write_text(f"{what} {os.path.relpath(name, self.folder)}")
        if not self.code:
            os._exit(99)
        if only == (RuntimeError,):  # how torch tells of it
            raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0")
        raise OSError(self.code, os.strerror(self.code), name)

    def _is_inside(self, path: Any) -> bool:
        with contextlib.suppress(OSError, TypeError, ValueError):
            place = os.readlink(f"/proc/self/fd/{path}") if isinstance(path, int) else os.path.abspath(os.fspath(path))
            return str(place).startswith(f"{self.folder}/")
        return False

    def install(self) -> None:
        """Patches this process, for good."""
        for name in CALLS:
            setattr(os, name, self._counted(name, getattr(os, name)))
        real_open, real_os_open, real_save = io.open, os.open, th.save

        def opened(file: Any, mode: str = "r", buffering: int = -1, encoding: Any = None, errors: Any = None,
                   newline: Any = None, closefd: bool = True, opener: Any = None) -> Any:
            if not set(mode) & set("wxa+"):
                return real_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
            self.step("open", file)
            raw = self._raw(file, mode.replace("b", "").replace("t", ""), closefd, opener)
            if not self._is_inside(raw.fileno()):
                raw.close() if closefd and not isinstance(file, int) else None
                return real_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
            kind = io.BufferedRandom if "+" in mode else io.BufferedWriter
            buffered = kind(raw)
            return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)

        def os_opened(path: Any, flags: int, *more: Any, **named: Any) -> int:
            if flags & (os.O_WRONLY | os.O_RDWR):
                self.step("open", path)
            return real_os_open(path, flags, *more, **named)

        def saved(value: Any, file: Any, *more: Any, **named: Any) -> None:
            self.step("torch.save", file, (RuntimeError,))
            real_save(value, file, *more, **named)

        io.open = builtins.open = opened
        os.open, th.save = os_opened, saved

    def _counted(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *more: Any, **named: Any) -> Any:
            self.step(name, path)
            return real(path, *more, **named)

        return call

    def _raw(self, file: Any, mode: str, closefd: bool, opener: Any) -> io.FileIO:
        failing = self

        class Raw(io.FileIO):
            def write(self, content: Any) -> int:
                failing.step("write", self.fileno())
                return super().write(content)  # type: ignore[return-value]

        return Raw(file, mode, closefd, opener)


def limit_size(size: int) -> None:
    """No file of this process can become larger, whoever writes it."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def attack(seed: int, count: int, workers: int, work: Path, first: int = 0) -> Tally:
    """Lets each call of each scene fail in each way, or ``count`` of these, in an order drawn by the seed.

    Args:
        first: how many of them to pass over, for what an earlier attack has tried; then all scenes are in.
    """
    scenes = some(seed, len(SCENES) if first else max(2, count // 20))
    prepare_all(scenes, work, workers)
    totals = {scene.name: _calls(scene, work / scene.name) for scene in scenes}
    cases: list[tuple[Scene, str, int]] = [(scene, way, number) for scene in scenes for way in WAYS
                                           for number in range(1, totals[scene.name] + 1)]
    cases += [(scene, "full at", size) for scene in scenes for size in SIZES]
    random.Random(seed).shuffle(cases)
    cases = cases[first:first + count]

    def case(number: int) -> tuple[str, str]:
        scene, way, call = cases[number]
        note(f"{scene.name}, {way}, call {call}")
        fault = _with_fault(scene, work / scene.name, way, call)
        return f"{scene.name}: {way}", fault and f"{scene.name}, {way} {call} of {totals[scene.name]}, {fault}"

    return each(len(cases), case, workers, 120)


def _calls(scene: Scene, place: Path) -> int:
    """How many calls the undisturbed scene makes."""
    here, failing = _fresh(place), []

    def count() -> None:
        counter = Failing(here, -1, 0)
        counter.install()
        failing.append(counter)

    def counted() -> int:
        status = scene.act()
        Path(f"{here}.calls").write_text(str(failing[0].count))
        return status

    assert not in_child(Scene(scene.name, counted, scene.result, scene.look), here, None, count), said(here)
    return int(Path(f"{here}.calls").read_text())


def _fresh(place: Path) -> Path:
    here = place / f"fault-{os.getpid()}" / "now"
    shutil.rmtree(here.parent, ignore_errors=True)
    shutil.copytree(place / "before", here)
    return here


def _with_fault(scene: Scene, place: Path, way: str, call: int) -> str:
    """Does a scene with one fault, then once more without; what was wrong."""
    here = _fresh(place)
    here.with_name("now.failed").write_text("")
    if way == "full at":
        status = in_child(scene, here, None, lambda: limit_size(call))
    else:
        status = in_child(scene, here, None, lambda: Failing(here, call, WAYS[way]).install())
    what = f"in {here.with_name('now.failed').read_text() or 'a write'}: "
    if fault := looked_at(scene, here):
        return what + fault
    if status and status != "status 99" and (fault := _told_badly(status, said(here))):
        return what + fault
    if status and way != "dies" and (left := _left_over(here, place)):
        return f"{what}{left} is left over"
    if status:
        again = in_child(scene, here, None)
        if again:
            return f"{what}done again, it ended with {again}: {said(here)}"
    if fault := looked_at(scene, here):
        return f"{what}done again, {fault}"
    with contextlib.chdir(here):
        same = scene.result() == json_of(place)
    return "" if same else f"{what}its result differs from that of an undisturbed one (first ended with {status or 0})"


def json_of(place: Path) -> str:
    """The result of the undisturbed scene."""
    return str(json.loads((place / "wanted.json").read_text())[0])


def _told_badly(status: str, words: str) -> str:
    if "Traceback" in words or status not in ("status 1", "status 2"):
        return f"no sentence, {status}: {words}"
    return fault_of(words.split(" | ")[-1])


def _left_over(here: Path, place: Path) -> str:
    """A temporary file or folder that nobody will ever look for."""
    before = {file.relative_to(place / "before") for file in (place / "before").rglob("*")}
    found = [file.relative_to(here) for file in sorted(here.rglob(".*")) if file.name != ".lock"]
    return ", ".join(str(file) for file in found if file not in before)
