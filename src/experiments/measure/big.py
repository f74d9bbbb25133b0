"""Data beyond memory: from a command to the first update, with what it takes."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ...utils.progress import counted
from .big_data import Sizes, first_update, write_big
from .plan import Plan
from .results import Row, Table
from .timing import digits

SMALL = Sizes(agents=4, actions=5, state=20, observed=10)
TINY = Sizes(agents=2, actions=3, state=4, observed=2, limit=5)
WHOLE = ((10**5, Sizes()), (10**6, Sizes()), (10**7, SMALL))
NOTE = ("Random data of the size of a large StarCraft map (200 values of the state; 20 in the row of 4 agents), in the "
        "folder format that stays on the disk; a process of its own begins to learn from them with `cpa_ar`. Seconds "
        "by the wall, largest resident memory.")


def measure(plan: Plan) -> list[Table]:
    """A row for each size."""
    cases = ((100, TINY),) if plan.quick else WHOLE
    rows = [_row(plan, *cases[number]) for number in counted(range(len(cases)), "large data")]
    return [Table("Data beyond memory", rows, NOTE)]


def _row(plan: Plan, transitions: int, shape: Sizes) -> Row:
    plan.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=plan.folder) as place:
        path = Path(place) / "data.mapped"
        write_big(path, transitions, shape)
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        begun = first_update(path, shape)
    return {"transitions": transitions, "agents": shape.agents, "on disk MB": digits(size / 1e6),
            "first update s": digits(begun.seconds, 3), "of its processor s": digits(begun.cpu, 3),
            "opening the data s": digits(begun.data, 3), "memory MB": digits(begun.peak / 1e6),
            "an update ms": digits(begun.update * 1e3)}
