"""Trains several seeds of one small run at once, their parameters stacked.

Small networks on small batches spend their time starting operations, not computing; twenty seeds in
one operation cost little more than one.  Every seed has its own data, networks, order of episodes
and evaluation, as in a run of its own; only the last bits may differ, as sums are taken in another
order, and methods that draw at random in an update draw other numbers.  Of a method that learns in
stages, those that can be are trained so; in the others every seed learns by itself.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch as th
from torch import Tensor, nn
from torch.func import functional_call, vmap

from ...components.drawn import RecordedSteps
from ...components.merged import MergedSteps, merged
from ...components.transitions import Transitions
from ...errors import Diverged, UserError
from ...learners.base import Learner, trained
from ...learners.captured import Captured
from ...learners.stackable import unstackable
from ...learners.step_source import may_repeat
from ...learners.update import Update
from ...modules.critic import Critic
from ...modules.followed import target_pairs
from ...run import Trial, due, prepare
from ...runners.offline_runner import OfflineRunner


def train_stack(configs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Runs configurations that differ in their seeds only; results as of :func:`epymarl_cpa.run.run`, in their order.

    Raises:
        UserError: no stage of the method can be stacked, or it plays online, or episodes differ in length and
            few steps are the same; or training diverged.
    """
    console = logging.getLogger("epymarl_cpa.stack")
    trials = [prepare(config, None, console) for config in configs]
    th.manual_seed(configs[0]["seed"])
    reasons = [unfit(trials[0], k) for k in range(len(trials[0].learner.learners))]
    if all(reasons):
        raise _refusal(trials[0], reasons[0])
    part: Stack | Apart | None = Stack(trials) if not reasons[0] else None  # so that what it refuses is told at once
    try:
        _train(trials, part, reasons)
    finally:
        for trial in trials:
            trial.runner.close_env()
    return [trial.summary() for trial in trials]


def _train(trials: Sequence[Trial], part: Stack | Apart | None, reasons: Sequence[str]) -> None:
    """Trains all stages of all seeds; ``part`` is the first one, if it is stacked."""
    for trial in trials:
        trial.begin()
        trial.test()
    for k, stage in enumerate(trials[0].learner.stages):
        part = part or (Apart(trials) if reasons[k] else Stack(trials, k))
        for t in range(stage.begin + 1, stage.end + 1):
            part.update(t)
            tests = due(t, t - 1, trials[0].args.test_interval) or t == trials[0].learner.t_max
            if tests or t == stage.end or trials[0].learner.judges(t):
                part.write_back()
            for trial in trials:
                if isinstance(part, Stack) and trial.learner.judges(t):
                    trial.learner.judge(t)
                if tests:
                    trial.test()
        part = None


def unfit(trial: Trial, number: int) -> str:
    """Why a stage of a run cannot be trained stacked, as the end of a sentence; nothing if it can."""
    learner, args = trial.learner.learners[number], trial.args
    own = unstackable(type(learner))
    return ("its runs go on from checkpoints or only evaluate" if args.checkpoint_path or args.evaluate else
            "its observers watch one run each" if args.watchers else
            "it plays online" if not isinstance(trial.runner, OfflineRunner) else
            "its data stay on the disk" if trial.runner.on_disk else
            f"its learner has its own '{own[0]}'" if own else
            "its agents or critics remember" if set(learner.nets) & {"encoder", "critic_encoder"} else "")


def _refusal(trial: Trial, reason: str) -> UserError:
    return UserError(f"the method {trial.args.name} cannot be trained stacked, since {reason}; remove stack from the "
                     "grid.")


class Apart:
    """A stage in which every seed learns by itself.

    Args:
        trials: built runs that differ in their seeds only.
    """

    def __init__(self, trials: Sequence[Trial]) -> None:
        self.trials = trials

    def update(self, t_env: int) -> None:
        """One update of every seed.

        Raises:
            UserError: a loss or a gradient is not finite.
        """
        for trial in self.trials:
            try:
                trial.learner.train(trial.runner.run(), t_env, 0)
            except Diverged as error:
                raise UserError(f"seed {trial.args.seed} of a stack: {error}") from None

    def write_back(self) -> None:
        """The seeds' own networks are those that have learned.

        Raises:
            UserError: something was not finite, of which no update has told.
        """
        for trial in self.trials:
            try:
                trial.learner.verify()
            except Diverged as error:
                raise UserError(f"seed {trial.args.seed} of a stack: {error}") from None


