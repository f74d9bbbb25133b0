"""Controllers of students, who act at once and without a word, and of the teacher whom they learn from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import torch as th
from torch import Tensor, nn

from ..agreement.episode_keys import EpisodeKeys
from ..agreement.joint_law import JointLaw
from ..agreement.key import AgreementKey
from ..agreement.students import Students
from ..components.action_selectors import masked_logits
from ..components.episode_buffer import EpisodeBatch, Index
from ..modules.encoders import Encoder
from .ar_controller import AutoregressiveMAC
from .base import Controller
from .settings import StudentSettings

LAW_KEYS = 2048  # keys over which the law of a variational key is estimated
TEACHER, STUDENTS = "teacher", "students"  # the stages
#: what the teacher sees, whatever its students see: its labels are asked for state by state
PLAIN: Mapping[str, Any] = {"policy_input": "state", "use_rnn": False, "obs_last_action": False, "obs_agent_id": False}


class StudentMAC(Controller):
    """Base: the teacher plays in its stage, the students in theirs.

    Attributes:
        agent: the students' networks.
        stage: whose turn it is.
    """

    args: StudentSettings
    agent: Students
    draws = False
    acts = "by the agreement key"

    def new_encoder(self) -> Encoder:
        with th.random.fork_rng(devices=[]):  # as below
            th.manual_seed(self.args.seed + 3)
            return super().new_encoder()

    @property
    def acting(self) -> Controller:
        return self if self.taught else self._teacher

    def build(self) -> None:
        args = self.args
        self._teacher = AutoregressiveMAC(self.info, replace(args, **PLAIN))
        with th.random.fork_rng(devices=[]):  # the teacher must be the one that cpa_ar trains with this seed
            th.manual_seed(args.seed + 1)
            self.agent = self.new_students()
        self.stage = TEACHER
        self.seed_with(args.seed)

    def new_students(self) -> Students:
        """The students' networks."""
        return Students(self.encoder.n_out, self.info, self.args, local=not self.all_alike)

    @property
    def teacher(self) -> AutoregressiveMAC:
        return self._teacher

    @property
    def imitated(self) -> Controller | None:
        return self._teacher

    @property
    def taught(self) -> bool:
        """Whether the students play."""
        return self.stage == STUDENTS

    def part(self, stage: str) -> Controller:
        return self._teacher if stage == TEACHER else self

    def enter(self, stage: str) -> None:
        self.stage = stage

    def seed_with(self, seed: int) -> None:
        self.keys = self.new_keys(seed)
        self._teacher.seed_with(seed)

    def new_keys(self, seed: int) -> EpisodeKeys:
        """The keys of a seed."""
        return EpisodeKeys(seed, self.args.key_per)

    def init_hidden(self, batch_size: int) -> None:
        super().init_hidden(batch_size)
        self.keys.begin(batch_size)
        self._teacher.init_hidden(batch_size)

    def seed_tests(self) -> None:
        self.keys.restart_tests()
        self._teacher.seed_tests()

    def seed_episode(self, seed: int, number: int) -> None:
        super().seed_episode(seed, number)
        self.keys.count_from(number)
        self._teacher.seed_episode(seed, number)

    @th.no_grad()
    def select_actions(self, ep_batch: EpisodeBatch, t_ep: int, t_env: int, bs: Index = slice(None),
                       test_mode: bool = False) -> Tensor:
        self.keys.settle(test_mode)
        if not self.taught:
            return self._teacher.select_actions(ep_batch, t_ep, t_env, bs, test_mode)
        inputs = self.observe(ep_batch, t_ep, bs)
        available = self.allowed(ep_batch, t_ep, bs)
        if test_mode and self.args.test_greedy:
            return masked_logits(self.agent.logits(inputs, None), available).argmax(-1)
        key = self.keys.draw(ep_batch, bs, t_ep, self.key_length, test_mode)
        return self.play(inputs, available, key)

    def allowed(self, ep_batch: EpisodeBatch, t: int, bs: Index) -> Tensor:
        """Actions that students choose from at time ``t`` of the episodes ``bs``, ``[len(bs), N, A]``."""
        available: Tensor = ep_batch["avail_actions"][bs, t]
        return available

    @property
    def key_length(self) -> int:
        """Uniform numbers that a step needs."""
        return self.agent.key.numbers

    def play(self, inputs: Tensor, available: Tensor, key: Tensor) -> Tensor:
        """Actions ``[B, N]`` by keys ``[B, key_length]``."""
        return masked_logits(self.agent.logits(inputs, key), available).argmax(-1)

    @th.no_grad()
    def joint_law(self, ep_batch: EpisodeBatch, bs: Index, t: Index, width: int) -> JointLaw:
        if not self.taught:
            return self._teacher.joint_law(ep_batch, bs, t, width)
        return self.law(self.encode_at(ep_batch, bs, t), ep_batch["avail_actions"][bs, t], width)

    def law(self, inputs: Tensor, available: Tensor, width: int) -> JointLaw:
        """How likely the students play every joint action, from inputs ``[B, G, F]`` and masks ``[B, N, A]``."""
        keys = th.from_numpy(AgreementKey(0).draw(range(LAW_KEYS), 0, self.agent.key.numbers))
        probs = self.agent.entry_law(inputs, keys)
        logits = self.agent.pool.decode_all(self.agent.pool(inputs))  # [B, c, N, A]
        actions = masked_logits(logits, available[:, None]).argmax(-1)
        return JointLaw(actions, probs.float(), probs.new_zeros(len(probs)).float())

    def forward(self, ep_batch: EpisodeBatch, t: int, test_mode: bool = False) -> Tensor:
        """Logits ``[B, N, A]`` of the most likely entry at time ``t`` (the teacher's, in its stage)."""
        if not self.taught:
            return self._teacher.forward(ep_batch, t, test_mode)
        return self.agent.logits(self.observe(ep_batch, t), None)

    def parameters(self) -> Iterable[nn.Parameter]:
        """Those of the networks that play now."""
        return super().parameters() if self.taught else self._teacher.parameters()

    def load_state(self, other_mac: Controller) -> None:
        assert isinstance(other_mac, StudentMAC)
        super().load_state(other_mac)
        self._teacher.load_state(other_mac._teacher)
        self.stage = other_mac.stage

    def cuda(self) -> None:
        super().cuda()
        self._teacher.cuda()

    def state_dict(self) -> dict[str, Any]:
        """Networks of teacher and students, and counters of episodes."""
        return {**super().state_dict(), "teacher": self._teacher.state_dict(), "stage": self.stage,
                "keys": self.keys.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self._teacher.load_state_dict(state["teacher"])
        self.stage = state["stage"]
        self.keys.load_state_dict(state["keys"])

