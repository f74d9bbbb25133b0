"""The best policy of a stage so far, by the recorded episodes alone.

While a policy learns, the values that it follows still move, and where two ways to play are worth almost the same the
last policy may be on the wrong one.  Where recorded states and joint actions repeat, what a policy is worth can be
counted (:mod:`..valuation.table`), without playing and without networks, so the best one can be kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch as th
from torch import Tensor

from ..controllers.base import Controller
from ..conventions.experience import EpisodeSource
from ..settings import Settings
from ..valuation.recorded import read
from ..valuation.table import REPEATED, Pairs, Table
from .base import Learner
from .settings import SelectionSettings

TIMES = 40  # a stage's policy is judged so often
CAUTION = 1.0  # standard errors taken off what it is estimated to be worth
TIED = 1e-6  # values that differ by less than this share are the same: then the later policy is kept
ROOM = 1 << 28  # bytes of recorded episodes that are counted at most


class BestSoFar:
    """Judges the policy of a stage from time to time, and puts the best one back at its end.

    Args:
        learner: of the stage.
        source: of the recorded episodes.

    Attributes:
        found: what was chosen, and when (``at``), or why nothing was, plain JSON; empty before the end.
    """

    def __init__(self, learner: Learner, source: EpisodeSource) -> None:
        self.learner, self.source = learner, source
        self.found: dict[str, Any] = {}
        self._best: _Judged | None = None
        self._counted: _Counted | None = None
        self._reason = _hindrance(learner, source)

    @staticmethod
    def wanted(learner: Learner) -> bool:
        """Whether the settings ask for it, in a stage whose policy follows values."""
        return (learner.outcomes and learner.mac.imitated is None and isinstance(learner.args, SelectionSettings)
                and learner.args.offline_selection)

    def due(self, t_env: int) -> bool:
        """Whether the policy is to be judged after the update at ``t_env``."""
        stage = self.learner.stage
        passed = t_env - stage.begin
        return not self.found and passed * TIMES // stage.length > (passed - 1) * TIMES // stage.length

    def judge(self, t_env: int) -> dict[str, float]:
        """Judges the policy of now; at the end of the stage the best one is put back.

        Returns:
            Statistics.
        """
        if not self._reason and self._counted is None:
            self._counted, self._reason = _counted(self.learner, self.source)
        ends = t_env >= self.learner.stage.end
        if self._counted is None:
            if ends:
                self.found = {"at": t_env, "reason": self._reason}
                self.learner.console.info("the last policy is kept, not the best one by the recorded episodes: %s "
                                          "(offline_selection)", self._reason)
            return {}
        mac = self.learner.mac
        value, error = self._counted.value(self.learner)
        bound = value - CAUTION * error
        if self._best is None or bound >= self._best.bound - TIED * abs(self._best.bound):
            self._best = _Judged(t_env, value, error, [param.detach().clone() for param in mac.parameters()])
        return self._settle(t_env, value) if ends else {}

    @th.no_grad()
    def _settle(self, t_env: int, last: float) -> dict[str, float]:
        """Puts the best policy back."""
        best, console = self._best, self.learner.console
        assert best is not None
        for param, kept in zip(self.learner.mac.parameters(), best.params, strict=True):
            param.copy_(kept)
        self.found = {"at": t_env, "t_env": best.t_env, "value": best.value, "error": best.error, "last_value": last}
        self._best = None
        if best.t_env == t_env:
            console.info("the last policy is the best one by the recorded episodes: worth %.4f, standard error %.4f "
                         "(offline_selection)", best.value, best.error)
        else:
            console.info("the policy of t_env %d is kept: by the recorded episodes it is worth %.4f, standard error "
                         "%.4f, the last one %.4f (offline_selection)", best.t_env, best.value, best.error, last)
        return {"selected_t_env": best.t_env, "selected_value": best.value}

    # --- keeping ---
    def state_dict(self) -> dict[str, Any]:
        """The best policy so far, or what was chosen in the end."""
        best = self._best
        return {"found": self.found, "best": {} if best is None else vars(best)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up what :meth:`state_dict` gave, after the policy itself.

        In a stage that is to last longer than it did, what was chosen is the best so far.

        Raises:
            KeyError, TypeError, ValueError: it is something else, or of other networks.
        """
        found, best, own = state["found"], state["best"], [*self.learner.mac.parameters()]
        if not isinstance(found, dict) or not isinstance(best, dict):
            raise TypeError("the best policy so far is none")
        if found and found["at"] < self.learner.stage.end:
            kept = [param.detach().clone() for param in own]
            best = {**{key: found[key] for key in ("t_env", "value", "error")}, "params": kept} if "value" in found \
                else {}
            found = {}
        self.found, self._best = found, _Judged.of(best, own) if best else None


class _Judged:
    """A policy, and what it is worth."""

    def __init__(self, t_env: int, value: float, error: float, params: list[Tensor]) -> None:
        self.t_env, self.value, self.error, self.params = t_env, value, error, params

    @property
    def bound(self) -> float:
        return self.value - CAUTION * self.error

    @staticmethod
    def of(state: Mapping[str, Any], own: Sequence[Tensor]) -> _Judged:
        """One that was kept; raises ValueError unless it has the networks ``own``."""
        kept = _Judged(**state)
        sound = (isinstance(kept.t_env, int) and isinstance(kept.value, float) and isinstance(kept.error, float)
                 and isinstance(kept.params, list) and len(kept.params) == len(own)
                 and all(isinstance(one, Tensor) and one.shape == other.shape and one.dtype == other.dtype
                         and bool(one.isfinite().all()) for one, other in zip(kept.params, own, strict=True)))
        if not sound:
            raise ValueError("the best policy so far is not of these networks")
        return kept


class _Counted:
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


def _hindrance(learner: Learner, source: EpisodeSource) -> str:
    """Why nothing can be counted, before anybody has looked at the data; nothing if it may be."""
    mac = learner.mac
    if not mac.sees_state_alone:
        return "its agents do not see the state alone"
    if type(mac).greedy is Controller.greedy:
        return "its controller cannot be asked what it would do"
    if source.n_episodes * learner.info.episode_bytes > ROOM:
        return "the recorded episodes are too large to be counted"
    return ""


def _counted(learner: Learner, source: EpisodeSource) -> tuple[_Counted | None, str]:
    """The recorded episodes as a model; None, and why, where they do not repeat."""
    args: Settings = learner.args
    asked = learner.limit_ends  # as it learns; the data tell where it takes each episode's word
    fixed = source.limit_is_end if asked is None else asked
    recorded = read(source, learner.info, args, th.arange(source.n_episodes), th.zeros(0, dtype=th.long), fixed)
    if not len(recorded.reward):
        return None, "no recorded step has a known outcome"
    pairs = Pairs.of(recorded)
    if (share := pairs.repeated) < REPEATED:
        return None, f"only {100 * share:.0f} % of the recorded steps repeat, so that it cannot be counted what a " \
                     "policy is worth"
    available = recorded.available[pairs.shown]
    if not th.equal(available[pairs.place], recorded.available):
        return None, "the actions that are available do not follow from the state"
    table = Table(recorded, 1.0 if recorded.fixed else args.gamma, pairs)
    return _Counted(table, recorded.seen[pairs.shown], available), ""
