"""One step of all networks, for a single run or for the stacked networks of several seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
            if own:
                self._networks[name] = FlatAdam(own, seeds)
        self._targets = FlatTargets(pairs, [*self._networks.values()])
        self._there: _There | None = None

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
        waits = loss.device.type == "cpu" if self._waits is None else self._waits
        if not waits:
            self.prepare(loss.device, rate)
            norms = self.descend(loss)
            self.has_descended()
            return norms
        networks = [*self._networks.values()]
        for network in networks:
            network.bind()
        gather(loss.sum(), networks)
        with th.no_grad():
            norms = self._norms()
            check(norms)
            self._clip(norms, True)
            self._rate = rate
            step(networks, rate)
            self._count()
            if self._follows:
                self._targets.follow(self._share)
        return norms

    def prepare(self, device: th.device, rate: float) -> None:
        """Brings what :meth:`descend` reads to the device, where it is not waited for."""
        for network in self._networks.values():
            network.bind()
        self._targets.bind()
        if self._there is None:
            zero = th.zeros((), device=device)
            self._there = _There(zero, zero.clone(), th.full((), self.count, device=device))
        self._rate = rate
        self._there.rate.fill_(rate)

    def descend(self, loss: Tensor) -> dict[str, Tensor]:
        """One step of work on the device, prepared, without waiting for it: it may be repeated with other numbers.

        Returns:
            The gradient norms before clipping, by network, ``[]`` or ``[E]``.
        """
        assert self._there is not None
        networks, there = [*self._networks.values()], self._there
        gather(loss.sum(), networks)
        with th.no_grad():
            norms = self._norms()
            there.note(loss.detach(), [*norms.values()])
            self._clip(norms, False)
            step(networks, there.rate, there.stop)
            if self._always_follows:
                self._targets.follow(self._share * (1 - there.stop))
        return norms

    def has_descended(self) -> None:
        """Does what is left of an update after :meth:`descend`, or after that was repeated."""
        assert self._there is not None
        self._count()
        if self._follows and not self._always_follows:
            self._targets.follow(self._share * (1 - self._there.stop))

    @property
    def layout(self) -> tuple[int, ...]:
        """What differs whenever :meth:`descend` may read or write elsewhere than before."""
        return (self._targets.layout, *(network.layout for network in self._networks.values()))

    def diverged(self) -> int | None:
        """After how many good updates something was not finite, if it has not been told; None if nothing was.

        Waits for the device.  Updates that changed nothing are not counted any more.
        """
        if self._there is None or not float(self._there.stop):
            return None
        applied = int(self._there.applied)
        for network in self._networks.values():
            network.has_not_moved(self.count - applied)
        self.count = applied
        return applied

    def _norms(self) -> dict[str, Tensor]:
        return {name: network.norm() for name, network in self._networks.items()}

    def _count(self) -> None:
        self.count += 1
        for network in self._networks.values():
            network.has_moved()

    def _clip(self, norms: Mapping[str, Tensor], waits: bool) -> None:
        limit = self.args.grad_norm_clip
        for network, norm in zip(self._networks.values(), norms.values(), strict=True):
            if not waits or float(norm if norm.dim() == 0 else norm.max()) + 1e-6 > limit:
                network.scale((limit / (norm + 1e-6)).clamp(max=1.0))

    @property
    def _always_follows(self) -> bool:
        return self.args.target_update_interval_or_tau <= 1

    @property
    def _follows(self) -> bool:
        """Whether targets follow after so many updates."""
        return self._always_follows or self.count % int(self.args.target_update_interval_or_tau) == 0

    @property
    def _share(self) -> float:
        return min(self.args.target_update_interval_or_tau, 1.0)

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
        self.count, self._there = state["updates"], None
        if self.count:  # where parameters lie decides the last bits of products, and that was in the buffers then
            for network in self._networks.values():
                network.bind()
            self._targets.bind()


@dataclass(frozen=True)
class _There:
    """Scalars on a device that is not waited for.

    Attributes:
        stop: 1.0 once something was not finite, 0.0 before.
        rate: learning rate.
        applied: how many updates have changed something.
    """

    stop: Tensor
    rate: Tensor
    applied: Tensor

    def note(self, loss: Tensor, norms: Sequence[Tensor]) -> None:
        """Stops everything from here on, if something is not finite."""
        sound = (loss + th.stack([*norms]).sum(0)).sum().isfinite()
        self.stop.copy_(self.stop.maximum((~sound).float()))
        self.applied.add_((1 - self.stop).long())
