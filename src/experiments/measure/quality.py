"""From a command to a team that is good enough, in a process of its own.

A run is evaluated often, and an observer is not needed: its curve says when it was good enough, and Sacred's record
when that was.  Evaluations and the making of the data are part of the time.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...errors import UserError
from ...utils.progress import counted
from .fresh import run_fresh
from .plan import Plan
from .results import Row, Table
from .timing import digits


class Goal(NamedTuple):
    """What a team must reach.

    Attributes:
        env, data: game and recipe.
        words: further words of the command.
        metric: which of the run's series tells.
        least: the value that is good enough.
    """

    env: str
    data: str
    words: Sequence[str]
    metric: str
    least: float


#: Bridge's optimum is -1.24
GOALS = {"XOR 1.00": Goal("xor", "medium", ("test_interval=20",), "test_return_mean", 0.9999),
         "Permutation 1.00": Goal("permutation", "medium", ("test_interval=25",), "test_return_mean", 0.9999),
         "Bridge within 1 % of the optimum": Goal("bridge", "medium", ("test_interval=50",), "test_return_mean",
                                                  -1.24 * 1.01),
         "Sensor 30.0": Goal("sensor", "medium", ("test_interval=50",), "test_return_mean", 30.0),
         "Aloha, good data, 96 messages": Goal("aloha", "good", ("test_interval=50",), "test_messages_sent_mean", 96.0)}
NOTE = "`cpa_ar`, one thread, from the start of the process: importing, making or loading the data, learning, and " \
       "evaluating {episodes} episodes each time. `usual`: with the `t_max` of the game's file; `short`: with the " \
       "`t_max` that is named, since a run begins to learn its policy after a share of `t_max`. Medians over the " \
       "seeds {seeds}; `-`: not reached."
#: a shorter run for each game
SHORT = {"xor": 200, "permutation": 300, "bridge": 800, "sensor": 1000, "aloha": 1000}


def measure(plan: Plan) -> list[Table]:
    """A row for each goal."""
    goals = dict([*GOALS.items()][:1]) if plan.quick else GOALS
    seeds, episodes = ([0], 20) if plan.quick else ([0, 1, 2], 500)
    rows: list[Row] = []
    for _, (name, goal) in zip(counted(range(len(goals)), "towards a quality", "goals"), goals.items(), strict=True):
        row: dict[str, Any] = {"goal": name}
        lengths = {"short": SHORT[goal.env]} if plan.quick else {"usual": 0, "short": SHORT[goal.env]}
        for kind, t_max in lengths.items():
            every = [_reach(plan, goal, seed, episodes, t_max) for seed in seeds]
            times = [each for each in every if each is not None]
            columns = zip(("wall s", "processor s", "updates"), zip(*times, strict=True), strict=True)
            row |= {f"{kind}: {column}": digits(float(np.median(values)), 3) for column, values in columns} \
                if len(times) == len(every) else {f"{kind}: wall s": "-"}
            if t_max:
                row["t_max"] = t_max
        rows.append(row)
    return [Table("From a command to a quality", rows, NOTE.format(episodes=episodes, seeds=seeds))]


def _reach(plan: Plan, goal: Goal, seed: int, episodes: int, t_max: int) -> tuple[float, float, int] | None:
    """Seconds by the wall and of the processor from the start of the process, and updates, until a run is good enough.

    None if it never is.  The processor's are the same share of all that the process took as those by the wall.
    """
    with tempfile.TemporaryDirectory() as folder:
        words = ["train", "cpa_ar", goal.env, f"seed={seed}", f"dataset={goal.data}", f"test_nepisode={episodes}",
                 "save_model=false", *([f"t_max={t_max}"] if t_max else []), *goal.words, *plan.words]
        started = datetime.now(UTC).replace(tzinfo=None)  # as Sacred writes it
        ended = run_fresh(words, Path(folder))
        found = next(Path(folder).glob("results/sacred/*/*/[0-9]*/metrics.json"), None)
        if found is None:
            raise UserError(f"the run '{' '.join(words)}' has left no metrics in results/sacred.")
        series = json.loads(found.read_text(encoding="utf-8")).get(goal.metric)
        if series is None:
            raise UserError(f"the run '{' '.join(words)}' knows no {goal.metric}.")
        for t_env, value, when in zip(series["steps"], series["values"], series["timestamps"], strict=True):
            if value >= goal.least:
                wall = (datetime.fromisoformat(when) - started).total_seconds()
                return wall, wall * ended.cpu / ended.wall, int(t_env)
    return None
