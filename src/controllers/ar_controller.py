"""The autoregressive controller: agent i acts knowing the actions of agents before it (Eq. 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

import torch as th
from torch import Tensor, nn

from ..components.action_selectors import draw, masked_logits, threshold
from ..components.episode_buffer import EpisodeBatch
from ..components.joint_law import JointLaw, enumerate_law
from ..components.shared_luck import SharedLuck
from ..config.schema import FLAG, SHARE, Key
from ..deploy.policy import pick
from ..modules.autoregressive import AutoregressiveNet
from ..modules.state_encoder import StateEncoder
from ..utils.checkpoint import load_tensors
from . import REGISTRY


@REGISTRY.register("ar_mac")
class AutoregressiveMAC:
    """Holds the policy network and chooses joint actions, in EPyMARL's contract.

    In tests with ``test_greedy`` every agent takes its most likely action given the earlier ones;
    otherwise actions are drawn from Eq. 8 with threshold ``beta``.  Tests draw from a generator of
    their own, so that evaluating never changes training.  With ``shared_seed`` the luck comes from a
    seed that the agents share, so that each can walk the whole chain by itself and play its own part:
    decentralised like the students of policy agreement, at N decisions instead of one.

    Args:
        scheme, groups: of the episode batches.
        args: the run's configuration.

    Attributes:
        agent: the policy network.
        action_selector: None; EPyMARL's runners ask for it.
    """

    KEYS: ClassVar[dict[str, Key]] = {
        "beta": SHARE, "beta_mode": Key(str, choices=("ratio", "flat")), "shared_seed": FLAG}

    def __init__(self, scheme: dict[str, Any], groups: dict[str, int], args: Any) -> None:
        self.n_agents, self.args = args.n_agents, args
        self.encoder = StateEncoder(size_of(scheme["state"]["vshape"]), args.state_levels)
        self.agent = AutoregressiveNet(self.encoder.n_out, args.n_agents, args.n_actions, args.hidden_dim,
                                       args.n_layers)
        self.action_selector = None
        self.hidden_states = None
        self._seed = args.seed or 0
        self.luck = SharedLuck(self._seed)
        self.generators = {test: th.Generator().manual_seed(2 * self._seed + test) for test in (False, True)}

    def init_hidden(self, batch_size: int) -> None:
        """Begins ``batch_size`` episodes; the policy has no memory."""
        self.luck.begin(batch_size)

    def seed_tests(self) -> None:
        """Starts the luck of tests afresh: every evaluation has the same, whatever came before it."""
        self.generators[True].manual_seed(2 * self._seed + 1)
        self.luck.restart_tests()

    @th.no_grad()
    def select_actions(self, ep_batch: EpisodeBatch, t_ep: int, t_env: int, bs: Any = slice(None),
                       test_mode: bool = False) -> Tensor:
        """Joint actions ``[len(bs), N]`` for the states at time ``t_ep`` of the episodes ``bs``."""
        state = self.encoder(ep_batch["state"][bs, t_ep])
        available = ep_batch["avail_actions"][bs, t_ep]
        greedy = test_mode and self.args.test_greedy
        self.luck.settle(test_mode)
        shared = self.args.shared_seed and not greedy
        key = self.luck.draw(ep_batch, bs, t_ep, self.n_agents, test_mode) if shared else None

        def choose(agent: int, logits: Tensor) -> Tensor:
            logits = masked_logits(logits, available[:, agent])
            if greedy:
                return logits.argmax(-1)
            # On the CPU, where the generator lives, so that a run is the same with any device.
            probs = threshold(logits.softmax(-1), self.args.beta, self.args.beta_mode).cpu()
            if key is not None:
                return th.from_numpy(pick(probs.double().numpy(), key[:, agent].numpy())).to(logits.device)
            return draw(probs, self.generators[test_mode]).to(logits.device)

        return self.agent.rollout(state, choose)

    def conditional(self, available: Tensor) -> Callable[[int, Tensor], Tensor]:
        """Eq. 8's probabilities ``[B, k, A]`` from (agent, logits ``[B, k, A]``), for masks ``[B, N, A]``."""
        def probabilities(agent: int, logits: Tensor) -> Tensor:
            return threshold(masked_logits(logits, available[:, agent, None]).softmax(-1), self.args.beta,
                             self.args.beta_mode)
        return probabilities

    def joint_law(self, ep_batch: EpisodeBatch, bs: Any, t: Any, width: int) -> JointLaw:
        """How likely every joint action is in the states at places ``(bs, t)``, ``[B]`` each, at threshold ``beta``."""
        return self.law(ep_batch["state"][bs, t], ep_batch["avail_actions"][bs, t], width)

    def law(self, state: Tensor, available: Tensor, width: int) -> JointLaw:
        """The same from states ``[B, S]`` and masks ``[B, N, A]``; ``width`` joint actions at most."""
        return enumerate_law(self.agent, self.encoder(state), self.conditional(available), width)

    def forward(self, ep_batch: EpisodeBatch, t: int, test_mode: bool = False) -> Tensor:
        """Logits ``[B, N, A]`` at time ``t``, each head given the recorded earlier actions."""
        return self.agent(self.encoder(ep_batch["state"][:, t]), ep_batch["actions"][:, t, :, 0])  # type: ignore[no-any-return]

    def parameters(self) -> Iterable[nn.Parameter]:
        return self.agent.parameters()

    def load_state(self, other_mac: AutoregressiveMAC) -> None:
        self.agent.load_state_dict(other_mac.agent.state_dict())

    def cuda(self) -> None:
        self.agent.cuda()

    def state_dict(self) -> dict[str, Any]:
        """Network and generators."""
        return {"agent": self.agent.state_dict(),
                "generators": [self.generators[test].get_state() for test in (False, True)],
                "luck": self.luck.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.agent.load_state_dict(state["agent"])
        for test in (False, True):
            self.generators[test].set_state(state["generators"][test])
        if "luck" in state:
            self.luck.load_state_dict(state["luck"])

    def save_models(self, path: str) -> None:
        th.save(self.state_dict(), Path(path) / "mac.th")

    def load_models(self, path: str) -> None:
        self.load_state_dict(load_tensors(Path(path) / "mac.th"))


def size_of(vshape: int | tuple[int, ...]) -> int:
    """Numbers in an entry of a scheme's ``vshape``."""
    return vshape if isinstance(vshape, int) else int(th.tensor(vshape).prod())
