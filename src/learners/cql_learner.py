"""Conservative Q-learning with mixed team values."""

from __future__ import annotations

from torch import Tensor, nn

from ..components.transitions import Transitions
from ..errors import UserError
from ..modules.conservatism import additive_logsumexp, enumerated_logsumexp, individual_gap
from . import REGISTRY
from .q_learner import QLearner
from .repeating import ALWAYS
from .settings import CqlSettings

ENUMERABLE = 10_000  # joint actions that one update can go through


@REGISTRY.register("cql_learner")
class CqlLearner(QLearner):
    """Q-learning that pushes all values down and those of recorded actions up (Kumar et al., 2020).

    ``cql_regulariser`` says of what: ``joint`` is log sum_a exp Q_tot(s, a) - Q_tot(s, recorded a), exactly, and
    ``individual`` the sum over agents of the same expression in their own Q_i.

    Raises:
        UserError: ``joint`` with more joint actions than can be gone through, and values that are no plain sum.
    """

    args: CqlSettings
    phase = ALWAYS

    def build(self) -> dict[str, nn.Module]:
        args = self.args
        joint = self.info.n_actions**self.info.n_agents
        if args.cql_regulariser == "joint" and args.mixer != "vdn" and joint > ENUMERABLE:
            raise UserError(f"cql_regulariser=joint cannot go through {joint:,} joint actions, only {ENUMERABLE:,}; "
                            "use cql_regulariser=individual or mixer=vdn.")
        return super().build()

    def further_losses(self, step: Transitions, q: Tensor, q_tot: Tensor, mixer_state: Tensor) -> dict[str, Tensor]:
        args = self.args
        if args.cql_regulariser == "joint" and args.mixer == "vdn":
            gap = (additive_logsumexp(q, step.available) - q_tot).mean()
        elif args.cql_regulariser == "joint":
            gap = (enumerated_logsumexp(q, step.available, self.mixer, mixer_state) - q_tot).mean()
        else:
            gap = individual_gap(q, step.available, step.actions)
        return {"cql_loss": args.cql_alpha * gap}
