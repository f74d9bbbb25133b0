"""Conventions for games whose states do not follow from what is done: one rule for all times, for recorded states.

There the best rules are those that pay best in each step.  Agents choose among what was recorded of them where they
knew as much; what their choices pay together is learned, warily where such were not recorded together.
"""

from __future__ import annotations

import numpy as np
import torch as th
from torch import Tensor

from ..envs.game import BoolArray, FloatArray, IntArray
from ..envs.mismatch import distinct
from .column_model import Columns, trained_on
from .experience import Experience
from .pair_search import PairSearch
from .plan import Plan
from .settings import ConventionSettings
from .stage_planner import known_apart
from .view import View
from .wary_reward import WaryReward

MOST_STATES = 12_000  # over which a rule is judged
LESSONS = 2000  # recorded episodes, in which the rules are shown
SELDOM = 0.03  # share of the times that an agent knew something below which what it did is not a choice


class StationaryPlanner:
    """Plans rules.

    Args:
        data: recorded episodes.
        args: settings.
        generator: for the model and what is drawn.

    Raises:
        UserError: as for :class:`.StagePlanner`.
    """

    def __init__(self, data: Experience, args: ConventionSettings, generator: th.Generator) -> None:
        self.data, self.args, self.generator = data, args, generator
        self.view = View(data)
        state = data.state[:, :-1][data.played]
        first, number = distinct(state.numpy())
        count = np.bincount(number)
        kept = np.argsort(-count, kind="stable")[:MOST_STATES]
        self.state, self.weight = state[first[kept]], count[kept] / count[kept].sum()
        self.place = np.full(len(count), -1)  # of a state among those kept
        self.place[kept] = np.arange(len(kept))
        self.place = self.place[number]
        self.columns = Columns(state)
        self.numbers = self.columns.numbers(self.state)
        with th.random.fork_rng(devices=[]):
            th.manual_seed(args.seed)
            self.reward = WaryReward(self.columns, *data.available.shape[2:])
        trained_on(data, self.reward, args.model_t_max, generator)

    def plan(self, rng: np.random.Generator) -> Plan:
        """Conventions, best first by what the model says that they are worth."""
        obs = self.view.of(self.state)
        known, counts = known_apart(obs.numpy(), None)
        done = [self._done(known[:, agent], count, agent) for agent, count in enumerate(counts)]
        allowed = [self._allowed(each) for each in done]
        ends = [PairSearch(self._worth, known, allowed, self.weight, self._beginning(done, rng)).found(rng)
                for _ in range(self.args.plans)]
        values, errors = zip(*(self._judged(known, rules) for rules in ends), strict=True)
        order = np.argsort(-np.array(values), kind="stable")
        shown = [self._shown(obs, known, ends[k]) for k in order]
        lessons = len(shown[0][0])
        return Plan(th.arange(len(order)).repeat_interleave(lessons), th.cat([each[0] for each in shown]),
                    th.cat([each[1] for each in shown]),
                    self.view.available.repeat(lessons * len(order), shown[0][0].shape[1], 1, 1),
                    th.tensor(values, dtype=th.double)[order.copy()], th.tensor(errors, dtype=th.double)[order.copy()])

    def _done(self, known: IntArray, count: int, agent: int) -> FloatArray:
        """How often an agent did what, by what it knew, ``[count, A]``."""
        table = np.zeros((count, self.view.available.shape[1]))
        actions = self.data.actions[:, :-1][self.data.played][:, agent].numpy()
        kept = self.place >= 0
        np.add.at(table, (known[self.place[kept]], actions[kept]), 1.0)
        return table

    @staticmethod
    def _allowed(done: FloatArray) -> BoolArray:
        """What is no rarity."""
        allowed: BoolArray = done >= np.maximum(SELDOM * done.sum(1, keepdims=True), 1.0)
        return allowed

    @staticmethod
    def _beginning(done: list[FloatArray], rng: np.random.Generator) -> list[IntArray]:
        """What is done most often; chance decides where it is close."""
        return [(table * (1 + 0.3 * rng.random(table.shape))).argmax(1) for table in done]

    @th.no_grad()
    def _worth(self, joint: IntArray, rows: IntArray) -> FloatArray:
        """What joint actions ``[R, N]`` pay for sure in the states ``rows`` ``[R]``."""
        paid: FloatArray = self.reward.wary(self.numbers[rows], th.from_numpy(joint)).double().numpy()
        return paid

    @th.no_grad()
    def _judged(self, known: IntArray, rules: list[IntArray]) -> tuple[float, float]:
        """Undiscounted worth of a recorded episode's states under the rules, and its standard error."""
        joint = np.stack([rule[known[:, agent]] for agent, rule in enumerate(rules)], 1)
        paid = self.reward(self.numbers, th.from_numpy(joint)).double().numpy()
        steps = float(self.data.played.sum(1).double().mean())
        mean = float(paid @ self.weight)
        spread = float((self.weight * (paid - mean) ** 2).sum()) ** 0.5
        return steps * mean, steps * spread / len(self.state) ** 0.5

    def _shown(self, obs: Tensor, known: IntArray, rules: list[IntArray]) -> tuple[Tensor, Tensor]:
        """Recorded episodes in which the agents follow the rules: observations and actions."""
        rows = th.randperm(len(self.data), generator=self.generator)[:LESSONS]
        state = self.data.state[rows, :-1]
        seen = self.view.of(state.flatten(0, 1))
        tables = [{row.tobytes(): int(rule[k]) for row, k in zip(obs[:, agent].numpy(), known[:, agent], strict=True)}
                  for agent, rule in enumerate(rules)]
        actions = np.stack([[table.get(row.tobytes(), -1) for row in seen[:, agent].numpy()]
                            for agent, table in enumerate(tables)], 1)
        idle = self.view.available.float().argmax(1).numpy()
        actions = np.where(actions < 0, idle, actions)
        return seen.view(*state.shape[:2], *seen.shape[1:]), th.from_numpy(actions).view(*state.shape[:2], -1)
