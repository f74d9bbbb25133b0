"""A scripted team as a controller, so that recordings can be made of it, inside EPyMARL, too."""

from __future__ import annotations

import numpy as np
import torch as th
from torch import Tensor

from ..components.episode_buffer import EpisodeBatch, Index
from ..teams import NOTHING_YET, Cast
from ..teams import REGISTRY as TEAMS
from . import REGISTRY
from .independent_controller import BasicMAC
from .settings import ScriptedSettings


@REGISTRY.register("scripted_mac")
class ScriptedMAC(BasicMAC):
    """Plays what the scripts of ``team`` say, whatever the mode.

    Its networks, those of :class:`BasicMAC`, are there because every run has a learner; they never play.

    Raises:
        UserError: the environment is not the team's.
    """

    args: ScriptedSettings
    learns = False

    def build(self) -> None:
        super().build()
        self.team = TEAMS[self.args.team]
        self.team.check(self.n_agents, self.info.n_actions, self.info.obs_shape)
        self._casts: list[Cast] = []

    def init_hidden(self, batch_size: int) -> None:
        super().init_hidden(batch_size)
        self._casts = [self.team.cast() for _ in range(batch_size)]

    @th.no_grad()
    def select_actions(self, ep_batch: EpisodeBatch, t_ep: int, t_env: int, bs: Index = slice(None),
                       test_mode: bool = False) -> Tensor:
        seen = ep_batch["obs"][bs, t_ep].cpu().numpy()
        did = np.full(seen.shape[:2], NOTHING_YET)
        if t_ep > 0:
            did = ep_batch["actions"][bs, t_ep - 1, :, 0].cpu().numpy()
        rows = np.arange(ep_batch.batch_size)[bs]
        chosen = [self._casts[row].act(own, last) for row, own, last in zip(rows, seen, did, strict=True)]
        return th.as_tensor(np.stack(chosen), device=ep_batch.device)
