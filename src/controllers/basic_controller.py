"""Controllers of agents that decide independently of one another, given the state."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import torch as th
from torch import Tensor, nn

from ..components.action_selectors import draw, masked_logits
from ..components.episode_buffer import EpisodeBatch
from ..config.schema import Key
from ..modules.agent_mlp import AgentMLP
from ..modules.state_encoder import StateEncoder
from ..utils.checkpoint import load_tensors
from . import REGISTRY
from .ar_controller import size_of


@REGISTRY.register("basic_mac")
class BasicMAC:
    """N policies that share nothing, each a softmax over its own actions, in EPyMARL's contract.

    In tests with ``test_greedy`` every agent takes its most likely action, otherwise it draws from
    its policy.  Tests draw from a generator of their own, so that evaluating never changes training.

    Args:
        scheme, groups: of the episode batches.
        args: the run's configuration.

    Attributes:
        agent: the agents' networks; states ``[B, S']`` to rows ``[B, N, A]``.
        action_selector: None; EPyMARL's runners ask for it.
    """

    KEYS: ClassVar[dict[str, Key]] = {}

    def __init__(self, scheme: dict[str, Any], groups: dict[str, int], args: Any) -> None:
        self.n_agents, self.args = args.n_agents, args
        self.encoder = StateEncoder(size_of(scheme["state"]["vshape"]), args.state_levels)
        self.agent = self.build_agent()
        self.action_selector = None
        self.hidden_states = None
        self._seed = args.seed or 0
        self.generators = {test: th.Generator().manual_seed(2 * self._seed + test) for test in (False, True)}

    def build_agent(self) -> nn.Module:
        """The agents' networks."""
        return self.rows(self.args.n_actions)

    def rows(self, n_out: int, further: int = 0) -> AgentMLP:
        """A new network of the usual size for every agent.

        Args:
            n_out: length of what it makes, ``[B, N, n_out]``, of states ``[B, 1, S' + further]``.
            further: columns that it sees behind the encoded state.
        """
        args = self.args
        return AgentMLP(self.n_agents, [self.encoder.n_out + further, *[args.hidden_dim] * args.n_layers, n_out])

    def init_hidden(self, batch_size: int) -> None:
        """Begins ``batch_size`` episodes; the policies have no memory."""

    def seed_tests(self) -> None:
        """Starts the luck of tests afresh: every evaluation has the same, whatever came before it."""
        self.generators[True].manual_seed(2 * self._seed + 1)

    @th.no_grad()
    def select_actions(self, ep_batch: EpisodeBatch, t_ep: int, t_env: int, bs: Any = slice(None),
                       test_mode: bool = False) -> Tensor:
        """Actions ``[len(bs), N]`` for the states at time ``t_ep`` of the episodes ``bs``."""
        state = self.encoder(ep_batch["state"][bs, t_ep])
        available = ep_batch["avail_actions"][bs, t_ep].bool()
        return self.choose(self.values(state, available), available, t_env, test_mode)

    def values(self, state: Tensor, available: Tensor) -> Tensor:
        """What actions are chosen by, ``[B, N, A]``, from encoded states ``[B, S']`` and masks ``[B, N, A]``."""
        rows: Tensor = self.agent(state[:, None])
        return masked_logits(rows, available)

    def choose(self, values: Tensor, available: Tensor, t_env: int, test_mode: bool) -> Tensor:
        """Actions ``[B, N]`` by those values."""
        if test_mode and self.args.test_greedy:
            return values.argmax(-1)
        # On the CPU, where the generator lives, so that a run is the same with any device.
        return draw(values.softmax(-1).cpu(), self.generators[test_mode]).to(values.device)

    def forward(self, ep_batch: EpisodeBatch, t: int, test_mode: bool = False) -> Tensor:
        """Rows ``[B, N, A]`` at time ``t``: logits, or values of actions."""
        return self.agent(self.encoder(ep_batch["state"][:, t])[:, None])  # type: ignore[no-any-return]

    def parameters(self) -> Iterable[nn.Parameter]:
        return self.agent.parameters()

    def load_state(self, other_mac: BasicMAC) -> None:
        self.agent.load_state_dict(other_mac.agent.state_dict())

    def cuda(self) -> None:
        self.agent.cuda()

    def state_dict(self) -> dict[str, Any]:
        """Networks and generators."""
        return {"agent": self.agent.state_dict(),
                "generators": [self.generators[test].get_state() for test in (False, True)]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.agent.load_state_dict(state["agent"])
        for test in (False, True):
            self.generators[test].set_state(state["generators"][test])

    def save_models(self, path: str) -> None:
        th.save(self.state_dict(), Path(path) / "mac.th")

    def load_models(self, path: str) -> None:
        self.load_state_dict(load_tensors(Path(path) / "mac.th"))


@REGISTRY.register("q_mac")
class QMAC(BasicMAC):
    """The same with values of actions instead of policies: epsilon-greedy in training, greedy in tests.

    Epsilon falls linearly from ``epsilon_start`` to ``epsilon_finish`` within ``epsilon_anneal_time`` of ``t_env``.
    """

    KEYS: ClassVar[dict[str, Key]] = {
        "epsilon_start": Key(float, low=0.0, high=1.0), "epsilon_finish": Key(float, low=0.0, high=1.0),
        "epsilon_anneal_time": Key(int, low=1)}

    def choose(self, values: Tensor, available: Tensor, t_env: int, test_mode: bool) -> Tensor:
        greedy = values.argmax(-1)
        if test_mode:
            return greedy
        args, generator = self.args, self.generators[False]
        share = min(1.0, t_env / args.epsilon_anneal_time)
        epsilon = args.epsilon_start + share * (args.epsilon_finish - args.epsilon_start)
        # Rows of padding allow no action; any will do there.
        free = (available | ~available.any(-1, keepdim=True)).float().cpu()
        anything = draw(free / free.sum(-1, keepdim=True), generator)
        explores = th.rand(greedy.shape, generator=generator) < epsilon
        return th.where(explores.to(greedy.device), anything.to(greedy.device), greedy)
