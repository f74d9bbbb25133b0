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
from collections.abc import Sequence
from typing import Any

import torch as th
from torch import Tensor, nn
from torch.func import functional_call, vmap

from ...components.transitions import Transitions
from ...errors import UserError
from ...learners.base import Learner
from ...modules.critics import Critic
from ...modules.followed import Followed
from ...run import Trial, due, prepare


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
    args = trials[0].args
    for trial in trials:
        trial.test()
    for t in range(1, args.t_max + 1):
        stack.update(t)
        if due(t, t - 1, args.test_interval) or t == args.t_max:
            stack.write_back()
            for trial in trials:
                trial.test()
    return [trial.summary() for trial in trials]


class Stack:
    """E learners of one kind as one, their parameters stacked ``[E, ...]``.

    Args:
        trials: built runs that differ in their seeds only.
    """

    def __init__(self, trials: Sequence[Trial]) -> None:
        self.trials, self.args = trials, trials[0].args
        self.learner: Learner = trials[0].learner
        if type(self.learner).train is not Learner.train or not trials[0].runner.learns_offline:
            raise UserError(f"the method {self.args.name} cannot be trained stacked, since it learns in stages or "
                            "online; remove stack from the grid.")
        self._losses = _Losses(self.learner)
        names = [name for name, _ in self._losses.named_parameters()]
        each = [dict(_Losses(trial.learner).named_parameters()) for trial in trials]
        with th.no_grad():
            self.parameters = {name: th.stack([params[name] for params in each]) for name in names}
        self._singles = {name: [params[name] for params in each] for name in names}
        of = {id(param): self.parameters[name] for name, param in self._losses.named_parameters()}
        self._groups = {}
        for name, net in self.learner.nets.items():
            self._groups[name] = [of[id(param)].requires_grad_() for param in net.parameters() if param.requires_grad]
        self._optimisers = [th.optim.Adam(group, lr=self.args.lr, fused=True) for group in self._groups.values()]
        self._follows = [(of[id(target)], of[id(online)]) for net in self.learner.nets.values()
                         for ahead, behind in _pairs(net)
                         for online, target in zip(ahead.parameters(), behind.parameters(), strict=True)]
        self._data, self._steps = self._load()

    def _load(self) -> tuple[Transitions, int]:
        """All recorded steps of all seeds ``[E, episodes * T, ...]``, and T."""
        args, whole = self.args, []
        for trial in self.trials:
            batch = trial.runner.episodes(th.arange(trial.runner.dataset.n_episodes))
            whole.append(trial.learner.steps(batch))
        lengths = {len(step.reward) for step in whole} | {int(step.time.max()) + 1 for step in whole}
        episodes = {trial.runner.dataset.n_episodes for trial in self.trials}
        steps = int(whole[0].time.max()) + 1
        if lengths != {steps, steps * max(episodes)} or len(episodes) > 1:
            raise UserError(f"runs on {args.env} cannot be trained stacked, since its episodes differ in length or "
                            "number; remove stack from the grid.")
        fields = {field.name: th.stack([getattr(step, field.name) for step in whole])
                  for field in dataclasses.fields(Transitions)}
        return Transitions(**fields), steps

    def _draw(self) -> Transitions:
        """The next batch of every seed, ``[E, M, ...]``, in the order in which its own run would draw it."""
        rows = th.stack([trial.runner.next_rows() for trial in self.trials])  # [E, B]
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
        for trial in self.trials:
            trial.runner.t_env = t_env
        self.learner.t_env = t_env
        losses: Tensor = vmap(lambda params, step: functional_call(self._losses, params, (Transitions(**step),)),
                              randomness="different")(self.parameters, vars(self._draw()))  # [E]
        for optimiser in self._optimisers:
            optimiser.zero_grad(set_to_none=True)
        losses.sum().backward()  # type: ignore[no-untyped-call]
        norms = [self._clip(group) for group in self._groups.values()]
        sizes = losses.detach() + th.stack(norms).sum(0)  # [E]
        if not sizes.isfinite().all():
            lost = ", ".join(str(trial.args.seed) for trial, size in zip(self.trials, sizes, strict=True)
                             if not math.isfinite(size))
            raise UserError(f"training diverged at t_env {t_env} in seed {lost} of a stack; lower lr, scale the "
                            "rewards with reward_scale, or take stack out of the grid so that the others go on.")
        rate = self.learner.rate(t_env)
        for optimiser in self._optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()
        self.learner.updates += 1
        tau = self.args.target_update_interval_or_tau
        if self._follows and (tau <= 1 or self.learner.updates % int(tau) == 0):
            with th.no_grad():
                th._foreach_lerp_([a for a, _ in self._follows], [b for _, b in self._follows], min(tau, 1.0))

    def _clip(self, group: list[Tensor]) -> Tensor:
        """Scales every seed's gradient of one network down to ``grad_norm_clip``; the norms ``[E]``."""
        grads = [param.grad for param in group if param.grad is not None]
        if not grads:
            return th.zeros(len(self.trials))
        norm: Tensor = th.stack([grad.flatten(1).norm(dim=1) for grad in grads]).norm(dim=0)  # [E]
        scale = (self.args.grad_norm_clip / (norm + 1e-6)).clamp(max=1.0)
        for grad in grads:
            grad.mul_(scale.view(-1, *[1] * (grad.dim() - 1)))
        return norm

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


def _pairs(net: nn.Module) -> list[tuple[nn.Module, nn.Module]]:
    """The followed modules in ``net`` and their targets."""
    found = [(module.online, module.target) for module in net.modules() if isinstance(module, Followed)]
    found += [(module, target) for critic in net.modules() if isinstance(critic, Critic)
              for target, module in critic.pairs]
    return found
