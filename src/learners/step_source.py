"""The steps that a learner learns from, batch by batch."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn

from ..components.drawn import DrawnBatch, RecordedSteps, recorded_steps
from ..components.episode_buffer import EpisodeBatch
from ..components.merged import MergedSteps, merged
from ..components.transitions import Transitions
from ..conventions.experience import EpisodeSource


class Learning(Protocol):
    """What must be known of a :class:`.Learner`, whose words these are."""

    source: EpisodeSource | None
    nets: dict[str, nn.Module]

    def steps(self, batch: EpisodeBatch) -> Transitions: ...
    @property
    def alike(self) -> bool: ...
    @property
    def unread_by_losses(self) -> frozenset[str] | None: ...
    @property
    def own_phase(self) -> str | None: ...


class StepSource:
    """Cuts batches into steps; of recorded episodes, where no encoder learns, all are cut once.

    Args:
        learner: whose steps they are.

    Attributes:
        recorded: all recorded steps, once the first batch has shown that they can be kept.
        repeats: whether a GPU may repeat updates; to be changed by who compares.
    """

    def __init__(self, learner: Learning) -> None:
        self._learner = learner
        self.recorded: RecordedSteps | MergedSteps | None = None
        self.repeats = True
        self._undecided = True  # until the first batch shows whether all recorded steps can be kept

    def draw(self, batch: EpisodeBatch) -> Transitions:
        """The same as :meth:`.Learner.steps`."""
        learner = self._learner
        if learner.source is None or not isinstance(batch, DrawnBatch) or not batch.is_untouched:
            return learner.steps(batch)
        if self._undecided:
            self._cut(batch)
        return learner.steps(batch) if self.recorded is None else self.recorded.draw(batch.place)

    def repeatable(self, batch: EpisodeBatch) -> tuple[RecordedSteps, Tensor] | None:
        """All recorded steps and the numbers of a batch's episodes, where a GPU may repeat updates; else None."""
        recorded = self.recorded
        if not isinstance(recorded, RecordedSteps) or not isinstance(batch, DrawnBatch) or not batch.is_untouched:
            return None
        return (recorded, batch.place) if self.repeats and may_repeat(self._learner, recorded) else None

    def _cut(self, batch: DrawnBatch) -> None:
        learner, self._undecided = self._learner, False
        if learner.source is None or {"encoder", "critic_encoder"} & learner.nets.keys():
            return
        whole = recorded_steps(learner.steps, learner.source.episodes, learner.source.n_episodes, learner.alike,
                               batch.batch_size)
        unread = learner.unread_by_losses
        self.recorded = whole if whole is None or unread is None else merged(whole, unread, batch.batch_size) or whole


def may_repeat(learner: Learning, recorded: RecordedSteps) -> bool:
    """Whether updates on batches of recorded steps may be repeated as they were recorded.

    That is so on a GPU where the losses say what else they look at (:attr:`.Learner.phase`), and where batches have as
    many steps as each other, or the losses know of counts, so that batches can be filled up.
    """
    return on_gpu(recorded) and learner.own_phase is not None \
        and (recorded.even or learner.unread_by_losses is not None)


def on_gpu(recorded: RecordedSteps) -> bool:
    """Whether steps are kept where operations can be recorded."""
    return recorded.device.type == "cuda"
