"""The policy-agreement controller: students that act at once, without a word, and still as one team."""

from __future__ import annotations

import torch as th
from torch import Tensor

from ..agreement.episode_keys import EpisodeKeys
from ..agreement.joint_law import JointLaw
from ..agreement.students import Students
from ..components.action_selectors import masked_logits
from ..components.episode_buffer import EpisodeBatch, Index
from ..conventions.network import Conventions
from ..conventions.repeats import unworn
from . import REGISTRY
from .base import Controller
from .settings import AgreementSettings
from .student_controller import StudentMAC


@REGISTRY.register("pa_mac")
class AgreementMAC(StudentMAC):
    """Plays the students' joint actions by policy agreement.

    In tests with ``test_greedy`` the team plays its most likely entry; otherwise the entry that the
    agreement key means.  Keys depend on seed, episode and step only (see :class:`.EpisodeKeys`); episodes
    are counted by :meth:`init_hidden`, and those of tests from 0 after every :meth:`seed_tests`.

    With ``policy_input=obs`` the entries are conventions, and a key holds for a whole episode, whatever ``key_per``
    says: agents that cannot see the state cannot tell which convention holds unless it stays the same.
    """

    args: AgreementSettings
    agent: Students | Conventions  # type: ignore[assignment]

    @property
    def conventional(self) -> bool:
        """Whether the entries are conventions."""
        return self.args.policy_input == "obs"

    def new_students(self) -> Students | Conventions:  # type: ignore[override]
        if not self.conventional:
            return super().new_students()
        args, info = self.args, self.info
        return Conventions(self.encoder.n_out, info.n_agents, info.n_actions, args.pool_size, args.hidden_dim,
                           args.entry_floor)

    @property
    def imitated(self) -> Controller | None:
        return self.teacher if self.args.guided or not self.conventional else None

    def new_keys(self, seed: int) -> EpisodeKeys:
        return EpisodeKeys(seed, "episode") if self.conventional else super().new_keys(seed)

    def allowed(self, ep_batch: EpisodeBatch, t: int, bs: Index) -> Tensor:
        available = super().allowed(ep_batch, t, bs)
        if not t or not (limit := self.repeat_limit):
            return available
        return available.bool() & unworn(ep_batch, t, bs, limit)

    @property
    def sees_present_alone(self) -> bool:
        return super().sees_present_alone and not self.repeat_limit

    @property
    def repeat_limit(self) -> int:
        """How often an agent does the same at the same sight before it tries another; 0: no limit."""
        if not isinstance(self.agent, Conventions):
            return 0
        given = self.args.repeat_limit
        return int(self.agent.repeats) if given is None else given

    @property
    def key_length(self) -> int:
        return 1 if isinstance(self.agent, Conventions) else super().key_length

    def law(self, inputs: Tensor, available: Tensor, width: int) -> JointLaw:
        if not isinstance(self.agent, Conventions):
            return super().law(inputs, available, width)
        actions = masked_logits(self.agent.every(inputs), available[:, None]).argmax(-1)
        probs = self.agent.law().float().expand(len(actions), -1)
        return JointLaw(actions, probs, th.zeros(len(actions), device=probs.device))
