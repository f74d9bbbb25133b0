"""Things that leave a canary file behind if anybody runs them, and cases that put them into files."""

from __future__ import annotations

import builtins
import importlib
import os
import pickle
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

CANARY = "canary"  # in the folder of a case
MODULE = "attack_canary"  # beside it; its import leaves the file, and so does its function ``run``
SOURCE = """from pathlib import Path

Path(__file__).with_name("canary").touch()


def run(*args, **named):
    Path(__file__).with_name("canary").touch()
"""


@dataclass(frozen=True)
class Hostile:
    """One hostile file.

    Attributes:
        name: where in which file what is.
        sample: the sample that it is made of.
        make: changes a copy of the sample, in the folder of the case.
        read: reads it; by default as the sample is read.
    """

    name: str
    sample: str
    make: Callable[[Path], object]
    read: Callable[[Path], object] | None = None


class Trap:
    """Unpickling it calls a function."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


def traps(folder: Path) -> dict[str, Trap]:
    """Ways to leave the canary in a folder, by name."""
    mark = folder / CANARY
    return {
        "os.system": Trap(os.system, f"touch {mark}"),
        "open": Trap(open, str(mark), "w"),
        "subprocess": Trap(subprocess.call, ["touch", str(mark)]),
        "exec": Trap(builtins.exec, f"open({str(mark)!r}, 'w')"),
        "eval": Trap(builtins.eval, f"open({str(mark)!r}, 'w')"),
        "import": Trap(importlib.import_module, MODULE),
        "pickle.loads": Trap(pickle.loads, pickle.dumps(Trap(open, str(mark), "w"))),
    }


def boxed(trap: Trap) -> Any:
    """An array of objects that holds a trap."""
    array = np.empty((2,), dtype=object)
    array[:] = [trap, 1]
    return array


def springs(folder: Path) -> Iterator[str]:
    """The traps that do not work where they are unpickled carelessly; none, else the attack proves nothing."""
    for name, trap in traps(folder).items():
        try:
            pickle.loads(pickle.dumps(trap))
        except Exception:
            pass
        if not (folder / CANARY).exists():
            yield name
        (folder / CANARY).unlink(missing_ok=True)
