"""Several seeds trained together beside one."""

from __future__ import annotations

from typing import Any

from ...config import word
from ...errors import UserError
from ...experiments.sweeps.stack import Stack
from ...utils.progress import counted
from .plan import Plan
from .results import Row, Table
from .timing import Call, interleaved
from .trials import Stepper, trial_of

SEEDS = 5
NOTE = f"Processor time of one update of {SEEDS} seeds trained together, over that of one seed; apart they cost " \
       f"{SEEDS}."


def measure(plan: Plan) -> list[Table]:
    """A row for each game."""
    games = zip(counted(range(len(plan.games)), "seeds together", "games"), plan.games, strict=True)
    return [Table(f"{SEEDS} seeds of the teacher together", [_row(plan, env) for _, env in games], NOTE)]


def _row(plan: Plan, env: str) -> Row:
    row: dict[str, Any] = {"game": env}
    calls: dict[str, Call] = {"one": Stepper(trial_of(plan, "cpa_ar", env))}
    try:
        calls["together"] = together(plan, "cpa_ar", env, SEEDS)
    except UserError as error:
        row["refused"] = str(error)
    found = interleaved(calls, plan.rounds, plan.times(10), 5, plan.device)
    row["one seed ms"] = found["one"].ms
    if "together" in found:
        row |= {"together ms": found["together"].ms, "together / one": found["together"].over(found["one"])}
    return row


def together(plan: Plan, method: str, env: str, seeds: int) -> Call:
    """One update of all seeds at once.

    Raises:
        UserError: the method or the game cannot be trained so.
    """
    first = trial_of(plan, method, env)
    same = word("dataset", first.runner.place)  # making data for every seed would take longer than all the rest
    stack = Stack([first, *(trial_of(plan, method, env, same, seed=seed) for seed in range(1, seeds))])
    t_env = first.learner.stages[0].length // 2
    return lambda: stack.update(t_env)
