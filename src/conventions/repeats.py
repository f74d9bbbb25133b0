"""Deterministic agents that do not go round in circles."""

from __future__ import annotations

import torch as th
from torch import Tensor

from ..components.episode_buffer import EpisodeBatch, Index


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
