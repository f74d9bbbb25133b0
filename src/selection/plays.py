"""What trained teams would play where something was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch as th
from torch import Tensor

from ..components.episode_buffer import EpisodeBatch
from ..controllers.base import Controller

DRAWS = 4  # joint actions at each place of a team that draws them


@dataclass(frozen=True)
class Candidate:
    """A trained team.

    Attributes:
        name: what to call it.
        folder: of its checkpoint.
        t_env: when that was written.
        config: of its run.
        mac: its controller.
        data: digest of what it learned from; empty if nobody knows.
    """

    name: str
    folder: Path
    t_env: int
    config: dict[str, Any]
    mac: Controller
    data: str = ""

    @property
    def draws(self) -> int:
        """How many joint actions are asked for at each place."""
        return DRAWS if self.mac.acting.draws_in_tests else 1


@th.no_grad()
def plays(candidate: Candidate, batch: EpisodeBatch) -> Tensor:
    """The joint actions that a team plays in tests where recorded episodes were, ``[draws, B, T + 1, N]``.

    It sees, and remembers, what was recorded.

    Args:
        candidate: the team; what it draws goes on from the call before.
        batch: episodes ``[B, T + 1, ...]``.
    """
    mac, filled = candidate.mac, batch["filled"][..., 0].bool()
    found = th.zeros(candidate.draws, *filled.shape, mac.n_agents, dtype=th.int32)
    for own in found:
        mac.init_hidden(batch_size=batch.batch_size)
        for t in range(batch.max_seq_length):
            rows = filled[:, t].nonzero()[:, 0].numpy()
            if len(rows):
                chosen = mac.select_actions(batch, t_ep=t, t_env=candidate.t_env, bs=rows, test_mode=True)
                own[rows, t] = chosen.to(th.int32)
    return found


def begin(candidates: Sequence[Candidate]) -> None:
    """Lets every team draw from the beginning."""
    for each in candidates:
        each.mac.seed_tests()
