"""What trained teams would play at the recorded steps."""

from __future__ import annotations

from collections.abc import Sequence

import torch as th
from torch import Tensor

from ..errors import UserError
from ..runners.offline_runner import OfflineRunner
from ..settings import Settings
from ..utils.bounded import check_memory
from ..utils.progress import counting
from ..valuation.recorded import MOST_STEPS, Recorded, read
from .plays import Candidate, begin, plays

BESIDE = 32  # bytes for a player at a place, beside its actions


def asked(source: OfflineRunner, candidates: Sequence[Candidate], args: Settings, seed: int) -> Recorded:
    """Reads the data, and asks every team at every recorded step.

    Args:
        source: of episodes.
        candidates: teams for the same game.
        args: says how states are encoded, and what training rewards are.
        seed: draws the episodes, if there are too many.

    Raises:
        UserError: the data are damaged, lack what the agents see, or have no step left; or this machine cannot hold
            what so many teams play.
    """
    begin(candidates)
    rows = _chosen(source, seed)
    owner = th.tensor([number for number, each in enumerate(candidates) for _ in range(each.draws)])
    entries = int(source.dataset.filled[rows.numpy()].sum())
    check_memory(f"{len(candidates)} teams", entries * len(owner) * (2 * source.info.n_agents + BESIDE))
    with counting(f"asking {len(candidates)} teams", len(rows), "episodes") as counter:
        found = read(source, source.info, args, rows, owner, source.limit_is_end,
                     lambda batch: th.cat([plays(each, batch) for each in candidates]), counter.at)
    if not len(found.reward):
        raise UserError(f"{source.dataset.source} has no step whose outcome is known; nothing can be judged by it.")
    return found


def _chosen(source: OfflineRunner, seed: int) -> Tensor:
    """The numbers of the episodes to look at, in order."""
    count = source.dataset.filled.sum(1, dtype=int) - 1
    if count.sum() <= MOST_STEPS:
        return th.arange(source.n_episodes)
    order = th.randperm(source.n_episodes, generator=th.Generator().manual_seed(seed))
    enough = int((th.from_numpy(count)[order].cumsum(0) <= MOST_STEPS).sum())
    return order[:max(1, enough)].sort().values
