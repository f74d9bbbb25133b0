"""The teacher that sees the state, as a guide to rules for agents that do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch as th
from torch import Tensor

from ..envs.game import FloatArray, IntArray
from ..modules.autoregressive import AutoregressiveNet
from ..modules.encoders import Encoder
from ..modules.losses import log_policy, taken
from .stage_game import Worth

LEAST = 20.0  # log-probabilities below -LEAST count as that: the teacher never does it


@dataclass(frozen=True)
class Guide:
    """An autoregressive policy of the present state.

    Attributes:
        net: the policy.
        encoder: what it sees of states.
    """

    net: AutoregressiveNet
    encoder: Encoder

    def worth(self, state: Tensor, available: Tensor) -> Worth:
        """How likely it plays joint actions in the states ``[B, S]`` with masks ``[B, N, A]``, as a logarithm."""
        device = next(self.net.parameters()).device  # planning is the CPU's, but the teacher's networks are not always
        features, masks = self.encoder(state[:, None].to(device)), available.to(device)

        @th.no_grad()
        def of(joint: IntArray) -> FloatArray:
            actions = th.from_numpy(joint)
            out = []
            for k in range(0, len(actions), len(state)):
                part = actions[k:k + len(state)].to(device)
                logs = taken(log_policy(self.net(features, part), masks), part)
                out.append(logs.clamp(min=-LEAST).sum(1).double().cpu().numpy())
            return np.concatenate(out)

        return of

    @th.no_grad()
    def draw(self, state: Tensor, available: Tensor, generator: th.Generator) -> Tensor:
        """A joint action ``[B, N]`` in each of the states ``[B, S]``."""
        def choose(agent: int, logits: Tensor) -> Tensor:
            probs = log_policy(logits.cpu(), available[:, agent]).exp()
            return th.multinomial(probs, 1, generator=generator)[:, 0].to(device)

        device = next(self.net.parameters()).device
        return self.net.rollout(self.encoder(state[:, None].to(device)), choose).cpu()
