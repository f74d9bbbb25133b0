"""Distillation without a key: what the students of policy agreement would be without agreement."""

from __future__ import annotations

from torch import nn

from ..components.label_set import LabelSet
from ..errors import UserError
from . import REGISTRY
from .cpa_pa_learner import WIDTH, CpaPaLearner


@REGISTRY.register("kd_learner")
class KdLearner(CpaPaLearner):
    """The teacher's whole law is taught to a pool of one entry; needs ``product_mac`` with ``pool_size=1``.

    What the students learn is, agent by agent, the teacher's average over its joint actions: the
    mismatch that the teacher avoids is back.

    Raises:
        UserError: several entries, an encoder or a variational key are asked for, or as :class:`CpaPaLearner`.
    """

    def build(self) -> dict[str, nn.Module]:
        for key, value in (("pool_size", 1), ("selection", "likelihood"), ("key", "prior")):
            if getattr(self.args, key) != value:
                raise UserError(f"{key}={getattr(self.args, key)} has no meaning without an agreement key; kd needs "
                                f"{key}={value}, or use --config=cpa_pa.")
        nets = super().build()
        self.labels = LabelSet(self._ask, WIDTH)
        return nets

    def _report(self) -> None:
        """Not that joint actions are not reproduced, which is the point, but that some were never taught."""
        if self.labels.lost > 0.01 * len(self.labels):
            self.logger.console_logger.warning(
                "%.1f %% of the teacher's play is not taught: it plays more than %d joint actions in a state; raise "
                "beta", 100 * self.labels.lost / len(self.labels), WIDTH)
