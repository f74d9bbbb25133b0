"""Trains several seeds of one small run at once, their parameters stacked.

Small networks on small batches spend their time starting operations, not computing; twenty seeds in
one operation cost little more than one.  Every seed has its own data, networks, order of episodes
and evaluation, as in a run of its own; only the last bits may differ, as sums are taken in another
order, and methods that draw at random in an update draw other numbers.
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

from ...components.transitions import Transitions
from ...errors import UserError
from ...learners.base import Learner, trained, unstackable
from ...learners.update import Update
from ...modules.followed import target_pairs
from ...run import Trial, due, prepare
from ...runners.offline_runner import OfflineRunner


def train_stack(configs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Runs configurations that differ in their seeds only; results as of :func:`epymarl_cpa.run.run`, in their order.

    Raises:
        UserError: the method learns in stages or plays online, or episodes differ in length, so that it cannot be
            stacked; or training diverged.
    """
    console = logging.getLogger("epymarl_cpa.stack")
    trials = [prepare(config, None, console) for config in configs]
    th.manual_seed(configs[0]["seed"])
    stack = Stack(trials)
    for trial in trials:
        trial.begin()
        trial.test()
    for t in range(1, stack.t_max + 1):
        stack.update(t)
        if due(t, t - 1, stack.args.test_interval) or t == stack.t_max:
            stack.write_back()
            for trial in trials:
                trial.test()
    return [trial.summary() for trial in trials]


class Stack:
    """E learners of one kind as one, their parameters stacked ``[E, ...]``, updated as each would be alone.

    Args:
        trials: built runs that differ in their seeds only.

    Raises:
        UserError: the method does more than a stack can do, or the episodes differ in length.
    """

    def __init__(self, trials: Sequence[Trial]) -> None:
        self.trials, self.args = trials, trials[0].args
        self.learners = [self._only_learner(trial) for trial in trials]
        self.runners = [trial.runner for trial in trials if isinstance(trial.runner, OfflineRunner)]
        self.learner, self.t_max = self.learners[0], trials[0].learner.t_max
        self._losses = _Losses(self.learner)
        constants = [dict(_Losses(learner).named_buffers()) for learner in self.learners]
        if any(not th.equal(value, others[name]) for others in constants for name, value in constants[0].items()):
            raise UserError(f"the method {self.args.name} cannot be trained stacked, since its networks hold numbers "
                            "that are not trained and differ between seeds; remove stack from the grid.")
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
        self._data, self._steps = self._load()

    def _only_learner(self, trial: Trial) -> Learner:
        """The learner of a run that a stack can train.

        Raises:
            UserError: it learns in stages or online, does more in an update than its losses, or its agents remember.
        """
        learners = trial.learner.learners
        own = unstackable(type(learners[0]))
        watched = self.args.watchers
        begun = self.args.checkpoint_path or self.args.evaluate
        why = ("its runs go on from checkpoints or only evaluate" if begun else
               "its observers watch one run each" if watched else
               "it learns in stages" if len(learners) > 1 else
               "it plays online" if not isinstance(trial.runner, OfflineRunner) else
               "its data stay on the disk" if trial.runner.on_disk else
               f"its learner has its own '{own[0]}'" if own else
               "its agents or critics remember" if set(learners[0].nets) & {"encoder", "critic_encoder"} else "")
        if why:
            raise UserError(f"the method {self.args.name} cannot be trained stacked, since {why}; remove stack from "
                            "the grid.")
        return learners[0]

    def _load(self) -> tuple[Transitions, int]:
        """All recorded steps of all seeds ``[E, episodes * T, ...]``, and T."""
        whole = [learner.steps(runner.episodes(th.arange(runner.dataset.n_episodes)))
                 for learner, runner in zip(self.learners, self.runners, strict=True)]
        lengths = {len(step.reward) for step in whole} | {int(step.time.max()) + 1 for step in whole}
        episodes = {runner.dataset.n_episodes for runner in self.runners}
        steps = int(whole[0].time.max()) + 1
        if lengths != {steps, steps * max(episodes)} or len(episodes) > 1:
            raise UserError(f"runs on {self.args.env} cannot be trained stacked, since its episodes differ in length "
                            "or number; remove stack from the grid.")
        there = [field.name for field in dataclasses.fields(Transitions) if getattr(whole[0], field.name) is not None]
        fields: dict[str, Any] = {name: th.stack([getattr(step, name) for step in whole]) for name in there}
        return Transitions(**fields), steps

    def _draw(self) -> Transitions:
        """The next batch of every seed, ``[E, M, ...]``, in the order in which its own run would draw it."""
        rows = th.stack([runner.next_rows() for runner in self.runners])  # [E, B]
        flat = (rows[..., None] * self._steps + th.arange(self._steps)).flatten(1)  # [E, M]
        which = th.arange(len(rows))[:, None]
        step = self._data[which, flat]
        number = th.arange(rows.shape[1]).repeat_interleave(self._steps)
        return dataclasses.replace(step, episode=number.expand_as(step.episode))

    def update(self, t_env: int) -> None:
        """One update of every seed.

        Raises:
            UserError: a loss or a gradient is not finite.
        """
        for runner in self.runners:
            runner.t_env = t_env
        self.learner.t_env = t_env
        drawn = {name: value for name, value in vars(self._draw()).items() if value is not None}
        losses: Tensor = vmap(lambda params, step: functional_call(self._losses, params, (Transitions(**step),)),
                              randomness="different")(self.parameters, drawn)  # [E]

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
        """Gives every seed's own networks their parameters."""
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
