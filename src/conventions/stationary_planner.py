"""Conventions for games whose states do not follow from what is done: one rule for all times, for recorded states."""

from __future__ import annotations

import numpy as np
import torch as th
from torch import Tensor

from ..envs.game import IntArray
from ..envs.mismatch import distinct
from .column_model import Columns, RewardModel, trained_on
from .experience import Experience
from .guide import Guide
from .plan import Plan
from .settings import ConventionSettings
from .stage_game import agreed
from .stage_planner import known_apart
from .view import View

MOST_STATES = 12_000  # over which a rule is judged
LESSONS = 2000  # recorded episodes, in which the rules are shown


class StationaryPlanner:
    """Plans with a teacher as a guide; arguments and errors as for :class:`.StagePlanner`."""

    def __init__(self, data: Experience, args: ConventionSettings, guide: Guide, generator: th.Generator) -> None:
        self.data, self.args, self.guide, self.generator = data, args, guide, generator
        self.view = View(data)
        state = data.state[:, :-1][data.played]
        first, number = distinct(state.numpy())
        count = np.bincount(number)
        kept = np.argsort(-count, kind="stable")[:MOST_STATES]
        self.state, self.weight = state[first[kept]], count[kept] / count[kept].sum()
        self.columns = Columns(state)
        with th.random.fork_rng(devices=[]):
            th.manual_seed(args.seed)
            self.reward = RewardModel(self.columns, *data.available.shape[2:])
        trained_on(data, self.reward, args.model_t_max, generator)

    def plan(self, rng: np.random.Generator) -> Plan:
        """Conventions, best first by what the model says that they are worth."""
        obs, available = self.view.of(self.state), self.view.masks(len(self.state))
        known, counts = known_apart(obs.numpy(), None)
        worth = self.guide.worth(self.state, available)
        ends = [agreed(worth, known, counts, available.numpy(), self.weight, self._beginning(known, counts, rng), rng)
                for _ in range(self.args.plans)]
        values, errors = zip(*(self._judged(known, rules) for _, rules in ends), strict=True)
        order = np.argsort(-np.array(values), kind="stable")
        shown = [self._shown(obs, known, ends[k][1]) for k in order]
        lessons = len(shown[0][0])
        return Plan(th.arange(len(order)).repeat_interleave(lessons), th.cat([each[0] for each in shown]),
                    th.cat([each[1] for each in shown]),
                    self.view.available.expand(lessons * len(order), shown[0][0].shape[1], -1, -1),
                    th.tensor(values, dtype=th.double)[order.copy()], th.tensor(errors, dtype=th.double)[order.copy()])

    def _beginning(self, known: IntArray, counts: list[int], rng: np.random.Generator) -> list[IntArray]:
        """What the teacher does most often when an agent knows this much; chance decides where it is close."""
        drawn = self.guide.draw(self.state, self.view.masks(len(self.state)), self.generator).numpy()
        rules = []
        for agent, count in enumerate(counts):
            table = np.zeros((count, self.view.available.shape[1]))
            np.add.at(table, (known[:, agent], drawn[:, agent]), self.weight)
            table *= 1 + 0.3 * rng.random(table.shape)
            rules.append(table.argmax(1))
        return rules

    @th.no_grad()
    def _judged(self, known: IntArray, rules: list[IntArray]) -> tuple[float, float]:
        """Undiscounted worth of a recorded episode's states under the rules, and its standard error."""
        joint = np.stack([rule[known[:, agent]] for agent, rule in enumerate(rules)], 1)
        paid = self.reward(self.columns.numbers(self.state), th.from_numpy(joint)).double().numpy()
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