class Stack:
    """E learners of one kind as one, their parameters stacked ``[E, ...]``, updated as each would be alone.

    Args:
        trials: built runs that differ in their seeds only.
        number: of the stage, which has come; from 0.

    Raises:
        UserError: the stage does more than a stack can do, or the data of the seeds are too different.
    """

    def __init__(self, trials: Sequence[Trial], number: int = 0) -> None:
        self.trials, self.args = trials, trials[0].args
        for trial in trials:
            if reason := unfit(trial, number):
                raise _refusal(trial, reason)
            trial.mac.enter(trial.learner.stages[number].name)
        self.learners = [trial.learner.learners[number] for trial in trials]
        self.runners = [trial.runner for trial in trials if isinstance(trial.runner, OfflineRunner)]
        self.learner = self.learners[0]
        if len({learner.limit_ends for learner in self.learners}) > 1:
            raise _refusal(trials[0], "the data of some seeds tell that the episode limit ends the game, those of "
                                      "others do not")
        fixed = any(isinstance(net, Critic) and net.temperature.fixed is not None for net in self.learner.nets.values())
        if fixed and len({learner.reward_scale for learner in self.learners}) > 1:
            raise _refusal(trials[0], "its alpha is in the game's rewards, which reward_scale=null divides by another "
                                      "number for each seed's data")
        self._losses = _Losses(self.learner)
        constants = [dict(_Losses(learner).named_buffers()) for learner in self.learners]
        if any(not th.equal(value, others[name]) for others in constants for name, value in constants[0].items()):
            raise _refusal(trials[0], "its networks hold numbers that are not trained and differ between seeds")
        names = [name for name, _ in self._losses.named_parameters()]
        each = [dict(_Losses(learner).named_parameters()) for learner in self.learners]
        with th.no_grad():
            self.parameters = {name: th.stack([params[name] for params in each]) for name in names}
        self._singles = {name: [params[name] for params in each] for name in names}
        of = {id(param): self.parameters[name] for name, param in self._losses.named_parameters()}
        groups = {name: [of[id(param)].requires_grad_() for param in trained(net)]
                  for name, net in self.learner.nets.items()}
        pairs = [(of[id(target)], of[id(online)]) for target, online in target_pairs(self.learner.nets.values())]
        self._update = self.learner.update = Update(groups, pairs, self.args, self.learner.lr, len(trials))
        self._recorded = self._load()
        self._captured: Captured[dict[str, Tensor]] | None = None
        if isinstance(self._recorded, RecordedSteps) and may_repeat(self.learner, self._recorded):
            self._captured = Captured(self._compute, lambda: self._update.layout, self._recorded.device,
                                      self.learner.console)

    def _load(self) -> RecordedSteps | MergedSteps:
        """All recorded steps of all seeds, whose episodes have one number after the other."""
        seeds, size = len(self.runners), self.runners[0].dataset.n_episodes
        fit = all(runner.dataset.n_episodes == size for runner in self.runners)
        if fit:
            whole = [learner.steps(runner.episodes(th.arange(size)))
                     for learner, runner in zip(self.learners, self.runners, strict=True)]
            steps = int(whole[0].time.max()) + 1
            even = all(len(step.reward) == size * steps and int(step.time.max()) + 1 == steps for step in whole)
            parts = (dataclasses.replace(step, episode=step.episode + k * size) for k, step in enumerate(whole))
            recorded = RecordedSteps(parts, seeds * size, self.learner.alike)
            unread = self.learner.unread_by_losses
            by_kind = None if unread is None else merged(recorded, unread, self.args.batch_size, seeds)
            if by_kind is not None:
                return by_kind
            fit = even or may_repeat(self.learner, recorded)
        if not fit:
            raise UserError(f"runs on {self.args.env} cannot be trained stacked, since its episodes differ in length "
                            "or number, and few of its steps are the same; remove stack from the grid.")
        return recorded

    def _rows(self) -> Tensor:
        """The numbers of every seed's next episodes, ``[E, B]``, in the order in which its own run draws them."""
        rows = th.stack([runner.next_rows() for runner in self.runners])
        return rows + th.arange(len(rows))[:, None] * self.runners[0].dataset.n_episodes

    def _losses_of(self, step: Transitions) -> Tensor:
        """The loss of every seed ``[E]`` on steps of one after those of another, ``[E M]``."""
        drawn = {name: value.unflatten(0, (len(self.trials), -1)) for name, value in vars(step).items()
                 if value is not None}
        losses: Tensor = vmap(lambda params, step: functional_call(self._losses, params, (Transitions(**step),)),
                              randomness="different")(self.parameters, drawn)
        return losses

    def _compute(self, index: Tensor, number: Tensor, count: Tensor | None) -> dict[str, Tensor]:
        """An update that a GPU repeats, on steps at ``index`` ``[E, M]`` (see :meth:`.RecordedSteps.places`)."""
        assert isinstance(self._recorded, RecordedSteps)
        return self._update.descend(self._losses_of(self._recorded.at(index, number, count)))

    def update(self, t_env: int) -> None:
        """One update of every seed.

        Raises:
            UserError: a loss or a gradient is not finite.
        """
        for runner in self.runners:
            runner.t_env = t_env
        self.learner.t_env = t_env
        rows = self._rows()
        if self._captured is not None:
            assert isinstance(self._recorded, RecordedSteps)
            self.learner.repeat(self._captured, self._recorded, rows)
            return
        step = self._recorded.draw(rows.flatten())
        losses = self._losses_of(dataclasses.replace(step, episode=step.episode % rows.shape[1]))

        def check(norms: Mapping[str, Tensor]) -> None:
            sizes = losses.detach() + th.stack(list(norms.values())).sum(0)  # [E]
            lost = ", ".join(str(trial.args.seed) for trial, size in zip(self.trials, sizes, strict=True)
                             if not math.isfinite(size))
            if lost:
                raise UserError(f"training diverged at t_env {t_env} in seed {lost} of a stack; lower lr, scale the "
                                "rewards with reward_scale, or take stack out of the grid so that the others go on.")

        self._update(losses, self.learner.rate(t_env), check)

    @th.no_grad()
    def write_back(self) -> None:
        """Gives every seed's own networks their parameters.

        Raises:
            UserError: something was not finite, of which no update has told.
        """
        if (count := self._update.diverged()) is not None:
            raise UserError(f"training diverged in update {count} of a stack; lower lr, scale the rewards with "
                            "reward_scale, or take stack out of the grid.")
        for name, singles in self._singles.items():
            for single, value in zip(singles, self.parameters[name], strict=True):
                single.copy_(value)


class _Losses(nn.Module):
    """The learner's loss as a function of all its networks' parameters."""

    def __init__(self, learner: Learner) -> None:
        super().__init__()
        self.nets = nn.ModuleDict(learner.nets)
        self._compute = learner.losses

    def forward(self, step: Transitions) -> Tensor:
        total: Tensor = th.stack(list(self._compute(step)[0].values())).sum()
        return total
