"""Distillation without a key: what the students of policy agreement would be without agreement."""

from __future__ import annotations

from dataclasses import dataclass

from ..controllers.product_controller import ProductMAC
from ..errors import UserError
from . import REGISTRY
from .student_learner import WIDTH, StudentLearner
from .taught import TeachingSettings


@dataclass(frozen=True, kw_only=True)
class KdSettings(TeachingSettings):
    """Those of which only one value has a meaning without a key must have it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value in (("pool_size", 1), ("selection", "likelihood"), ("key", "prior")):
            if getattr(self, name) != value:
                raise UserError(f"{name}={getattr(self, name)} has no meaning without an agreement key; kd needs "
                                f"{name}={value}, or use --config=cpa_pa.")


@REGISTRY.register("kd_learner")
class KdLearner(StudentLearner):
    """The teacher's whole law is taught to a pool of one entry.

    What the students learn is, agent by agent, the teacher's average over its joint actions: the
    mismatch that the teacher avoids is back.
    """

    args: KdSettings
    mac: ProductMAC

    @property
    def n_labels(self) -> int:
        return WIDTH

    def _report(self) -> None:
        """Not that joint actions are not reproduced, which is the point, but that some were never taught."""
        if self.labels.lost > 0.01 * len(self.labels):
            self.console.warning("%.1f %% of the teacher's play is not taught: it plays more than %d joint actions in "
                                 "a state; raise beta", 100 * self.labels.lost / len(self.labels), WIDTH)
