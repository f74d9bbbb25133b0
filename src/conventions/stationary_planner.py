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
from .plan import Plan, best_first
from .settings import ConventionSettings
from .stage_planner import known_apart
from .view import View
from .wary_reward import WaryReward

MOST_STATES = 12_000  # over which a rule is judged
SHOWN = 2000  # recorded episodes, in which the rules are shown
SELDOM = 0.03  # of what an agent did most often when it knew as much, below which what it did is not a choice
SPREAD = 0.3  # by how much chance may lift what is done less often, where a search begins


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
        self.n_steps = int(count[kept].sum())
        place = np.full(len(count), -1)
        place[kept] = np.arange(len(kept))
        self.place = place[number]  # of each recorded step's state among those kept; -1 of none
        self.columns = Columns(state)
        self.numbers = self.columns.numbers(self.state)
        with th.random.fork_rng(devices=[]):
            th.default_generator.manual_seed(args.seed)
            self.reward = WaryReward(self.columns, *data.available.shape[2:])
        trained_on(data, self.reward, args.model_t_max, generator)

    def plan(self, rng: np.random.Generator) -> Plan:
        """Conventions, best first by what the model says that they are worth."""
        obs = self.view.of(self.state)
        known, counts = known_apart(obs.numpy(), None)
        done = [self._done(known[:, agent], count, agent) for agent, count in enumerate(counts)]
        allowed = [self._allowed(each) for each in done]
        least = 1e-6 * float(self.reward.scale)
        found = [PairSearch(self._worth, known, allowed, self.weight, self._beginning(done, rng), least).found(rng)
                 for _ in range(self.args.plans)]
        ends = list({b"".join(rule.tobytes() for rule in rules): rules for rules in found}.values())  # each once
        values, errors = (np.array(each) for each in zip(*(self._judged(known, rules) for rules in ends), strict=True))
        order = best_first(values, errors, self.args.caution)
        rows = th.randperm(len(self.data), generator=self.generator)[:SHOWN]
        seen = self.view.of(self.data.state[rows, :-1].flatten(0, 1)).view(len(rows), -1, *obs.shape[1:])
        actions = self._shown(rows, seen, obs, known, [ends[k] for k in order])
        return Plan(th.arange(len(order)).repeat_interleave(len(rows)), seen.repeat(len(order), 1, 1, 1), actions,
                    self.view.available.repeat(len(actions), seen.shape[1], 1, 1),
                    th.from_numpy(values[order]), th.from_numpy(errors[order]),
                    self.data.played[rows].sum(1).repeat(len(order)))

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
        allowed: BoolArray = done >= np.maximum(SELDOM * done.max(1, keepdims=True), 1.0)
        return allowed

    @staticmethod
    def _beginning(done: list[FloatArray], rng: np.random.Generator) -> list[IntArray]:
        """What is done most often; chance decides where it is close."""
        return [(table * (1 + SPREAD * rng.random(table.shape))).argmax(1) for table in done]

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
        return steps * mean, steps * spread / self.n_steps ** 0.5

    def _shown(self, rows: Tensor, seen: Tensor, obs: Tensor, known: IntArray, ends: list[list[IntArray]]) -> Tensor:
        """What agents that see ``seen`` ``[R, T, N, O]`` in the episodes ``rows`` do by P rules, ``[P * R, T, N]``.

        Where no rule says anything, in states too rare to be judged, it is what was recorded.
        """
        recorded = self.data.actions[rows, :-1]
        out = recorded.repeat(len(ends), 1, 1).view(len(ends), *recorded.shape)
        for agent in range(seen.shape[2]):
            table = {row.tobytes(): int(k) for row, k in zip(obs[:, agent].numpy(), known[:, agent], strict=True)}
            flat = seen[:, :, agent].flatten(0, 1).numpy()
            number = np.array([table.get(row.tobytes(), -1) for row in flat])
            told = th.from_numpy(number >= 0).view(recorded.shape[:2]) & self.data.played[rows]
            for p, rules in enumerate(ends):
                done = th.from_numpy(rules[agent][np.maximum(number, 0)]).view(recorded.shape[:2])
                out[p, :, :, agent] = th.where(told, done, out[p, :, :, agent])
        return out.flatten(0, 1)
