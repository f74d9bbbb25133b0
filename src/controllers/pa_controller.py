"""The policy-agreement controller: students that act at once, without a word, and still as one team."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import torch as th
from torch import Tensor, nn

from ..components.action_selectors import masked_logits
from ..components.episode_buffer import EpisodeBatch
from ..components.joint_law import JointLaw
from ..components.shared_luck import SharedLuck
from ..config.schema import COUNT, SHARE, Key
from ..deploy.policy import AgreementKey
from ..errors import UserError
from ..modules.agreement import REGISTRY as KEYS
from ..modules.state_encoder import StateEncoder
from ..modules.students import Students
from ..utils.checkpoint import load_tensors
from . import REGISTRY
from .ar_controller import AutoregressiveMAC, size_of

LAW_KEYS = 2048  # keys over which the law of a variational key is estimated


@REGISTRY.register("pa_mac")
class AgreementMAC:
    """Plays the students' joint actions, in EPyMARL's contract; until they are taught, the teacher's.

    In tests with ``test_greedy`` the team plays its most likely entry; otherwise the entry that the
    agreement key means.  Keys depend on seed, episode and step only (see :class:`SharedLuck`); episodes
    are counted by :meth:`init_hidden`, and those of tests from 0 after every :meth:`seed_tests`.

    Args:
        scheme, groups: of the episode batches.
        args: the run's configuration.

    Raises:
        UserError: the key is to be read from the state, but the students do not see it.

    Attributes:
        teacher: controller of the autoregressive teacher.
        agent: the students' networks.
        taught: whether the students play.
        action_selector: None; EPyMARL's runners ask for it.
    """

    KEYS: ClassVar[dict[str, Key]] = {
        **AutoregressiveMAC.KEYS, "policy_input": Key(str, choices=("state", "obs")),
        "pool_size": COUNT, "pool_dim": COUNT, "pool_hidden": COUNT, "head_hidden": COUNT,
        "key": Key(str, choices=tuple(KEYS)), "key_dim": COUNT, "key_per": Key(str, choices=("step", "episode")),
        "entry_floor": SHARE}

    def __init__(self, scheme: dict[str, Any], groups: dict[str, int], args: Any) -> None:
        if args.policy_input == "obs" and args.key != "prior":
            raise UserError(f"key={args.key} reads the key together with the state, which students with "
                            "policy_input=obs do not see; use key=prior.")
        self.n_agents, self.args = args.n_agents, args
        self.teacher = AutoregressiveMAC(scheme, groups, args)
        self.encoder = StateEncoder(size_of(scheme[args.policy_input]["vshape"]), args.state_levels)
        seed = args.seed or 0
        with th.random.fork_rng(devices=[]):  # the teacher must be the one that cpa_ar trains with this seed
            th.manual_seed(seed + 1)
            self.agent = Students(self.encoder.n_out, args.policy_input == "obs", args)
        self.taught = False
        self.action_selector = None
        self.hidden_states = None
        self.seed_with(seed)

    def seed_with(self, seed: int) -> None:
        """Takes the seed that the agents share; episodes are counted from 0."""
        self.luck = SharedLuck(seed, self.args.key_per)
        self.teacher.luck = SharedLuck(seed)

    def init_hidden(self, batch_size: int) -> None:
        """Begins ``batch_size`` episodes."""
        self.luck.begin(batch_size)
        self.teacher.init_hidden(batch_size)

    def seed_tests(self) -> None:
        """Starts the luck of tests afresh: every evaluation has the same, whatever came before it."""
        self.luck.restart_tests()
        self.teacher.seed_tests()

    def inputs(self, ep_batch: EpisodeBatch, t: int, bs: Any = slice(None)) -> Tensor:
        """What the students see at time ``t``: ``[len(bs), 1, S]``, or their observations ``[len(bs), N, O]``."""
        seen = self.encoder(ep_batch[self.args.policy_input][bs, t])
        return seen if self.agent.local else seen[:, None]

    @th.no_grad()
    def select_actions(self, ep_batch: EpisodeBatch, t_ep: int, t_env: int, bs: Any = slice(None),
                       test_mode: bool = False) -> Tensor:
        """Joint actions ``[len(bs), N]`` for the states at time ``t_ep`` of the episodes ``bs``."""
        self.luck.settle(test_mode)
        if not self.taught:
            return self.teacher.select_actions(ep_batch, t_ep, t_env, bs, test_mode)
        x = self.inputs(ep_batch, t_ep, bs)
        key = None
        if not (test_mode and self.args.test_greedy):
            key = self.luck.draw(ep_batch, bs, t_ep, self.agent.key.numbers, test_mode)
        logits = self.agent.logits(x, key)
        return masked_logits(logits, ep_batch["avail_actions"][bs, t_ep]).argmax(-1)

    @th.no_grad()
    def joint_law(self, ep_batch: EpisodeBatch, bs: Any, t: Any, width: int) -> JointLaw:
        """How likely every joint action is in the states at places ``(bs, t)``, ``[B]`` each."""
        if not self.taught:
            return self.teacher.joint_law(ep_batch, bs, t, width)
        x = self.inputs(ep_batch, t, bs)
        numbers = self.agent.key.numbers
        keys = th.from_numpy(AgreementKey(0).draw(range(LAW_KEYS), 0, numbers))
        probs = self.agent.entry_law(x, keys)
        logits = self.agent.pool.decode_all(self.agent.pool(x))  # [B, c, N, A]
        actions = masked_logits(logits, ep_batch["avail_actions"][bs, t][:, None]).argmax(-1)
        return JointLaw(actions, probs.float(), probs.new_zeros(len(probs)).float())

    def forward(self, ep_batch: EpisodeBatch, t: int, test_mode: bool = False) -> Tensor:
        """Logits ``[B, N, A]`` of the most likely entry at time ``t`` (the teacher's, until students are taught)."""
        if not self.taught:
            return self.teacher.forward(ep_batch, t, test_mode)
        return self.agent.logits(self.inputs(ep_batch, t), None)

    def parameters(self) -> Iterable[nn.Parameter]:
        """Those of the networks that play now."""
        return self.agent.parameters() if self.taught else self.teacher.parameters()

    def load_state(self, other_mac: AgreementMAC) -> None:
        self.agent.load_state_dict(other_mac.agent.state_dict())
        self.teacher.load_state(other_mac.teacher)
        self.taught = other_mac.taught

    def cuda(self) -> None:
        self.teacher.cuda()
        self.agent.cuda()

    def state_dict(self) -> dict[str, Any]:
        """Networks of teacher and students, and counters of episodes."""
        return {"agent": self.agent.state_dict(), "teacher": self.teacher.state_dict(), "taught": self.taught,
                "luck": self.luck.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.agent.load_state_dict(state["agent"])
        self.teacher.load_state_dict(state["teacher"])
        self.taught = state["taught"]
        self.luck.load_state_dict(state["luck"])

    def save_models(self, path: str) -> None:
        th.save(self.state_dict(), Path(path) / "mac.th")

    def load_models(self, path: str) -> None:
        self.load_state_dict(load_tensors(Path(path) / "mac.th"))
