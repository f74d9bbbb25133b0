"""The teacher's training step beside the loop that is written by hand: eager, and compiled."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, cast

import torch as th

from ...errors import UserError
from ...learners.cpa_ar_learner import CpaArLearner
from ...run import Trial
from ...utils.progress import counted
from .by_hand import ByHand, Losses
from .hand_data import Resident
from .plan import Plan
from .results import Row, Table
from .shapes import REFERENCE, shaped
from .timing import Call, digits, interleaved
from .trials import Stepper, trial_of

NOTE = "Milliseconds of processor time for one training step: drawing a batch, losses, gradients, one update of all " \
       "networks. `by hand` is a loop written for this one method (`measure/by_hand.py`); `compiled` is the same " \
       "with `torch.compile` around its losses. `rate over ...`: how many steps the product makes while the loop " \
       "makes one. The loop computes every step that was drawn; the product computes those that are the same once " \
       "(XOR, Permutation, Bridge)."


def measure(plan: Plan) -> list[Table]:
    """One row for each shape."""
    with ExitStack() as stack:
        shapes = {env: env for env in plan.games}
        if not plan.quick:
            shapes = {"reference N10 A9 S100 H128": stack.enter_context(shaped(REFERENCE)), **shapes}
        numbered = zip(counted(range(len(shapes)), "beside a loop by hand"), shapes.items(), strict=True)
        rows = [_row(plan, name, env) for _, (name, env) in numbered]
    return [Table("The teacher's training step", rows, NOTE)]


def _row(plan: Plan, name: str, env: str) -> Row:
    trial = trial_of(plan, "cpa_ar", env)
    calls: dict[str, Call] = {"product": Stepper(trial)}
    calls["by hand"] = loop(trial)
    why = ""
    if not plan.quick:
        try:
            calls["compiled"] = loop(trial, compiled())
            for _ in range(8):  # each new length of batch until it is compiled for any
                calls["compiled"]()
        except Exception as error:  # a compiler may fail in any way; the rest counts all the same
            calls.pop("compiled", None)
            why = " ".join(str(error).split())[:100]
    found = interleaved(calls, plan.rounds, plan.times(20), 2 if plan.quick else 30, plan.device)
    product, hand = found["product"], found["by hand"]
    row: dict[str, Any] = {"shape": name, "product ms": product.ms, "by hand ms": hand.ms}
    best = [hand.over(product)]
    if "compiled" in found:
        row["compiled ms"] = found["compiled"].ms
        best.append(found["compiled"].over(product))
    row["rate over by hand"] = best[0]
    if "compiled" in found:
        row["rate over compiled"] = best[1]
    row["rate over the best"] = digits(min(best), 3)
    return {**row, **({"compiling failed": why} if why else {})}


def loop(trial: Trial, wrap: Callable[..., Callable[..., Losses]] | None = None) -> Call:
    """The hand-written training step on the data of a run.

    Raises:
        UserError: the run is not of a method that it was written for.
    """
    learner = trial.learner.learners[0]
    if not isinstance(learner, CpaArLearner):
        raise UserError("the loop that is written by hand knows the teacher only: cpa_ar.")
    data, hand, rate = Resident(trial), ByHand(learner, wrap), learner.rate(learner.stage.end // 2)
    return lambda: hand.update(data.draw(), rate)


def compiled() -> Callable[..., Callable[..., Losses]]:
    """What makes compiled losses.

    Raises:
        UserError: there is no compiler here.
    """
    if not any(shutil.which(name) for name in ("g++", "c++", "clang++")):
        raise UserError("no C++ compiler was found, which torch.compile needs.")
    wrap: Any = th.compile  # which has types of its own
    return cast(Callable[..., Callable[..., Losses]], wrap)

