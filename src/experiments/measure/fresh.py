"""Commands in processes of their own: how long they take from their very beginning, and how much memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ...errors import UserError
from ...utils.process import PACKAGE

#: what keeps libraries from using more of the processor than is measured
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


class Ended(NamedTuple):
    """What a command took.

    Attributes:
        wall, cpu: seconds by the wall and of the processor.
        mb: largest resident memory, in MB of 10^6 bytes.
        out: what it printed.
    """

    wall: float
    cpu: float
    mb: float
    out: str


def run_fresh(words: Sequence[str], folder: Path, extra: Mapping[str, str] | None = None) -> Ended:
    """Runs this program with the given words.

    Args:
        words: of the command line.
        folder: where it runs.
        extra: variables of its environment.

    Raises:
        UserError: it failed.
    """
    return run_command([sys.executable, str(PACKAGE / "main.py"), *words], folder, extra)


#: a small process that starts the command: one that is started by a large process counts that one's memory as its own
STARTER = """
import json, os, sys, time
started = time.perf_counter()
pid = os.fork()
if not pid:
    os.execvp(sys.argv[2], sys.argv[2:])
_, status, used = os.wait4(pid, 0)
json.dump([time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss,
           os.waitstatus_to_exitcode(status)], open(sys.argv[1], "w"))
"""


def run_command(command: Sequence[str], folder: Path, extra: Mapping[str, str] | None = None) -> Ended:
    """The same for any command."""
    with tempfile.TemporaryDirectory() as place:
        told = Path(place) / "told.json"
        done = subprocess.run([sys.executable, "-I", "-S", "-c", STARTER, str(told), *command], cwd=folder,
                              capture_output=True, stdin=subprocess.DEVNULL,
                              env={**os.environ, **ONE_THREAD, **(extra or {})})
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        if done.returncode or not told.exists():
            raise UserError(f"the command '{' '.join(command)}' could not be started: {said[0]}")
        wall, cpu, size, status = json.loads(told.read_text())
        if status:
            raise UserError(f"the command '{' '.join(command[1:])}' ended with status {status}: {said[0]}")
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return Ended(wall, cpu, size * unit / 1e6, done.stdout.decode(errors="replace"))
