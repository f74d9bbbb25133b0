"""The controller of distilled students without agreement: a team as a product of independent policies."""

from __future__ import annotations

import torch as th
from torch import Tensor

from ..agreement.episode_keys import EpisodeKeys
from ..agreement.joint_law import JointLaw, product_law
from ..agreement.key import pick
from ..components.action_selectors import masked_logits
from . import REGISTRY
from .student_controller import StudentMAC


@REGISTRY.register("product_mac")
class ProductMAC(StudentMAC):
    """Plays students that share no key.

    In tests with ``test_greedy`` every agent takes its most likely action, otherwise it draws from its policy by
    keys of its own.
    """

    acts = "independently"

    def new_keys(self, seed: int) -> EpisodeKeys:
        return EpisodeKeys(seed)  # new in every step, whatever key_per says

    @property
    def key_length(self) -> int:
        return self.n_agents  # a column for each agent

    def play(self, inputs: Tensor, available: Tensor, key: Tensor) -> Tensor:
        probs = self._policies(inputs, available)
        chosen = pick(probs.double().cpu().flatten(0, 1).numpy(), key.flatten().numpy())
        return th.from_numpy(chosen).view(len(probs), -1).to(probs.device)

    def law(self, inputs: Tensor, available: Tensor, width: int) -> JointLaw:
        return product_law(self._policies(inputs, available), width)

    def _policies(self, inputs: Tensor, available: Tensor) -> Tensor:
        """Every agent's probabilities ``[B, N, A]``."""
        return masked_logits(self.agent.logits(inputs, None), available).softmax(-1)
