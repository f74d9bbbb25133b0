"""Rows in the JSON layout of InstaDeep's ``marl-eval`` (Gorsane et al., NeurIPS 2022)."""

from __future__ import annotations

import math
from typing import Any

from ..analysis.score import score_of
from ..rows.paper import Methods, table1
from ..rows.reading import Row, Rows, curve_of

ABSOLUTE = "absolute_metrics"


def marl_eval_json(rows: Rows, methods: Methods) -> tuple[dict[str, Any], list[str]]:
    """Environment (game), task (data set), algorithm, run (``seed_<n>``), step, metric lists of one number.

    marl-eval wants the same algorithms, numbers of runs and numbers of steps in all tasks of an environment, so what
    only some have is left out.  Metrics are ``headline`` and ``normalised`` (0 for the random team, 1 for the optimum).
    Its absolute metrics are meant for the best policy on ten times as many episodes; here they are the final
    evaluation.  A run without a curve has that evaluation as its only step.

    Args:
        rows: one each of a method, task and seed.
        methods: which rows are of which method.

    Returns:
        what to write, and a sentence for each thing left out.
    """
    groups, notes = methods.grouped(rows), []
    content: dict[str, Any] = {}
    for env in table1().random:
        tasks = [task for task in table1().names if task.env == env and any(task in group for group in groups.values())]
        whole = [method for method, group in groups.items() if all(task in group for task in tasks)] if tasks else []
        notes += [f"{method} is left out of {env} in marl_eval.json, since it lacks some of its data sets."
                  for method, group in groups.items() if method not in whole and any(task in group for task in tasks)]
        runs = {(task, method): {int(row["seed"]): row for row in groups[method][task]}
                for task in tasks for method in whole}
        if not runs:
            continue
        shared = sorted(set.intersection(*({*by_seed} for by_seed in runs.values())))
        if not shared:
            notes.append(f"marl_eval.json is without {env}, since its methods have no seed in common.")
            continue
        if any(len(by_seed) > len(shared) for by_seed in runs.values()):
            notes.append(f"marl_eval.json has {len(shared)} seeds of {env}, those that all of its methods have.")
        kept = [by_seed[seed] for by_seed in runs.values() for seed in shared]
        times = {tuple(t_env for t_env, _ in curve_of(row)) for row in kept}
        if len(times) > 1:
            notes.append(f"marl_eval.json has no learning curves of {env}, since theirs are of different steps.")
        for (task, method), by_seed in runs.items():
            content.setdefault(env, {}).setdefault(task.dataset, {})[method] = {
                f"seed_{seed}": _run(by_seed[seed], curves=len(times) == 1) for seed in shared}
    return content, notes


def _run(row: Row, curves: bool) -> dict[str, Any]:
    curve = curve_of(row)
    final = _metrics(row, float(row["headline"]))
    if not curves or not curve:
        return {"step_1": {"step_count": int(curve[-1][0]) if curve else 0, **final}, ABSOLUTE: final}
    steps = {f"step_{i}": {"step_count": int(t_env), **_metrics(row, value)}
             for i, (t_env, value) in enumerate(curve, 1)}
    return {**steps, ABSOLUTE: final}


def _metrics(row: Row, headline: float) -> dict[str, list[float | None]]:
    score = score_of(row, headline)
    return {"headline": [headline], "normalised": [None if math.isnan(score) else score]}
