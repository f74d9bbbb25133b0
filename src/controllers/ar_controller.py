"""The autoregressive controller: agent i acts knowing the actions of agents before it (Eq. 4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch as th
from torch import Tensor

from ..agreement.episode_keys import EpisodeKeys
from ..agreement.joint_law import JointLaw, enumerate_law, likeliest
from ..agreement.key import pick
from ..components.action_selectors import masked_logits, sample_actions, threshold
from ..components.episode_buffer import EpisodeBatch, Index
from ..modules.autoregressive import AutoregressiveNet
from . import REGISTRY
from .base import Controller
from .settings import ThresholdSettings


@REGISTRY.register("ar_mac")
class AutoregressiveMAC(Controller):
    """Holds the autoregressive policy and chooses joint actions.

    In tests with ``test_greedy`` every agent takes its most likely action given the earlier ones;
    otherwise actions are drawn from Eq. 8 with threshold ``beta``.  With ``shared_seed`` they are drawn by
    keys of a seed that the agents share, so that each can walk the whole chain by itself and play its own part:
    decentralised like the students of policy agreement, at N decisions instead of one.
    """

    acts = "in sequence"
    args: ThresholdSettings
    agent: AutoregressiveNet

    def build(self) -> None:
        info, args = self.info, self.args
        self.agent = AutoregressiveNet(self.encoder.n_out, info.n_agents, info.n_actions, args.hidden_dim,
                                       args.n_layers)
        self.seed_with(args.seed)

    def seed_with(self, seed: int) -> None:
        self.keys = EpisodeKeys(seed)

    def init_hidden(self, batch_size: int) -> None:
        super().init_hidden(batch_size)
        self.keys.begin(batch_size)

    def seed_tests(self) -> None:
        super().seed_tests()
        self.keys.restart_tests()

    def seed_episode(self, seed: int, number: int) -> None:
        super().seed_episode(seed, number)
        self.keys.count_from(number)

    @th.no_grad()
    def select_actions(self, ep_batch: EpisodeBatch, t_ep: int, t_env: int, bs: Index = slice(None),
                       test_mode: bool = False) -> Tensor:
        inputs = self.observe(ep_batch, t_ep, bs)
        available = ep_batch["avail_actions"][bs, t_ep]
        self.keys.settle(test_mode)
        if test_mode and self.args.test_greedy:
            return self.greedy(inputs, available)
        shared = self.args.shared_seed
        key = self.keys.draw(ep_batch, bs, t_ep, self.n_agents, test_mode) if shared else None

        def choose(agent: int, logits: Tensor) -> Tensor:
            logits = masked_logits(logits, available[:, agent])
            # On the CPU, where the generator lives, so that a run is the same with any device.
            probs = threshold(logits.softmax(-1), self.args.beta, self.args.beta_mode).cpu()
            if key is not None:
                return th.from_numpy(pick(probs.double().numpy(), key[:, agent].numpy())).to(logits.device)
            return sample_actions(probs, self.generators[test_mode]).to(logits.device)

        return self.agent.rollout(inputs, choose)

    @th.no_grad()
    def greedy(self, inputs: Tensor, available: Tensor) -> Tensor:
        """Every agent's most likely action, given those of the agents before it."""
        return self.agent.rollout(inputs, lambda agent, logits: masked_logits(logits, available[:, agent]).argmax(-1))

    def conditional(self, available: Tensor) -> Callable[[int, Tensor], Tensor]:
        """Eq. 8's probabilities ``[B, k, A]`` from (agent, logits ``[B, k, A]``), for masks ``[B, N, A]``."""
        def probabilities(agent: int, logits: Tensor) -> Tensor:
            return threshold(masked_logits(logits, available[:, agent, None]).softmax(-1), self.args.beta,
                             self.args.beta_mode)
        return probabilities

    @th.no_grad()
    def drawn(self, inputs: Tensor, available: Tensor, generator: th.Generator) -> Tensor:
        """One joint action of Eq. 8 for each of what is seen ``[B, G, F]``, with masks ``[B, N, A]``: ``[B, N]``."""
        law = self.conditional(available)

        def choose(agent: int, logits: Tensor) -> Tensor:
            return sample_actions(law(agent, logits[:, None])[:, 0].cpu(), generator).to(logits.device)

        return self.agent.rollout(inputs, choose)

    def joint_law(self, ep_batch: EpisodeBatch, bs: Index, t: Index, width: int) -> JointLaw:
        """How likely every joint action is at threshold ``beta``; ``width`` joint actions at most."""
        return self.law(self.encode_at(ep_batch, bs, t), ep_batch["avail_actions"][bs, t], width)

    def law(self, inputs: Tensor, available: Tensor, width: int) -> JointLaw:
        """The same from inputs ``[B, G, F]`` and masks ``[B, N, A]``."""
        return enumerate_law(self.agent, inputs, self.conditional(available), width)

    def likeliest(self, inputs: Tensor, available: Tensor, size: int, width: int) -> JointLaw:
        """One with the same ``size`` likeliest joint actions (see :func:`.likeliest`)."""
        return likeliest(self.agent, inputs, available, self.conditional, size, width)

    def forward(self, ep_batch: EpisodeBatch, t: int, test_mode: bool = False) -> Tensor:
        """Logits ``[B, N, A]`` at time ``t``, each head given the recorded earlier actions."""
        logits: Tensor = self.agent(self.observe(ep_batch, t), ep_batch["actions"][:, t, :, 0])
        return logits

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "keys": self.keys.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.keys.load_state_dict(state["keys"])
