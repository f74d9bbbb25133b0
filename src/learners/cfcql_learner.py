"""Counterfactual conservative Q-learning."""

from __future__ import annotations

import torch as th
from torch import Tensor, nn

from ..components.action_selectors import masked_logits
from ..components.transitions import Transitions
from ..modules.conservatism import agent_weights, counterfactuals
from ..modules.losses import behaviour_loss, log_policy
from . import REGISTRY
from .q_learner import QLearner
from .repeating import ALWAYS
from .settings import CfcqlSettings


@REGISTRY.register("cfcql_learner")
class CfcqlLearner(QLearner):
    """Pushes down what one agent could gain by leaving the recorded joint action (Shao et al., 2023).

    The loss adds ``cf_alpha`` [sum_i lambda_i logsumexp_j Q_tot(s, a with a_i = j) - Q_tot(s, a)].  With
    ``moderate_lambda`` the agents whose values stray from the data most weigh most (softmax of ``cf_tau``
    times the divergence, as in the authors' code); otherwise all weigh 1 / N.  The behaviour is
    learned alongside; in the authors' code it comes first.
    """

    args: CfcqlSettings
    phase = ALWAYS

    def build(self) -> dict[str, nn.Module]:
        nets = super().build()
        if self.args.moderate_lambda:
            self.behaviour = self.mac.rows(self.info.n_actions)
            nets["behaviour"] = self.behaviour
        return nets

    def further_losses(self, step: Transitions, q: Tensor, q_tot: Tensor, mixer_state: Tensor) -> dict[str, Tensor]:
        args, losses = self.args, {}
        values = counterfactuals(q, step.actions, self.mixer, mixer_state)  # [M, N, A]
        soft = th.logsumexp(masked_logits(values, step.available), -1)  # [M, N]
        if args.moderate_lambda:
            log_behaviour = log_policy(self.behaviour(step.inputs), step.available)
            losses["behaviour_loss"] = behaviour_loss(log_behaviour, step.actions)
            weights = agent_weights(values.detach(), log_behaviour.detach(), step.available, args.cf_tau)
            soft = (weights * soft).sum(1)
        else:
            soft = soft.mean(1)
        losses["cf_loss"] = args.cf_alpha * (soft - q_tot).mean()
        return losses
