"""Statistics over several tasks with few seeds each (Agarwal et al., NeurIPS 2021, "Statistical Precipice").

Scores are one array ``[seeds]`` for every task, so tasks may have different numbers of seeds; samples
of the bootstrap are arrays ``[repetitions, seeds]``.  Where all tasks have as many seeds, the functions agree with
the library ``rliable``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Scores = Sequence[FloatArray]

REPETITIONS = 10_000
CONFIDENCE = 95.0  # per cent
SAME = 1e-9  # scores that differ by less are equal: the same deterministic game, summed in another order


class Interval(NamedTuple):
    """A statistic and its bootstrap interval."""

    value: float
    low: float
    high: float


def iqm(scores: Scores) -> FloatArray:
    """Interquartile mean: of all runs of all tasks together, without the lowest and the highest quarter.

    Tasks count equally: the runs of one with many seeds weigh less.
    """
    pooled = np.concatenate(scores, axis=-1)
    total = pooled.shape[-1]
    weight = np.concatenate([np.full(task.shape[-1], total / len(scores) / task.shape[-1]) for task in scores])
    order = np.argsort(pooled, axis=-1)
    weight = weight[order]  # one run's is 1 where all tasks have as many seeds
    end, cut = np.cumsum(weight, axis=-1), total // 4
    inside = np.clip(np.minimum(end, total - cut) - np.maximum(end - weight, cut), 0, None)
    return np.asarray((np.take_along_axis(pooled, order, -1) * inside).sum(-1) / inside.sum(-1))


def mean(scores: Scores) -> FloatArray:
    """Mean over tasks of the means over seeds."""
    return np.asarray(_means(scores).mean(0))


def median(scores: Scores) -> FloatArray:
    """Median over tasks of the means over seeds."""
    return np.asarray(np.median(_means(scores), axis=0))


def optimality_gap(scores: Scores) -> FloatArray:
    """How far the runs stay below 1 on average; what lies above 1 counts as 1."""
    return 1.0 - mean([np.minimum(task, 1.0) for task in scores])


STATISTICS: Mapping[str, Callable[[Scores], FloatArray]] = {
    "IQM": iqm, "mean": mean, "median": median, "optimality gap": optimality_gap}


def estimates(scores: Scores, rng: np.random.Generator, repetitions: int = REPETITIONS) -> dict[str, Interval]:
    """All :data:`STATISTICS` with intervals by the percentile bootstrap, stratified: seeds are redrawn in each task.

    Args:
        scores: ``[seeds]`` for every task.
        rng: draws the samples.
        repetitions: number of samples.
    """
    samples = [task[rng.integers(len(task), size=(repetitions, len(task)))] for task in scores]
    return {name: _estimate(float(statistic(scores)), statistic(samples)) for name, statistic in STATISTICS.items()}


def redraws(scores: Scores, rng: np.random.Generator, repetitions: int = REPETITIONS) -> list[FloatArray]:
    """Samples of the stratified bootstrap as how often each seed is drawn, ``[repetitions, seeds]`` for every task."""
    return [rng.multinomial(len(task), np.full(len(task), 1 / len(task)), repetitions).astype(np.float64)
            for task in scores]


def improvement(x: Scores, y: Scores, redraws_x: Sequence[FloatArray], redraws_y: Sequence[FloatArray]) -> Interval:
    """Probability that a run of X beats a run of Y on a task, ties counting half, averaged over tasks.

    Args:
        x, y: ``[seeds]`` for every task, the same tasks in both.
        redraws_x, redraws_y: independent samples, as of :func:`redraws`, for the interval.
    """
    value, samples = 0.0, np.zeros(len(redraws_x[0]))
    for one, other, times_one, times_other in zip(x, y, redraws_x, redraws_y, strict=True):
        difference = one[:, None] - other
        wins = np.where(np.abs(difference) < SAME, 0.5, difference > 0)
        value += float(wins.mean())
        samples += ((times_one @ wins) * times_other).sum(1) / wins.size
    return _estimate(value / len(x), samples / len(x))


def _means(scores: Scores) -> FloatArray:
    """``[tasks, ...]``."""
    return np.stack([task.mean(-1) for task in scores])


def _estimate(value: float, samples: FloatArray) -> Interval:
    low, high = np.percentile(samples, [50 - CONFIDENCE / 2, 50 + CONFIDENCE / 2])
    return Interval(value, float(low), float(high))
