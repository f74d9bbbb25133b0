"""One training step of every method, without and with a memory."""

from __future__ import annotations

from typing import Any

from ...config.files import names
from ...errors import UserError
from ...utils.progress import counted
from .beside_hand import loop
from .plan import Plan
from .results import Row, Table
from .timing import Call, Timing, interleaved
from .trials import Stepper, stages_of, trained, trial_of

TEACHING = 300  # updates of a teacher before its students are measured: enough to have few joint actions left
HAND = "cpa_ar by hand"
MEMORIES = {"without a memory": "use_rnn=false", "with a memory (use_rnn=true)": "use_rnn=true"}
NOTE = "Milliseconds of processor time for one training step (drawing a batch, and the update), of every method that " \
       "there is, all in turns. Of a method with stages it is the last one, after a teacher that has learned for " \
       f"{TEACHING} updates. Online methods play an episode in each step, too. `-`: the method does not do this."


def measure(plan: Plan) -> list[Table]:
    """A table for each kind of agents: a row for each method and stage, a column for each game."""
    tables = []
    for title, word in MEMORIES.items():
        cells: dict[str, dict[str, Any]] = {}
        remarks: dict[str, list[str]] = {}
        for _, env in zip(counted(range(len(plan.games)), title, "games"), plan.games, strict=True):
            for name, timing in _on(plan, env, word, remarks).items():
                cells.setdefault(name, {})[f"{env} ms"] = "-" if timing is None else timing.ms
        rows: list[Row] = [{"method": name, **cells[name]} for name in cells]
        said = [f"{', '.join(dict.fromkeys(who))}: {why}" for why, who in remarks.items()]
        tables.append(Table(f"A training step, {title}", rows, "\n\n".join([NOTE, *said])))
    return tables


def _on(plan: Plan, env: str, word: str, remarks: dict[str, list[str]]) -> dict[str, Timing | None]:
    """All methods on one game."""
    calls: dict[str, Call] = {}
    found: dict[str, Timing | None] = {}
    for method in names("algs"):
        found[method] = None
        try:
            trial = trial_of(plan, method, env, word)
        except UserError as error:
            remarks.setdefault(str(error), []).append(method)
            continue
        last = len(stages_of(trial)) - 1
        calls[method] = Stepper(trained(trial, last, plan.times(TEACHING)))
        if method == "cpa_ar" and word == "use_rnn=false" and not plan.words:
            calls[HAND] = loop(trial)
    return found | interleaved(calls, 1 if plan.quick else 5, plan.times(8), 1 if plan.quick else 5, plan.device)
