"""One step of all networks, for a single run or for the stacked networks of several seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch as th
from torch import Tensor

from ..modules.flat_adam import FlatAdam, gather, step
from ..modules.flat_targets import FlatTargets
from ..settings import Settings

Groups = Mapping[str, Sequence[Tensor]]


class Update:
    """Adam, a gradient clip for every named network, and target networks that follow.

    Every network has its own clip, so that the scale of one loss never slows another network down.  A parameter that
    several networks share is trained once, with the first of them.

    On the CPU something that is not finite is told at once.  Elsewhere nobody waits for the device: the first update
    that is not finite, and all after it, change nothing there, and :meth:`diverged` tells.

    Args:
        groups: the trained parameters of every network.
        pairs: every target parameter, with the one that it follows.
        args: settings.
        lr: learning rate of the first update.
        seeds: E for parameters that are stacked ``[E, ...]``, which are clipped seed by seed; else 0.
        waits: whether it waits for what it has computed; None: on the CPU.

    Attributes:
        count: number of updates so far.
    """

    def __init__(self, groups: Groups, pairs: Sequence[tuple[Tensor, Tensor]], args: Settings, lr: float,
                 seeds: int = 0, waits: bool | None = None) -> None:
        self.args, self.count, self._rate, self._waits = args, 0, lr, waits
        self._networks, seen = {}, set[int]()
        for name, group in groups.items():
            own = [param for param in group if id(param) not in seen]
            seen |= {id(param) for param in own}
            self._networks[name] = FlatAdam(own, seeds)
        self._targets = FlatTargets(pairs, [*self._networks.values()])
        self._stop: Tensor | None = None  # 1.0 once something was not finite, 0.0 before
        self._applied: Tensor | None = None  # how many updates have changed something

    def __call__(self, loss: Tensor, rate: float, check: Callable[[Mapping[str, Tensor]], None]) -> dict[str, Tensor]:
        """One step.

        Args:
            loss: a scalar, or ``[E]``.
            rate: learning rate.
            check: is given the gradient norms by network and raises if something is not finite; nothing has been
                changed then.  Called where the update waits.

        Returns:
            The gradient norms before clipping, by network, ``[]`` or ``[E]``.
        """
        networks = [*self._networks.values()]
        for network in networks:
            network.bind()
        gather(loss.sum(), networks)
        with th.no_grad():
            norms = {name: network.norm() for name, network in self._networks.items()}
            waits = loss.device.type == "cpu" if self._waits is None else self._waits
            if waits:
                check(norms)
            else:
                self._note(loss.detach(), [*norms.values()])
            self._clip(norms, waits)
            self._rate = rate
            step(networks, rate, self._stop)
            self.count += 1
            self._follow()
        return norms

    def diverged(self) -> int | None:
        """After how many good updates something was not finite, if it has not been told; None if nothing was.

        Waits for the device.
        """
        if self._stop is None or self._applied is None or not float(self._stop):
            return None
        return int(self._applied)

    def _note(self, loss: Tensor, norms: Sequence[Tensor]) -> None:
        """Stops everything from here on, if something is not finite."""
        if self._stop is None or self._applied is None:
            self._stop = th.zeros((), device=loss.device)
            self._applied = th.full((), self.count, device=loss.device)
        sound = (loss + th.stack([*norms]).sum(0)).sum().isfinite()
        self._stop = self._stop.maximum((~sound).float())
        self._applied = self._applied + (1 - self._stop).long()

    def _clip(self, norms: Mapping[str, Tensor], waits: bool) -> None:
        limit = self.args.grad_norm_clip
        for network, norm in zip(self._networks.values(), norms.values(), strict=True):
            if not waits or float(norm if norm.dim() == 0 else norm.max()) + 1e-6 > limit:
                network.scale((limit / (norm + 1e-6)).clamp(max=1.0))

    def _follow(self) -> None:
        tau = self.args.target_update_interval_or_tau
        if tau <= 1 or self.count % int(tau) == 0:
            share = min(tau, 1.0)
            self._targets.follow(share if self._stop is None else share * (1 - self._stop))

    def state_dict(self) -> dict[str, Any]:
        """Adam's state of every network, in the form of ``torch.optim.Adam``, and the number of updates."""
        states = {name: network.state_dict() for name, network in self._networks.items()}
        for state in states.values():
            state["param_groups"][0]["lr"] = self._rate
        return {"optimisers": states, "updates": self.count}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up what :meth:`state_dict` gave.

        Raises:
            ValueError: it is something else, which would only show in the next update.
        """
        try:
            sound = type(state["updates"]) is int and all(
                network.fits(state["optimisers"][name]) for name, network in self._networks.items())
        except (KeyError, IndexError, TypeError, AttributeError, ValueError):
            sound = False
        if not sound:
            raise ValueError("the state of the optimisers is not that of these networks")
        for name, network in self._networks.items():
            network.load_state_dict(state["optimisers"][name])
            self._rate = state["optimisers"][name]["param_groups"][0]["lr"]
        self.count, self._stop, self._applied = state["updates"], None, None
        if self.count:  # where parameters lie decides the last bits of products, and that was in the buffers then
            for network in self._networks.values():
                network.bind()
            self._targets.bind()
