"""Conventions improved in a table: exact responses, many beginnings, and a doubt about every number."""

from __future__ import annotations

import numpy as np
import torch as th
from torch import Tensor

from ..envs.dpomdp.model import Model
from ..envs.dpomdp.policies import tractable, value
from ..envs.dpomdp.search import local_optima
from ..envs.game import IntArray
from .experience import Experience
from .histories import Histories
from .plan import Plan, best_first
from .settings import ConventionSettings
from .symbols import Symbols
from .table_model import table_model, too_large

RESAMPLES = 10  # of the data, by which errors are estimated


class TablePlanner:
    """Plans where states, actions and observations are few.

    Args:
        data: recorded episodes.
        horizon: T.
        args: settings.

    Attributes:
        reason: why it cannot plan here, in words; nothing if it can.
    """

    def __init__(self, data: Experience, horizon: int, args: ConventionSettings) -> None:
        self.data, self.horizon, self.args = data, horizon, args
        self.symbols = Symbols.of(data)
        self.reason = "there is one agent only" if len(self.symbols.n_actions) == 1 else too_large(self.symbols)
        if not self.reason:
            self.model = table_model(data, self.symbols, args.doubt, np.arange(len(data)))
            if not tractable(self.model, horizon):
                self.reason = f"the histories of {horizon} steps are too many"
        if not self.reason:
            self.histories = Histories(self.symbols, horizon)

    def plan(self, beginnings: list[Tensor], rng: np.random.Generator) -> Plan:
        """The best conventions that it finds.

        Args:
            beginnings: what agents do in the rows of ``histories``, ``[R, T, N]`` each, to begin with.
            rng: decides all else.
        """
        args, horizon = self.args, self.horizon
        found = local_optima(self.model, horizon, rng, args.ascents,
                             beginnings=[self.histories.policies(actions) for actions in beginnings])
        worths = np.array([[value(world, policies, horizon) for _, policies in found]
                           for world in (self._resampled(rng) for _ in range(RESAMPLES))]).T
        # Teams that differ only where hardly anything leads to are one.
        kept = np.sort(np.unique(np.round(worths / max(float(np.ptp(worths)), 1e-9), 3), axis=0, return_index=True)[1])
        # What a search finds best is best by luck, too: resampled data are a second opinion.
        values, errors = np.minimum([found[k][0] for k in kept], worths[kept].mean(1)), worths[kept].std(1)
        order = best_first(values, errors, args.caution)[: args.plans]
        rows, available = self.histories.obs, self.histories.available
        n = len(rows)
        return Plan(th.arange(len(order)).repeat_interleave(n), rows.repeat(len(order), 1, 1, 1),
                    th.cat([_possible(self.histories.actions(found[kept[k]][1]), available) for k in order]),
                    available.repeat(len(order), 1, 1, 1),
                    th.from_numpy(values[order]), th.from_numpy(errors[order]))

    def _resampled(self, rng: np.random.Generator) -> Model:
        rows: IntArray = rng.integers(len(self.data), size=len(self.data))
        return table_model(self.data, self.symbols, self.args.doubt, rows)


def _possible(actions: Tensor, available: Tensor) -> Tensor:
    """Actions ``[R, T, N]``, where they are not available the first that is; nothing leads there."""
    allowed = available.gather(-1, actions[..., None])[..., 0]
    return th.where(allowed, actions, available.int().argmax(-1))
