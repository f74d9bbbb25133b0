"""Files that somebody made to do harm: nothing in them is run, nothing outside is touched, memory stays bounded."""

from __future__ import annotations

import os
import random
import shutil
import sys
from pathlib import Path

from . import hostile_pickles, hostile_places, hostile_strings, samples
from .forked import Tally, each, note, once
from .reading import attempt
from .traps import CANARY, MODULE, SOURCE, springs

PROMISE = "Nothing in a file is ever run or imported, no path in it leads out, and reading it takes bounded time and " \
          "memory"
GUARDS = ("unit/test_trust.py", "unit/test_bounded.py", "property/test_dataset_files.py", "unit/test_checkpoint.py",
          "contract/test_overcooked.py", "unit/test_npy_folder.py", "unit/test_formats_minari.py",
          "system/test_deploy.py")
MEMORY = 2**31  # bytes that reading may take at most
SECONDS = 30


def attack(seed: int, count: int, workers: int, work: Path) -> Tally:
    """``count`` of the hostile files, drawn by the seed; all of them where that is more than there are."""
    whole = work / "whole"
    if not whole.exists():
        whole.mkdir()
        once(lambda: samples.build(whole))
    known = {sample.path: sample.read for sample in samples.available()}
    found = [hostile for module in (hostile_pickles, hostile_strings, hostile_places) for hostile in module.cases()
             if hostile.sample in known]
    random.Random(seed).shuffle(found)

    def works(_: int) -> tuple[str, str]:
        place = _place(work, MODULE)
        failed = [*springs(place)]
        return "trap that works", f"traps that do not work prove nothing: {', '.join(failed)}" if failed else ""

    def case(number: int) -> tuple[str, str]:
        hostile = found[number]
        note(hostile.name)
        place = _place(work, f"hostile-{os.getpid()}")
        outside = _names(work)
        path = place / hostile.sample
        path.parent.mkdir(exist_ok=True)
        (shutil.copytree if (whole / hostile.sample).is_dir() else shutil.copyfile)(whole / hostile.sample, path)
        hostile.make(path)
        _forget_peak()
        before = _peak()
        read = hostile.read or known[hostile.sample]
        what, fault = attempt(lambda: str(read(path)))
        grown = _peak() - before
        if (place / CANARY).exists() or Path(CANARY).exists():
            fault = f"IT WAS RUN; {fault}"
        if MODULE in sys.modules:
            fault = f"IT WAS IMPORTED; {fault}"
        if more := _names(work) - outside:
            fault = f"it wrote {', '.join(more)}; {fault}"
        if grown > MEMORY:
            fault = f"it took {grown / 2**30:.1f} GiB; {fault}"
        return what, fault and f"{hostile.name}: {fault}"

    tally = each(1, works, 1, SECONDS)
    result = each(min(count, len(found)), case, workers, SECONDS, 4 * MEMORY)
    result.findings[:0] = tally.findings
    return result


def _names(work: Path) -> set[str]:
    """What lies beside the folders of cases."""
    return {file.name for file in work.iterdir() if not file.name.startswith("hostile-")}


def _place(work: Path, name: str) -> Path:
    """An empty folder of this name that is the current one, from which the canary's module can be imported."""
    place = work / name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    (place / f"{MODULE}.py").write_text(SOURCE)
    os.chdir(place)
    sys.modules.pop(MODULE, None)
    sys.path[:] = [str(place), *(entry for entry in sys.path if not entry.startswith(str(work)))]
    return place


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
