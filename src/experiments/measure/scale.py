"""What size costs: time and memory of the teacher's training step against agents, actions, state, batch and data.

Every point is measured in a process of its own, so that its memory is its own; all of them take part in each round, so
that a busy machine slows all of them alike.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ...utils.process import python_module
from ...utils.progress import counted
from .fresh import run_command
from .plan import Plan
from .results import Row, Table
from .scale_point import measure_point
from .shapes import Shape
from .timing import digits

#: what all but one have
USUAL = Shape(agents=10, actions=9, state=30, steps=10, batch=26, episodes=500)
#: sizes along each axis
AXES: dict[str, Sequence[int]] = {
    "agents": (2, 4, 8, 16, 32, 64, 128, 256), "actions": (2, 4, 8, 16, 32, 64), "state": (10, 30, 100, 300, 1000),
    "batch": (8, 26, 64, 128, 256), "episodes": (500, 5000, 50_000)}
NOTE = "The teacher on noise, without a game's sense; all other sizes as `{usual}`. Milliseconds of processor time " \
       "for one training step, seconds for making the data, and the largest resident memory of the process in MB, of " \
       "which {empty:.0f} are there before anything is made."
QUICK = {"agents": (2, 4)}


def measure(plan: Plan) -> list[Table]:
    """A table for each axis."""
    axes = QUICK if plan.quick else AXES
    points = [(axis, size) for axis, sizes in axes.items() for size in sizes]
    found: dict[tuple[str, int], list[dict[str, float]]] = {point: [] for point in points}
    rounds = 1 if plan.quick else 2
    for number in counted(range(rounds * len(points)), "sizes", "measurements"):
        axis, size = points[number % len(points)]
        shape = USUAL.with_(**{axis: size, **({"episodes": 60} if plan.quick else {})})
        found[axis, size].append(_point(plan, shape))
    empty = min((each["empty MB"] for every in found.values() for each in every), default=0.0)
    usual = ", ".join(f"{name} {size}" for name, size in asdict(USUAL).items())
    tables = []
    for axis, sizes in axes.items():
        rows: list[Row] = [{axis: size, **{key: digits(float(np.median([each[key] for each in found[axis, size]])))
                                           for key in ("step ms", "making s", "memory MB")}} for size in sizes]
        tables.append(Table(f"Time and memory against {axis}", rows, NOTE.format(usual=usual, empty=empty)))
    return tables


def _point(plan: Plan, shape: Shape) -> dict[str, float]:
    """One point, in a process of its own unless everything is small."""
    if plan.quick:
        return measure_point(plan, shape)
    asked = json.dumps({"shape": asdict(shape), "words": plan.words, "device": plan.device, "threads": plan.threads})
    with tempfile.TemporaryDirectory() as folder:
        ended = run_command([*python_module(f"{__package__}.scale_point"), asked], Path(folder))
    found: dict[str, float] = json.loads(ended.out.strip().splitlines()[-1])
    return {**found, "memory MB": ended.mb}
