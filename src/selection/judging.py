"""Judging teams by recorded episodes; the game is never played."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import UserError
from ..runners.offline_runner import OfflineRunner
from ..settings import Settings
from ..valuation.table import REPEATED, Pairs, Table
from .asking import asked
from .effort import Effort
from .networks import Networks
from .plays import Candidate
from .verdict import Verdict, verdict


def judge(source: OfflineRunner, candidates: Sequence[Candidate], args: Settings, caution: float = 1.0, seed: int = 0,
          way: str = "auto", effort: Effort | None = None, facts: dict[str, Any] | None = None) -> Verdict:
    """Says which team is the best.

    Where what was recorded repeats it is counted, else networks are fitted.  Where episodes end only at the limit of
    steps, values are undiscounted, as results are; else the discount of training keeps teams apart that never end.

    Args:
        source: the recorded episodes.
        candidates: teams for the same game.
        args: settings of one of their runs, for the discount, the encoding of states and ``reward_min``.
        caution: how many standard errors below its value a team counts.
        seed: decides all bits.
        way: ``table``, ``networks``, or ``auto``.
        effort: how hard networks try.
        facts: what else is to be recorded.

    Raises:
        UserError: the data are damaged, lack what the agents see, or have no step left; or a value is not finite.
    """
    if not caution >= 0.0 or caution == float("inf"):
        raise UserError(f"caution must be a number of at least 0, not {caution:g}.")
    steps = asked(source, candidates, args, seed)
    gamma = 1.0 if steps.fixed else args.gamma
    pairs = Pairs.of(steps)
    again = pairs.repeated
    chosen = way if way != "auto" else "table" if again >= REPEATED else "networks"
    estimate = Table(steps, gamma, pairs).estimate() if chosen == "table" else \
        Networks(steps, gamma, args, seed, effort).estimate()
    if not np.isfinite([estimate.value, estimate.error]).all():
        raise UserError("the values of the teams are not finite: the recorded rewards are too large to judge by.")
    facts = dict(facts or {})
    told = list(facts.get("told", []))
    if args.reward_min is not None:
        told.append(f"rewards are raised to at least {args.reward_min:g}, as in training (reward_min)")
    if steps.n_episodes < source.n_episodes:
        told.append(f"{steps.n_episodes} of {source.n_episodes} episodes were looked at")
    facts |= {"told": told, "seed": seed, "episodes": steps.n_episodes, "steps": len(steps.reward),
              "limit_is_end": steps.fixed, "repeated": again, "reward_min": args.reward_min}
    return verdict(candidates, estimate, caution, facts)
