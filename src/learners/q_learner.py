"""Q-learning of factorised team values: QMIX, VDN and independent learners."""

from __future__ import annotations

import torch as th
from torch import Tensor, nn

from ..components.action_selectors import masked_logits
from ..components.returns import lambda_returns
from ..components.transitions import Transitions
from ..controllers.independent_controller import ValueMAC
from ..modules.followed import Followed
from ..modules.losses import taken
from ..modules.mixers import REGISTRY as MIXERS
from ..settings import Settings
from . import REGISTRY
from .base import Learner
from .repeating import ALWAYS
from .settings import QSettings


@REGISTRY.register("q_learner")
class QLearner(Learner):
    """Temporal differences of Q_tot(s, a) = mix(Q_1(s, a_1) .. Q_N(s, a_N); s), as in EPyMARL.

    With ``critic_time`` the mixer also sees the share of the horizon passed; the best joint action
    does not depend on it, since all mixers are monotone, but without it the end of an episode is noise.

    The methods that learn from data override :meth:`next_allowed` and :meth:`further_losses`.
    """

    args: QSettings
    mac: ValueMAC
    phase = ALWAYS

    @classmethod
    def reads_critic_input(cls, args: Settings) -> bool:
        assert isinstance(args, QSettings)
        return args.mixer == "qmix"  # the others only add up, or do nothing

    def build(self) -> dict[str, nn.Module]:
        args = self.args
        self.q = Followed(self.mac.agent)
        n_seen = self.state_encoder.n_out + args.critic_time
        self.mixer = Followed(MIXERS[args.mixer or "none"](n_seen, self.info.n_agents, args))
        nets: dict[str, nn.Module] = {"q": self.q, "mixer": self.mixer}
        return {name: net for name, net in nets.items() if next(net.parameters(), None) is not None}

    def losses(self, step: Transitions) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        q = self.q(step.inputs)  # [M, N, A]
        mixer_state = self.timed(step.state, step.time, self.args.critic_time)
        q_tot = self.mixer(taken(q, step.actions), mixer_state)  # [M], or [M, N] without a mixer
        losses = {"td_loss": ((q_tot - self.goals(step)) ** 2).mean()}
        return losses | self.further_losses(step, q, q_tot, mixer_state), {"q_tot_mean": q_tot.mean()}

    def further_losses(self, step: Transitions, q: Tensor, q_tot: Tensor, mixer_state: Tensor) -> dict[str, Tensor]:
        """What a method adds to the temporal difference.

        Args:
            step: the steps.
            q: the agents' values ``[M, N, A]``.
            q_tot: mixed values of the recorded joint actions, ``[M]`` or ``[M, N]``.
            mixer_state: what the mixer sees of the states, ``[M, S'']``.
        """
        return {}

    def next_allowed(self, step: Transitions) -> Tensor:
        """Actions that targets may take, bool ``[M, N, A]``."""
        return step.next_available

    @th.no_grad()
    def goals(self, step: Transitions) -> Tensor:
        """TD(lambda) targets of the best allowed next joint action, ``[M]``, or ``[M, N]`` without a mixer.

        With ``double_q`` the trained networks choose it and their targets value it.
        """
        args = self.args
        rows = self.q.target(step.lagged.next_inputs)
        chooser = self.q(step.next_inputs) if args.double_q else rows
        best = masked_logits(chooser, self.next_allowed(step)).argmax(-1)  # [M, N]
        later = self.timed(step.lagged.next_state, step.time + 1, args.critic_time)
        ahead = self.mixer.target(taken(rows, best), later)

        def returns(values: Tensor) -> Tensor:
            return lambda_returns(step, values, args.gamma, args.td_lambda, self.info.episode_limit, args.batch_size)

        return returns(ahead) if ahead.dim() == 1 else th.vmap(returns, in_dims=1, out_dims=1)(ahead)
