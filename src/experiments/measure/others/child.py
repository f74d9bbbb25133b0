"""The process in which another program runs: ``python child.py KIND FOLDER DATA.npz JSON``.

It says ``{}`` on a line when it is ready, or ``{"error": ...}``.  For each number that it reads it makes so many
updates and tells the processor's time that they took, and how many recorded transitions were in their batches.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np


def main(kind: str, folder: str, data: str, about: str) -> None:
    """Serves until there is nothing more to read."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the other program prints is no answer

    def say(**answer: object) -> None:
        print(json.dumps(answer), file=answers, flush=True)

    def build() -> tuple[Callable[[], object], float]:
        with np.load(data, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        make = runpy.run_path(str(Path(__file__).with_name(f"{kind}.py")))["build"]
        update, transitions = make(Path(folder), arrays, json.loads(about))
        return update, float(transitions)

    serve(build, sys.stdin, say)


def serve(build: Callable[[], tuple[Callable[[], object], float]], lines: Iterable[str],
          say: Callable[..., None]) -> None:
    """Answers every line; what goes wrong is an answer, too, and the last one.

    Args:
        build: makes the update, and says how many transitions one call learns from.
        lines: numbers of calls.
        say: takes answers.
    """
    try:
        update, transitions = build()
        update()
        say()
        for line in lines:
            started = time.process_time()
            for _ in range(int(line)):
                update()
            say(seconds=time.process_time() - started, transitions=int(line) * transitions)
    except Exception as error:  # whatever another program does
        say(error=f"{type(error).__name__}: {error}"[:300])


if __name__ == "__main__":
    main(*sys.argv[1:])
