"""The controller of distilled students without agreement: a team as a product of independent policies."""

from __future__ import annotations

from typing import Any

import torch as th
from torch import Tensor

from ..components.action_selectors import masked_logits
from ..components.episode_buffer import EpisodeBatch
from ..components.joint_law import JointLaw, product_law
from ..components.shared_luck import SharedLuck
from ..deploy.policy import pick
from . import REGISTRY
from .pa_controller import AgreementMAC


@REGISTRY.register("product_mac")
class ProductMAC(AgreementMAC):
    """Plays students that share no key; until they are taught, their teacher.

    In tests with ``test_greedy`` every agent takes its most likely action, otherwise it draws from its policy with
    luck of its own.  See :class:`AgreementMAC` for arguments, errors and attributes.
    """

    def seed_with(self, seed: int) -> None:
        super().seed_with(seed)
        self.luck = SharedLuck(seed)  # new in every step, whatever key_per says

    @th.no_grad()
    def select_actions(self, ep_batch: EpisodeBatch, t_ep: int, t_env: int, bs: Any = slice(None),
                       test_mode: bool = False) -> Tensor:
        if not self.taught or (test_mode and self.args.test_greedy):
            return super().select_actions(ep_batch, t_ep, t_env, bs, test_mode)
        self.luck.settle(test_mode)
        luck = self.luck.draw(ep_batch, bs, t_ep, self.n_agents, test_mode)  # a column for each agent
        probs = self._policies(ep_batch, bs, t_ep)
        chosen = pick(probs.double().cpu().flatten(0, 1).numpy(), luck.flatten().numpy())
        return th.from_numpy(chosen).view(len(probs), -1).to(probs.device)

    @th.no_grad()
    def joint_law(self, ep_batch: EpisodeBatch, bs: Any, t: Any, width: int) -> JointLaw:
        if not self.taught:
            return self.teacher.joint_law(ep_batch, bs, t, width)
        return product_law(self._policies(ep_batch, bs, t), width)

    def _policies(self, ep_batch: EpisodeBatch, bs: Any, t: Any) -> Tensor:
        """Every agent's probabilities ``[B, N, A]``."""
        logits = self.agent.logits(self.inputs(ep_batch, t, bs), None)
        return masked_logits(logits, ep_batch["avail_actions"][bs, t]).softmax(-1)
