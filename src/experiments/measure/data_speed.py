"""Data: made from a recipe, written and read, digested, drawn from."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ...data.dataset import OfflineDataset
from ...data.generate import generate
from ...utils.progress import counted
from .plan import Plan
from .results import Row, Table
from .timing import digits, interleaved, once
from .trials import config_of, trial_of

NOTE = "Seconds of processor time for the medium data of each game, and milliseconds for drawing one batch. " \
       "`loading` is reading the file and checking all of it."


def measure(plan: Plan) -> list[Table]:
    """A row for each game."""
    numbered = zip(counted(range(len(plan.games)), "data", "games"), plan.games, strict=True)
    return [Table("Data", [_row(plan, env) for _, env in numbered], NOTE)]


def _row(plan: Plan, env: str) -> Row:
    trial = trial_of(plan, "bc", env)
    game, recipe = trial.runner.game, config_of(plan, "bc", env)["recipes"]["medium"]
    data: list[OfflineDataset] = []
    making = once(lambda: data.append(generate(game, recipe, 0, "medium")))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.npz"
        writing = once(lambda: data[0].save(path))
        loading = interleaved({"loading": lambda: OfflineDataset.load(path)}, 1 if plan.quick else 3, 1, 0)["loading"]
        size = path.stat().st_size
    drawing = interleaved({"drawing": trial.runner.run}, plan.rounds, plan.times(30), 3, plan.device)["drawing"]
    steps = int((data[0].filled.sum(1) - 1).sum())
    return {"game": env, "transitions": steps, "making s": digits(making, 3), "writing s": digits(writing, 3),
            "loading s": digits(loading.seconds, 3), "file MB": digits(size / 1e6, 3), "drawing ms": drawing.ms}
