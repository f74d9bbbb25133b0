"""What a learner tells of its losses, so that steps which are the same count as one and a GPU repeats updates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from logging import Logger
from typing import TypeVar

import torch as th
from torch import Tensor

from ..components.drawn import RecordedSteps
from ..components.env_info import EnvInfo
from ..components.merged import told_of_its_own
from ..components.transitions import Transitions
from ..controllers.base import Controller
from ..errors import UserError
from ..settings import Settings
from .captured import Captured
from .seeing import Seeing
from .step_source import StepSource
from .update import Update

#: losses, statistics, and gradient norms by network
Learned = tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]
ALWAYS = "always"  # the phase of losses that look at nothing but steps and networks
Found = TypeVar("Found")


class Repeating(Seeing, ABC):
    """The part of a learner that makes its updates on recorded steps, by a GPU's repetition where one may.

    Attributes:
        step_source: cuts batches into steps.
        update: one step of all networks.
        t_env: of the update in progress.
    """

    update: Update
    t_env: int

    def __init__(self, mac: Controller, info: EnvInfo, console: Logger, args: Settings) -> None:
        super().__init__(mac, info, console, args)
        self.step_source = StepSource()
        self._captured: Captured[Learned] | None = None
        self._there: dict[str, Tensor] | None = None  # numbers on a GPU that repeats

    @abstractmethod
    def rate(self, t_env: int) -> float:
        """The learning rate of an update."""

    @abstractmethod
    def losses(self, step: Transitions) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Losses to add up and minimise, by name, and further statistics, for M steps."""

    @property
    def unread(self) -> frozenset[str] | None:
        """What its losses do not look at in :class:`.Transitions`; steps that differ in nothing else count as one.

        Steps are put together only where ``episode`` is among it.  None: the losses look at every step by itself, and
        know no ``count``.  It is said of the losses of the same class: a subclass with losses of its own says it anew.
        """
        return None

    @property
    def unread_by_losses(self) -> frozenset[str] | None:
        """The same, if it was said of these losses."""
        return self.unread if told_of_its_own(type(self), "unread", "losses") else None

    @property
    def phase(self) -> str | None:
        """Which part of the stage it is, as far as the losses look at anything but steps and networks.

        On a GPU the updates of one phase are recorded once and repeated with other steps and :meth:`numbers`.  None:
        the losses look at other things that change from update to update, or wait for the GPU.  Every class says it of
        itself, not of its subclasses.
        """
        return None

    def numbers(self) -> dict[str, float]:
        """What changes from update to update and the losses ask for with :meth:`number`, by name."""
        return {}

    def number(self, name: str) -> float | Tensor:
        """One of :meth:`numbers`; a scalar on the GPU where it repeats updates."""
        return self.numbers()[name] if self._there is None else self._there[name]

    @property
    def own_phase(self) -> str | None:
        """The same, if this very class says it."""
        return self.phase if "phase" in vars(type(self)) else None

    def _repeat(self, recorded: RecordedSteps, rows: Tensor) -> Learned:
        """An update on the episodes ``rows`` ``[B]`` that a GPU repeats, which is recorded where it is new."""
        if self._captured is None:
            def compute(index: Tensor, number: Tensor, count: Tensor | None) -> Learned:
                losses, stats = self.losses(recorded.at(index, number, count))
                norms = self.update.descend(th.stack(list(losses.values())).sum())
                losses, stats = ({name: value.detach() for name, value in each.items()} for each in (losses, stats))
                return losses, stats, norms

            self._captured = Captured(compute, lambda: self.update.layout, recorded.device, self.console)
        return self.repeat(self._captured, recorded, rows[None])

    def repeat(self, captured: Captured[Found], recorded: RecordedSteps, rows: Tensor) -> Found:
        """An update that a GPU repeats, of this learner or of a stack of which it is the first.

        Args:
            captured: computes it.
            recorded: where its steps are from.
            rows: numbers of episodes, those of each seed, ``[G, B]``.
        """
        places = recorded.places(rows)
        self._check_any(places[0].numel())
        self.update.prepare(recorded.device, self.rate(self.t_env))
        self.bring_numbers(recorded.device)
        found = captured(places, self.phase)
        self.update.has_descended()
        return found

    def _check_any(self, steps: int) -> None:
        if not steps:
            raise UserError(f"the batch at t_env {self.t_env} holds no step whose outcome is known; check 'filled' and "
                            "'terminated' of the data.")

    def bring_numbers(self, device: th.device) -> None:
        """Writes the present :meth:`numbers` into scalars on a device, always the same ones."""
        if self._there is None:
            self._there = {name: th.zeros((), device=device) for name in self.numbers()}
        for name, value in self.numbers().items():
            self._there[name].fill_(value)

    def forget_steps(self) -> None:
        """Gives back what only updates need, as the stage is over."""
        self._captured = None
        self.step_source.forget()
