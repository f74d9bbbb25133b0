"""From a command to a team that is good enough, in a process of its own.

A run is evaluated often, and an observer is not needed: its curve says when it was good enough, and Sacred's record
when that was.  Evaluations and the making of the data are part of the time.  What an untrained team happens to do does
not count, nor does what the next evaluation does not confirm.
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
       "evaluating {episodes} episodes each time, until two evaluations in a row are good enough, of which the first " \
       "counts; an untrained team's does not. `usual`: with the `t_max` of the game's file; `short`: with the one " \
       "that is named, since a run begins to learn its policy after a share of `t_max`. Medians over the seeds " \
       "{seeds}; `-`: not reached."
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
        found_at = first_enough(series["steps"], series["values"], goal.least)
        if found_at is None:
            return None
        wall = (datetime.fromisoformat(series["timestamps"][found_at]) - started).total_seconds()
        return wall, wall * ended.cpu / ended.wall, int(series["steps"][found_at])


def first_enough(steps: Sequence[int], values: Sequence[float], least: float) -> int | None:
    """The first evaluation of a team that has learned whose value is enough, and so is the next one's, if there is one.

    Args:
        steps: ``t_env`` of each evaluation; 0 is before learning.
        values: of each evaluation.
        least: what is enough.

    Returns:
        Its place in the series; None: there is none.
    """
    enough = [value >= least for value in values]
    return next((k for k, t_env in enumerate(steps) if t_env > 0 and all(enough[k:k + 2])), None)
