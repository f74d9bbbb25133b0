"""Damaged files of every kind: each is refused in a sentence, or still says what it said."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from epymarl_cpa.data.formats.parts import HEADER

from . import damage, samples
from .forked import Tally, each, note, once
from .reading import attempt
from .samples import Sample

PROMISE = "A damaged file is refused in a sentence, or is read to what it said before; where a digest seals it, " \
          "nothing else is ever read"
GUARDS = ("property/test_dataset_files.py", "property/test_dpomdp_damage.py", "unit/test_checkpoint.py",
          "unit/test_formats_store.py", "unit/test_rows.py", "unit/test_stack.py")


def attack(seed: int, count: int, workers: int, work: Path) -> Tally:
    """Damages ``count`` files, each kind of file equally often."""
    whole = work / "whole"
    whole.mkdir()
    once(lambda: samples.build(whole))
    kinds = samples.available()
    return each(count, _case(seed, kinds, whole, work), workers, 30, 4 * 2**30)


def _case(seed: int, kinds: list[Sample], whole: Path, work: Path) -> Callable[[int], tuple[str, str]]:
    wanted: dict[str, str] = {}  # of this child

    def case(number: int) -> tuple[str, str]:
        luck = random.Random(f"{seed} bytes {number}")
        sample = kinds[luck.randrange(len(kinds))]
        own = _own_copy(whole, work)
        if sample.name not in wanted:
            wanted[sample.name] = sample.read(own / sample.path)
        files = sample.files(own)
        file = luck.choice(files)
        others = [other for other in files if other.suffix == file.suffix and other != file]
        before = file.read_bytes()
        if len(files) > 1 and luck.random() < 0.1:
            kind, after = ("missing file", None) if not others or luck.random() < 0.5 else \
                ("swapped file", luck.choice(others).read_bytes())
        else:
            kind, after = damage.of_bytes(before, luck)
        note(about := f"{sample.name}, {kind} in {file.relative_to(own)}")
        try:
            file.unlink()
            if after is not None:
                file.write_bytes(after)
            sealed = sample.sealed and not (after is None and file.name == HEADER)  # without one: data of others
            what, fault = attempt(lambda: sample.read(own / sample.path), wanted[sample.name] if sealed else None)
        finally:
            file.write_bytes(before)
        return f"{sample.name}: {what}", fault and f"{about}: {fault}"

    return case


def _own_copy(whole: Path, work: Path) -> Path:
    """This child's copy of all samples, at a place whose name has the same length for all."""
    own = work / f"bytes-{os.getpid()}"
    if not own.exists():
        half = Path(tempfile.mkdtemp(dir=work))
        shutil.copytree(whole, half / "all")
        os.replace(half / "all", own)
    return own
