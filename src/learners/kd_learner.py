"""Distillation without a key: what the students of policy agreement would be without agreement."""

from __future__ import annotations

from ..controllers.product_controller import ProductMAC
from . import REGISTRY
from .student_learner import WIDTH, StudentLearner
from .teaching_settings import KdSettings


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
