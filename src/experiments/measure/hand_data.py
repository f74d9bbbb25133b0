"""What the loop that is written by hand learns from: all recorded steps of a run, flat and resident."""

from __future__ import annotations

import torch as th
from torch import Tensor

from ...learners.cpa_ar_learner import CpaArLearner
from ...run import Trial
from ...runners.offline_runner import OfflineRunner
from .by_hand import Steps


class Resident:
    """The steps of a run's data set, encoded once.

    Args:
        trial: a run of ``cpa_ar`` without a memory.
        seed: of the order in which episodes are drawn.
    """

    def __init__(self, trial: Trial, seed: int = 0) -> None:
        runner, learner = trial.runner, trial.learner.learners[0]
        assert isinstance(runner, OfflineRunner) and isinstance(learner, CpaArLearner)
        with th.no_grad():
            step = learner.steps(runner.episodes(th.arange(runner.n_episodes)))
        available = None if bool(step.available.all()) else step.available
        self.steps = Steps(step.state, step.next_state, step.actions, available, step.reward, step.done,
                           (step.time / learner.info.episode_limit).to(step.state.dtype))
        self._count = th.bincount(step.episode, minlength=runner.n_episodes).cpu()
        self._first = self._count.cumsum(0) - self._count
        self._even = bool((self._count == self._count[0]).all())
        self._within = th.arange(int(self._count.max()))
        self.batch_size, self._generator = trial.args.batch_size, th.Generator().manual_seed(seed)
        self._order, self._device = th.empty(0, dtype=th.long), step.state.device

    def rows(self) -> Tensor:
        """The numbers ``[M]`` of the steps of the next batch of episodes, every one once before any comes again."""
        while len(self._order) < self.batch_size:
            fresh = th.randperm(len(self._count), generator=self._generator)
            self._order = th.cat([self._order, fresh])
        chosen, self._order = self._order[:self.batch_size], self._order[self.batch_size:]
        rows = self._first[chosen, None] + self._within
        kept = rows.flatten() if self._even else rows[self._within < self._count[chosen, None]]
        return kept.to(self._device)

    def draw(self) -> Steps:
        """The next batch."""
        return self.steps.at(self.rows())
