"""From a command to its end, in a process of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from ...utils.progress import counted
from .fresh import Ended, run_fresh
from .plan import Plan
from .results import Table
from .timing import digits

ONE_UPDATE = ("t_max=1", "test_nepisode=1", "save_model=false")
COMMANDS = {"--help": ("--help",), "list": ("list",), "explain alpha": ("explain", "alpha"),
            "a run of one update, XOR": ("train", "cpa_ar", "xor", *ONE_UPDATE),
            "a run of one update, Sensor": ("train", "cpa_ar", "sensor", *ONE_UPDATE)}
NOTE = "Medians over {rounds} processes each. Data sets had been made before."


def measure(plan: Plan) -> list[Table]:
    """A row for each command."""
    commands = dict([*COMMANDS.items()][:1]) if plan.quick else COMMANDS
    rounds = 1 if plan.quick else 5
    found: dict[str, list[Ended]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as folder:
        for number in counted(range(rounds + (not plan.quick)), "starting", "rounds"):
            for name, words in commands.items():
                ended = run_fresh(words, Path(folder))
                if number or plan.quick:  # the first one makes data, and compiled files of Python
                    found[name].append(ended)
    rows = [{"command": name, "processor s": _median([each.cpu for each in every]),
             "wall s": _median([each.wall for each in every]), "memory MB": _median([each.mb for each in every])}
            for name, every in found.items()]
    return [Table("From a command to its end", rows, NOTE.format(rounds=rounds))]


def _median(values: list[float]) -> float:
    return digits(float(np.median(values)), 3)
