"""The best policy of a stage so far, by the recorded episodes alone.

While a policy learns, the values that it follows still move, and where two ways to play are worth almost the same the
last policy may be on the wrong one.  Where recorded states and joint actions repeat, what a policy is worth can be
counted (:mod:`..valuation.table`), without playing and without networks, so the best one can be kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch as th
from torch import Tensor

from ..conventions.experience import EpisodeSource
from .base import Learner
from .counted import Counted, counted, hindrance
from .settings import SelectionSettings

TIMES = 40  # a stage's policy is judged so often
CAUTION = 1.0  # standard errors taken off what it is estimated to be worth
TIED = 1e-6  # values that differ by less than this share are the same: then the later policy is kept


class BestSoFar:
    """Judges the policy of a stage from time to time, by its likeliest actions, and puts the best one back at its end.

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
        self._last: _Judged | None = None
        self._loaded: _Kept | None = None  # the best of a checkpoint, maybe of a run on other data: to be counted anew
        self._counted: Counted | None = None
        self._reason = hindrance(learner, source)

    @staticmethod
    def wanted(learner: Learner) -> bool:
        """Whether the settings ask for it, in a stage whose policy follows values."""
        return (learner.rewarded and isinstance(learner.args, SelectionSettings)
                and learner.args.offline_selection)

    def due(self, t_env: int) -> bool:
        """Whether the policy is to be judged after the update at ``t_env``."""
        stage = self.learner.stage
        passed = t_env - stage.begin
        return not self.found and passed * TIMES // stage.length > (passed - 1) * TIMES // stage.length

    def judge(self, t_env: int) -> None:
        """Judges the policy of now, and keeps it if it is the best."""
        if not self._reason and self._counted is None:
            self._counted, self._reason = counted(self.learner, self.source)
        if self._counted is None:
            return
        now = self._judged(t_env)
        if self._loaded is not None:
            self._put(self._loaded)
            self._best, self._loaded = self._judged(self._loaded.t_env), None
            self._put(now)
        if self._best is None or now.bound >= self._best.bound - TIED * abs(self._best.bound):
            self._best = now
        self._last = now

    def settle(self, t_env: int) -> dict[str, float]:
        """Ends the choice: judges the policy of now, puts the best one back, and tells.

        Returns:
            Statistics.
        """
        if self.found:
            return {}
        self.judge(t_env)
        best, console = self._best, self.learner.console
        if best is None or self._last is None:
            self.found = {"at": t_env, "reason": self._reason}
            console.info("the last policy is kept, not the best one by the recorded episodes: %s (offline_selection)",
                         self._reason)
            return {}
        self._put(best)
        self.found = {"at": t_env, "t_env": best.t_env, "value": best.value, "error": best.error,
                      "last_value": self._last.value}
        self._best = None
        if best.t_env == t_env:
            console.info("the last policy is the best one by the recorded episodes: worth %.4f, standard error %.4f "
                         "(offline_selection)", best.value, best.error)
        else:
            console.info("the policy of t_env %d is kept: by the recorded episodes it is worth %.4f, standard error "
                         "%.4f, the last one %.4f (offline_selection)", best.t_env, best.value, best.error,
                         self.found["last_value"])
        return {"selected_t_env": best.t_env, "selected_value": best.value}

    def _judged(self, t_env: int) -> _Judged:
        """The policy of now, and what it is worth."""
        assert self._counted is not None
        value, error = self._counted.value(self.learner)
        return _Judged(t_env, [param.detach().clone() for param in self.learner.mac.parameters()], value, error)

    @th.no_grad()
    def _put(self, policy: _Kept) -> None:
        for param, kept in zip(self.learner.mac.parameters(), policy.params, strict=True):
            param.copy_(kept)

    # --- keeping ---
    def state_dict(self) -> dict[str, Any]:
        """The best policy so far, or what was chosen in the end."""
        best = self._best or self._loaded
        return {"found": self.found, "best": {} if best is None else {"t_env": best.t_env, "params": best.params}}

    def load_state_dict(self, state: Mapping[str, Any], over: bool) -> None:
        """Takes up what :meth:`state_dict` gave, after the policy itself.

        In a stage that lasts longer than it did, what was chosen is the best so far.  It is counted anew.

        Args:
            state: the state.
            over: whether a later stage has begun.

        Raises:
            KeyError, TypeError, ValueError: it is something else, or of other networks.
        """
        found, best, own = state["found"], state["best"], [*self.learner.mac.parameters()]
        if not isinstance(found, dict) or not isinstance(best, dict):
            raise TypeError("the best policy so far is none")
        if found:
            _check_found(found)
            if not over and found["at"] < self.learner.stage.end:
                kept = [param.detach().clone() for param in own]
                best = {"t_env": found["t_env"], "params": kept} if "t_env" in found else {}
                found = {}
        self.found, self._best, self._loaded = found, None, _Kept.of(best, own) if best else None


@dataclass(frozen=True)
class _Kept:
    """A policy: when it was learned, and its parameters."""

    t_env: int
    params: list[Tensor]

    @staticmethod
    def of(state: Mapping[str, Any], own: Sequence[Tensor]) -> _Kept:
        """One that was kept; raises ValueError unless it has the networks ``own``."""
        kept = _Kept(state["t_env"], state["params"])
        sound = (set(state) == {"t_env", "params"} and type(kept.t_env) is int and isinstance(kept.params, list)
                 and len(kept.params) == len(own)
                 and all(isinstance(one, Tensor) and one.shape == other.shape and one.dtype == other.dtype
                         and bool(one.isfinite().all()) for one, other in zip(kept.params, own, strict=True)))
        if not sound:
            raise ValueError("the best policy so far is not of these networks")
        return _Kept(kept.t_env, [one.to(other.device) for one, other in zip(kept.params, own, strict=True)])


@dataclass(frozen=True)
class _Judged(_Kept):
    """One with its estimated mean return, and the standard error of that."""

    value: float
    error: float

    @property
    def bound(self) -> float:
        return self.value - CAUTION * self.error


def _check_found(found: Mapping[str, Any]) -> None:
    """Raises ValueError unless it is what a choice leaves behind."""
    kinds = {"at": int, "reason": str} if "reason" in found else \
        {"at": int, "t_env": int, "value": float, "error": float, "last_value": float}
    if set(found) != set(kinds) or any(type(found[name]) is not kind for name, kind in kinds.items()) \
            or not all(math.isfinite(value) for value in found.values() if isinstance(value, float)):
        raise ValueError("what was chosen by the recorded episodes is no choice")
