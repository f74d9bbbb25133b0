"""A GPU beside one core of the processor: whether both compute the same, and how fast the GPU is."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import torch as th

from ...config.files import names
from ...errors import UserError
from ...utils.progress import counted
from .plan import Plan
from .results import Row, Table
from .seeds import together
from .timing import digits, interleaved
from .trials import Stepper, stages_of, trained, trial_of

UPDATES = 8  # that are compared; from the third on a GPU repeats what it has recorded
SEEDS = (5, 32)
ROUNDING = 1e-3  # share by which a loss may differ after a few updates
ENOUGH = 420.0  # seconds, after which no other method or game is begun: the whole must take less than eight minutes
SAME = f"The same seed learns for {UPDATES} updates on both. `largest difference`: of any loss or statistic, as a " \
       "share of it. `return`: of 100 test episodes after that. Methods that draw at random in an update draw other " \
       "numbers on a GPU."
FAST = "Milliseconds of one training step, on the GPU by the wall and on one core by the processor's time. " \
       "`computed`: the processor starts every operation; else the GPU repeats what it recorded. `per seed`: how " \
       "many times as fast one seed of so many that learn together is."


def measure(plan: Plan) -> list[Table]:
    """First whether the results agree, then speed.

    Raises:
        UserError: there is no GPU.
    """
    if not th.cuda.is_available():
        raise UserError("there is no GPU here that torch can use, so nothing was compared; run it where there is one: "
                        "epymarl-cpa benchmark --only=gpu --device=cuda.")
    both = replace(plan, device="cpu"), replace(plan, device="cuda")
    end = time.monotonic() + ENOUGH
    speed = [_speed(*both, env) for _, env in zip(counted(range(len(plan.games)), "on both", "games"), plan.games,
                                                  strict=True) if time.monotonic() < end]
    rows: list[Row] = []
    games = plan.games if plan.quick or plan.only_games else ("sensor", "bridge", "xor")
    for env in games:
        for _, method in zip(counted(range(len(names("algs"))), f"the same on {env}", "methods"), names("algs"),
                             strict=True):
            if time.monotonic() < end:
                rows.append(_same(*both, method, env))
    left = len(games) * len(names("algs")) - len(rows)
    short = f" The time was up before {left} of them." if left else ""
    return [Table("The same on the GPU", rows, SAME + short), Table("Speed on the GPU", speed, FAST)]


def _same(cpu: Plan, gpu: Plan, method: str, env: str) -> Row:
    """One method on one game, the last of its stages."""
    row: dict[str, Any] = {"method": method, "game": env}
    try:
        every = [_few_updates(plan, method, env) for plan in (cpu, gpu)]
    except UserError as error:
        return {**row, "remark": str(error)}
    except RuntimeError as error:  # what a device cannot do must not hide how the others do
        return {**row, "remark": f"failed: {' '.join(str(error).split())[:150]}"}
    (ours, mean), (theirs, gpu_mean) = every
    worst, which = 0.0, ""
    for at, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        for name, value in one.items():
            gap = abs(value - other[name]) / max(abs(value), 1e-6)
            if not gap <= worst:  # what is no number is worse than any
                worst, which = gap, f"{name}, update {at + 1}"
    return {**row, "largest difference": digits(worst, 2), "where": which, "to rounding": worst < ROUNDING,
            "return": digits(mean), "on the GPU": digits(gpu_mean)}


def _few_updates(plan: Plan, method: str, env: str) -> tuple[list[dict[str, float]], float]:
    """Losses and statistics of a few updates, and the mean return after them."""
    trial = trial_of(plan, method, env, "learner_log_interval=1", "test_nepisode=100", "test_greedy=true")
    trained(trial, len(stages_of(trial)) - 1, 3)
    step = Stepper(trial)
    stats = []
    for _ in range(UPDATES):
        stats.append(step())
    trial.runner.t_env = step.t_env
    return stats, float(trial.runner.evaluate()["return"].mean())


def _speed(cpu: Plan, gpu: Plan, env: str) -> Row:
    """The teacher on one game: one seed on both, several seeds together on the GPU."""
    row: dict[str, Any] = {"game": env}
    here = interleaved({"one": Stepper(trial_of(cpu, "cpa_ar", env))}, 3, cpu.times(10), 5)["one"]
    row["one core ms"] = here.ms
    try:
        calls = {"computed": Stepper(trial_of(gpu, "cpa_ar", env)), "repeated": Stepper(trial_of(gpu, "cpa_ar", env))}
        for learner in calls["computed"].trial.learner.learners:
            learner.step_source.repeats = False
        found = interleaved(calls, 3, gpu.times(20), 20, "cuda")
        there = found["repeated"]
        row |= {"GPU computed ms": found["computed"].ms, "GPU ms": there.ms,
                "times as fast": digits(here.seconds / there.seconds, 3)}
    except (UserError, RuntimeError) as error:
        return {**row, "remark": " ".join(str(error).split())[:150]}
    for seeds in SEEDS[:1] if gpu.quick else SEEDS:
        try:
            many = interleaved({"all": together(gpu, "cpa_ar", env, seeds)}, 3, gpu.times(20), 20, "cuda")["all"]
            row |= {f"{seeds} seeds ms": many.ms,
                    f"{seeds} seeds: per seed": digits(here.seconds * seeds / many.seconds, 3)}
        except (UserError, RuntimeError) as error:
            row["remark"] = " ".join(str(error).split())[:150]
    return row
