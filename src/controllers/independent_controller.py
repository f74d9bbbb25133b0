"""Controllers of agents that decide independently of one another."""

from __future__ import annotations

import torch as th
from torch import Tensor, nn

from ..components.action_selectors import masked_logits, sample_actions
from ..components.episode_buffer import EpisodeBatch, Index
from ..modules.agent_mlp import AgentMLP
from . import REGISTRY
from .base import Controller
from .settings import EpsilonSettings


class IndependentMAC(Controller):
    """N networks that share nothing, each of which makes a row over its agent's own actions.

    Attributes:
        agent: inputs ``[B, G, F]`` to rows ``[B, N, A]``.
    """

    acts = "independently"

    def build(self) -> None:
        self.agent = self.build_agent()

    def build_agent(self) -> nn.Module:
        """The agents' networks."""
        return self.rows(self.info.n_actions)

    def rows(self, n_out: int, further: int = 0) -> AgentMLP:
        """A new network of the usual size for every agent.

        Args:
            n_out: length of what it makes, ``[B, N, n_out]``, of inputs ``[B, G, F + further]``.
            further: columns that it sees after the encoded input.
        """
        args = self.args
        return AgentMLP(self.n_agents, [self.encoder.n_out + further, *[args.hidden_dim] * args.n_layers, n_out])

    @th.no_grad()
    def select_actions(self, ep_batch: EpisodeBatch, t_ep: int, t_env: int, bs: Index = slice(None),
                       test_mode: bool = False) -> Tensor:
        available = ep_batch["avail_actions"][bs, t_ep].bool()
        return self.choose(self.values(self.observe(ep_batch, t_ep, bs), available), available, t_env, test_mode)

    def values(self, inputs: Tensor, available: Tensor) -> Tensor:
        """What actions are chosen by, ``[B, N, A]``, from inputs ``[B, G, F]`` and masks ``[B, N, A]``."""
        rows: Tensor = self.agent(inputs)
        return masked_logits(rows, available)

    def choose(self, values: Tensor, available: Tensor, t_env: int, test_mode: bool) -> Tensor:
        """Actions ``[B, N]`` by those values; here the best, whatever the mode."""
        return values.argmax(-1)

    @th.no_grad()
    def greedy(self, inputs: Tensor, available: Tensor) -> Tensor:
        return self.values(inputs, available.bool()).argmax(-1)

    def forward(self, ep_batch: EpisodeBatch, t: int, test_mode: bool = False) -> Tensor:
        rows: Tensor = self.agent(self.observe(ep_batch, t))
        return rows


@REGISTRY.register("basic_mac")
class BasicMAC(IndependentMAC):
    """Policies: each row is the logits of a softmax over the agent's own actions.

    In tests with ``test_greedy`` every agent takes its most likely action, otherwise it draws from
    its policy.
    """

    def choose(self, values: Tensor, available: Tensor, t_env: int, test_mode: bool) -> Tensor:
        if test_mode and self.args.test_greedy:
            return values.argmax(-1)
        # On the CPU, where the generator lives, so that a run is the same with any device.
        return sample_actions(values.softmax(-1).cpu(), self.generators[test_mode]).to(values.device)


class ValueMAC(IndependentMAC):
    """Values: each row is what the agent's own actions are worth; tests are always greedy."""

    @property
    def draws_in_tests(self) -> bool:
        return False


@REGISTRY.register("greedy_mac")
class GreedyMAC(ValueMAC):
    """Every agent takes its best available action, whatever the mode: for values learned from recorded data."""

    kin = "values"


@REGISTRY.register("q_mac")
class QMAC(ValueMAC):
    """Epsilon-greedy in training, greedy in tests.

    Epsilon falls linearly from ``epsilon_start`` to ``epsilon_finish`` within ``epsilon_anneal_time`` of ``t_env``.
    """

    args: EpsilonSettings
    kin = "values"

    def choose(self, values: Tensor, available: Tensor, t_env: int, test_mode: bool) -> Tensor:
        greedy = values.argmax(-1)
        if test_mode:
            return greedy
        args, generator = self.args, self.generators[False]
        share = min(1.0, t_env / args.epsilon_anneal_time)
        epsilon = args.epsilon_start + share * (args.epsilon_finish - args.epsilon_start)
        # Rows of padding allow no action; any will do there.
        free = (available | ~available.any(-1, keepdim=True)).float().cpu()
        anything = sample_actions(free / free.sum(-1, keepdim=True), generator)
        explores = th.rand(greedy.shape, generator=generator) < epsilon
        return th.where(explores.to(greedy.device), anything.to(greedy.device), greedy)
