"""One step of all networks, for a single run or for the stacked networks of several seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch as th
from torch import Tensor, nn

from ..settings import Settings

Groups = Mapping[str, Sequence[Tensor]]


def clipped(group: Sequence[Tensor], limit: float) -> Tensor:
    """Scales the gradient of one network down to ``limit``; returns its norm before, a scalar."""
    return nn.utils.clip_grad_norm_(group, limit)


def clipped_by_seed(group: Sequence[Tensor], limit: float) -> Tensor:
    """The same for parameters stacked ``[E, ...]``, seed by seed; the norms ``[E]``."""
    grads = [param.grad for param in group if param.grad is not None]
    if not grads:
        return th.zeros(len(group[0]))
    norm: Tensor = th.stack([grad.reshape(len(grad), -1).norm(dim=1) for grad in grads]).norm(dim=0)  # [E]
    scale = (limit / (norm + 1e-6)).clamp(max=1.0)
    for grad in grads:
        grad.mul_(scale.view(-1, *[1] * (grad.dim() - 1)))
    return norm


class Update:
    """Adam, a gradient clip for every named network, and target networks that follow.

    Every network has its own optimiser and clip, so that the scale of one loss never slows another network down.

    Args:
        groups: the trained parameters of every network.
        pairs: every target parameter, with the one that it follows.
        args: settings.
        lr: learning rate of the first update.
        clip: scales a network's gradient and returns its norm, :func:`clipped` or :func:`clipped_by_seed`.

    Attributes:
        count: number of updates so far.
    """

    def __init__(self, groups: Groups, pairs: Sequence[tuple[Tensor, Tensor]], args: Settings, lr: float,
                 clip: Callable[[Sequence[Tensor], float], Tensor] = clipped) -> None:
        self.groups, self.args, self.count, self._clip = groups, args, 0, clip
        self._targets, self._online = [target for target, _ in pairs], [online for _, online in pairs]
        self.optimisers = {name: th.optim.Adam(group, lr=lr, fused=True) for name, group in groups.items()}

    def __call__(self, loss: Tensor, rate: float, check: Callable[[Mapping[str, Tensor]], None]) -> dict[str, Tensor]:
        """One step.

        Args:
            loss: a scalar, or ``[E]``.
            rate: learning rate.
            check: is given the gradient norms by network and raises if something is not finite; nothing has been
                changed then.

        Returns:
            The gradient norms before clipping, by network, ``[]`` or ``[E]``.
        """
        for optimiser in self.optimisers.values():
            optimiser.zero_grad(set_to_none=True)
        loss.sum().backward()  # type: ignore[no-untyped-call]
        norms = {name: self._clip(group, self.args.grad_norm_clip) for name, group in self.groups.items()}
        check(norms)
        for optimiser in self.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()  # a network without a gradient is left alone
        self.count += 1
        self._follow()
        return norms

    @th.no_grad()
    def _follow(self) -> None:
        tau = self.args.target_update_interval_or_tau
        if self._targets and (tau <= 1 or self.count % int(tau) == 0):
            th._foreach_lerp_(self._targets, self._online, min(tau, 1.0))

    def state_dict(self) -> dict[str, Any]:
        return {"optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
                "updates": self.count}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up what :meth:`state_dict` gave.

        Raises:
            ValueError: it is something else, which would only show in the next update.
        """
        try:
            sound = type(state["updates"]) is int and all(
                _is_state_of(optimiser, state["optimisers"][name]) for name, optimiser in self.optimisers.items())
        except (KeyError, IndexError, TypeError, AttributeError):
            sound = False
        if not sound:
            raise ValueError("the state of the optimisers is not that of these networks")
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        self.count = state["updates"]


def _is_state_of(optimiser: th.optim.Adam, state: Mapping[str, Any]) -> bool:
    """Whether this is a state of Adam for these parameters; other versions of torch may have further settings."""
    own, params = optimiser.state_dict()["param_groups"], [param for group in optimiser.param_groups
                                                           for param in group["params"]]
    alike = len(own) == len(state["param_groups"]) and all(
        theirs["params"] == mine["params"] and len(theirs["betas"]) == 2
        and all(isinstance(number, float) for number in (theirs["lr"], theirs["eps"], *theirs["betas"]))
        and all(type(theirs.get(key, value)) is type(value) for key, value in mine.items())
        for mine, theirs in zip(own, state["param_groups"], strict=True))
    return alike and all(
        moments["step"].numel() == 1 and moments["exp_avg"].shape == moments["exp_avg_sq"].shape == params[index].shape
        for index, moments in state["state"].items())
