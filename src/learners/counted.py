"""The recorded episodes as a model in which a learner's policy is asked what it would do."""

from __future__ import annotations

import numpy as np
import torch as th
from torch import Tensor

from ..controllers.base import Controller
from ..conventions.experience import EpisodeSource
from ..valuation.recorded import MOST_STEPS, read
from ..valuation.table import REPEATED, Pairs, Table
from .base import Learner

ROOM = 1 << 28  # bytes of recorded episodes that are counted at most


class Counted:
    """The recorded episodes as a model, and the states that a policy is asked in.

    Args:
        table: the model.
        state: every state as it was recorded ``[U, S]``.
        available: bool ``[U, N, A]``.
    """

    def __init__(self, table: Table, state: Tensor, available: Tensor) -> None:
        self.table, self.state, self.available = table, state, available

    @th.no_grad()
    def value(self, learner: Learner) -> tuple[float, float]:
        """What the learner's policy is worth, and the standard error of that."""
        mac = learner.mac
        device = next(iter(mac.parameters())).device
        actions = mac.greedy(mac.encoder(self.state.to(device)[:, None]), self.available.to(device))
        assert actions is not None
        return self.table.of(actions.cpu().numpy().astype(np.int64))


def hindrance(learner: Learner, source: EpisodeSource) -> str:
    """Why nothing can be counted, before anybody has looked at the data; nothing if it may be."""
    mac = learner.mac
    if not mac.sees_state_alone:
        return "its agents do not see the state alone"
    if type(mac).greedy is Controller.greedy:
        return "its controller cannot be asked what it would do"
    if source.n_episodes * learner.info.episode_bytes > ROOM:
        return "the recorded episodes are too large to be counted"
    return ""


def counted(learner: Learner, source: EpisodeSource) -> tuple[Counted | None, str]:
    """The recorded episodes as a model; None, and why, where they do not repeat."""
    asked = learner.limit_ends  # as it learns; the data tell where it takes each episode's word
    fixed = source.limit_is_end if asked is None else asked
    most = max(1, MOST_STEPS // learner.info.episode_limit)
    rows = th.linspace(0, source.n_episodes - 1, min(most, source.n_episodes), dtype=th.float64).long()
    recorded = read(source, learner.info, learner.args, rows, th.zeros(0, dtype=th.long), fixed)
    if not len(recorded.reward):
        return None, "no recorded step has a known outcome"
    pairs = Pairs.of(recorded)
    if (share := pairs.repeated) < REPEATED:
        return None, f"only {100 * share:.0f} % of the recorded steps repeat, so that it cannot be counted what a " \
                     "policy is worth"
    acted = recorded.available[recorded.now]  # what it says where nobody acts is of no interest, and may be invented
    state = th.from_numpy(pairs.state)
    available = recorded.available[pairs.shown].index_copy(0, state, acted)
    if not th.equal(available[state], acted):
        return None, "the actions that are available do not follow from the state"
    table = Table(recorded, 1.0 if recorded.fixed else learner.args.gamma, pairs)
    return Counted(table, recorded.seen[pairs.shown], available), ""
