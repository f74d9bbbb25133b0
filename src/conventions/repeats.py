"""Deterministic agents that do not go round in circles."""

from __future__ import annotations

import numpy as np
import torch as th
from torch import Tensor

from ..components.episode_buffer import EpisodeBatch, Index
from ..components.transitions import played_steps
from ..envs.mismatch import distinct

COMMON = 0.75  # of the recorded steps


def usual_repeats(ep_batch: EpisodeBatch) -> int:
    """How often agents do the same at the same sight in an episode, at most.

    Of every action at every sight it is counted how often an agent did it in one episode at most; three quarters of the
    recorded steps are taken where that is no more than the number returned.  Where sights tell nearly all, nobody does
    the same again at one, and whoever does goes round in circles; where there are few sights, nearly any number of
    times was recorded, and the limit forbids nothing.
    """
    played = played_steps(ep_batch, outcomes=False).bool()  # [B, T]
    episode, t = played.nonzero(as_tuple=True)
    if not len(episode):
        return 0
    n_agents = ep_batch["obs"].shape[2]
    sight = distinct(ep_batch["obs"][episode, t].flatten(0, 1).cpu().numpy())[1].reshape(-1, n_agents)
    who = episode.cpu().numpy()[:, None] * n_agents + np.arange(n_agents)
    done = np.stack([who, sight, ep_batch["actions"][episode, t, :, 0].cpu().numpy()], 2).reshape(-1, 3)
    first, step = distinct(done)
    places, place = distinct(done[first, 1:])  # each action at each sight
    most = np.zeros(len(places), dtype=np.int64)
    np.maximum.at(most, place, np.bincount(step))
    return int(np.quantile(most[place][step], COMMON, method="inverted_cdf"))


def unworn(ep_batch: EpisodeBatch, t: int, bs: Index, limit: int) -> Tensor:
    """Actions that each agent has taken least often at what it sees now, bool ``[len(bs), N, A]``.

    Whoever always does what is likeliest and sees again what it saw will do again what it did, maybe for good: two
    that stand in each other's way, one that walks to and fro.  What was done ``limit`` times at a sight is left for
    what was done less there, in this episode, as far as the agent can see by itself.

    Args:
        ep_batch: episodes; own observations up to now, and actions before.
        t: now.
        bs: some of them.
        limit: how often the same is done before anything else is; actions are told apart by how often this was
            reached.
    """
    seen = ep_batch["obs"][bs, : t + 1]  # [b, t + 1, N, O]
    again = (seen[:, :t] == seen[:, t:]).all(-1)  # [b, t, N]
    done = ep_batch["actions_onehot"][bs, :t]  # [b, t, N, A]
    worn = (again[..., None] * done).sum(1) // limit
    allowed = ep_batch["avail_actions"][bs, t].bool()
    least = worn.masked_fill(~allowed, th.inf).amin(-1, keepdim=True)
    fresh: Tensor = worn <= least
    return fresh
