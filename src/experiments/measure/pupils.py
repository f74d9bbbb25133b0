"""The students: an update, and the beam of joint actions that they ask their teacher for."""

from __future__ import annotations

from ...utils.progress import counted
from .plan import Plan
from .results import Row, Table
from .shapes import Shape, shaped
from .timing import interleaved, once
from .trials import Stepper, trained, trial_of

TEACHING = 300
#: as large as StarCraft's: ten agents, twenty actions, two hundred entries of the state
SMAC = Shape(agents=10, actions=20, state=200, steps=8, batch=32, episodes=1024)
WARM, NEW = 8, 16  # updates: the memory that they need is got in the first ones; no episode comes twice in all of them
NOTE = "Milliseconds of processor time. `first updates`: when the states are new and the teacher is asked what it " \
       "would do in them; `later`: when all have been seen. The last row is a teacher that has learned nothing, so " \
       "that every joint action may be played (`beta=0`), in states of the size of StarCraft's; every state is new " \
       f"there, and it is the median of {NEW} updates after the first {WARM}."


def measure(plan: Plan) -> list[Table]:
    """A row for each game, and one for a hard case."""
    numbered = zip(counted(range(len(plan.games)), "students", "games"), plan.games, strict=True)
    rows = [_row(plan, env) for _, env in numbered]
    if not plan.quick:
        with shaped(SMAC) as env:
            rows.append(_hard(plan, env))
    return [Table("An update of the students", rows, NOTE)]


def _row(plan: Plan, env: str) -> Row:
    step = Stepper(trained(trial_of(plan, "cpa_pa", env), 1, plan.times(TEACHING)))
    first = [once(step, plan.device) for _ in range(plan.times(5))]
    for _ in range(plan.times(200)):
        step()
    later = interleaved({"later": step}, plan.rounds, plan.times(10), 0, plan.device)["later"]
    return {"game": env, "first updates ms": round(1e3 * sum(first) / len(first), 3), "later ms": later.ms}


def _hard(plan: Plan, env: str) -> Row:
    """Every state is new, and the teacher's beam always full."""
    step = Stepper(trial_of(plan, "cpa_pa", env, "beta=0"))
    first = [once(step, plan.device) for _ in range(WARM + NEW)][WARM:]
    return {"game": "N10 A20 S200, beta=0", "first updates ms": round(1e3 * sorted(first)[len(first) // 2], 3)}
