"""The steps that a learner learns from, batch by batch."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn

from ..components.drawn import DrawnBatch, RecordedSteps, recorded_steps
from ..components.episode_buffer import EpisodeBatch
from ..components.merged import MergedSteps, merged
from ..components.transitions import Transitions
from ..controllers.base import Controller
from ..conventions.experience import EpisodeSource


class Learning(Protocol):
    """What must be known of a :class:`.Learner`, whose words these are."""

    source: EpisodeSource | None
    nets: dict[str, nn.Module]
    mac: Controller

    def steps(self, batch: EpisodeBatch) -> Transitions: ...
    @property
    def alike(self) -> bool: ...
    @property
    def unread_by_losses(self) -> frozenset[str] | None: ...
    @property
    def own_phase(self) -> str | None: ...


class StepSource:
    """Cuts batches into steps of a learner; of recorded episodes, where no encoder learns, all are cut once.

    Attributes:
        recorded: all recorded steps, once the first batch has shown that they can be kept.
        repeats: whether a GPU may repeat updates; to be changed by who compares.
    """

    def __init__(self) -> None:
        self.recorded: RecordedSteps | MergedSteps | None = None
        self.repeats = True
        self._undecided = True  # until the first batch shows whether all recorded steps can be kept

    def draw(self, learner: Learning, batch: EpisodeBatch) -> Transitions:
        """The same as :meth:`.Learner.steps`."""
        if learner.source is None or not isinstance(batch, DrawnBatch) or not batch.is_untouched:
            return learner.steps(batch)
        if self._undecided:
            self._cut(learner, batch)
        return learner.steps(batch) if self.recorded is None else self.recorded.draw(batch.place)

    def repeatable(self, learner: Learning, batch: EpisodeBatch) -> tuple[RecordedSteps, Tensor] | None:
        """All recorded steps and the numbers of a batch's episodes, where a GPU may repeat updates; else None."""
        recorded = self.recorded
        if not isinstance(recorded, RecordedSteps) or not isinstance(batch, DrawnBatch) or not batch.is_untouched:
            return None
        return (recorded, batch.place) if self.repeats and may_repeat(learner, recorded) else None

    def _cut(self, learner: Learning, batch: DrawnBatch) -> None:
        self._undecided = False
        if learner.source is None or {"encoder", "critic_encoder"} & learner.nets.keys():
            return
        whole = recorded_steps(learner.steps, learner.source.episodes, learner.source.n_episodes, learner.alike,
                               batch.batch_size)
        unread = learner.unread_by_losses
        self.recorded = whole if whole is None or unread is None else merged(whole, unread, batch.batch_size) or whole

    def forget(self) -> None:
        """Gives back the room of recorded steps, as the stage is over."""
        self.recorded, self._undecided = None, True


def may_repeat(learner: Learning, recorded: RecordedSteps) -> bool:
    """Whether updates on batches of recorded steps may be repeated as they were recorded.

    That is so on a GPU where the losses say what else they look at (:attr:`.Learner.phase`), and where batches have as
    many steps as each other, or the losses know of counts, so that batches can be filled up.  Networks and controllers
    of other people may hold numbers that change from call to call.
    """
    if not on_gpu(recorded) or learner.own_phase is None:
        return False
    parts = (learner.mac, *(part for net in learner.nets.values() for part in net.modules()))
    return (recorded.even or learner.unread_by_losses is not None) and all(_is_known(part) for part in parts)


def _is_known(part: object) -> bool:
    return type(part).__module__.partition(".")[0] in (__name__.partition(".")[0], "torch")


def on_gpu(recorded: RecordedSteps) -> bool:
    """Whether steps are kept where operations can be recorded."""
    return recorded.device.type == "cuda"
