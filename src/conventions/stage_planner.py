"""Conventions composed step after step: at each the agents choose, by what they know, what their teacher may play.

A teacher that sees the state cannot be copied by agents that do not: what they cannot tell apart is averaged, and
where it has several ways they mix them.  But rules for all agents can be looked for whose joint actions the teacher
finds likely: the projection of its law by the reverse divergence, which prefers one way to the average of all.  With
the teacher's law proportional to mu exp(Q / alpha) that is to maximise the mean of Q + alpha log mu, pessimistic where
nothing was recorded.  Steps follow one another in a learned model, under the rules chosen before, so that a way once
taken is gone on with.
"""

from __future__ import annotations

import numpy as np
import torch as th
from torch import Tensor

from ..envs.game import FloatArray, IntArray
from ..envs.mismatch import distinct
from .column_model import ColumnModel, Columns, RewardModel, trained_on
from .experience import Experience
from .guide import Guide
from .plan import Plan, best_first
from .settings import ConventionSettings
from .stage_game import agreed
from .view import View

MODES = 12  # joint actions of the teacher that a decision may begin with


class StagePlanner:
    """Plans with a teacher as a guide.

    Args:
        data: recorded episodes.
        horizon: T.
        args: settings.
        guide: the teacher.
        generator: for the model and what is drawn.

    Raises:
        UserError: the states' entries take too many values, observations are not parts of the state, or which actions
            are available changes.
    """

    def __init__(self, data: Experience, horizon: int, args: ConventionSettings, guide: Guide,
                 generator: th.Generator) -> None:
        self.data, self.horizon, self.args, self.guide, self.generator = data, horizon, args, guide, generator
        self.columns, self.view = Columns(data.state[data.filled]), View(data)
        size = data.available.shape[2:]
        with th.random.fork_rng(devices=[]):
            th.default_generator.manual_seed(args.seed)
            self.model, self.reward = ColumnModel(self.columns, *size), RewardModel(self.columns, *size)
        for model in (self.model, self.reward):
            trained_on(data, model, args.model_t_max, generator)

    def plan(self, rng: np.random.Generator) -> Plan:
        """Conventions, best first by what the model says that they are worth."""
        shown = [self._composed(rng) for _ in range(self.args.plans)]
        values = np.array([returns.mean() for *_, returns in shown])
        errors = np.array([returns.std() / len(returns) ** 0.5 for *_, returns in shown])
        order = best_first(values, errors, self.args.caution)
        obs, actions, available = (th.cat([shown[k][part] for k in order]) for part in range(3))
        return Plan(th.arange(len(order)).repeat_interleave(self.args.scenarios), obs, actions, available,
                    th.from_numpy(values[order]), th.from_numpy(errors[order]))

    @th.no_grad()
    def _composed(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, FloatArray]:
        """One convention: observations, actions, masks, and the returns of its simulated episodes ``[B]``."""
        count = self.args.scenarios
        rows = th.randint(len(self.data), (count,), generator=self.generator)
        state = self.data.state[rows, 0]
        last: IntArray | None = None
        seen, done, masks, returns = [], [], [], np.zeros(count)
        for _ in range(self.horizon):
            obs, available = self.view.of(state), self.view.masks(count)
            actions = self._decided(state, obs, available, last, rng)
            seen.append(obs)
            done.append(actions)
            masks.append(available)
            now = self.columns.numbers(state)
            returns += self.reward(now, actions).double().numpy()
            state, last = self.columns.vectors(self.model.sample(now, actions, self.generator)), actions.numpy()
        return th.stack(seen, 1), th.stack(done, 1), th.stack(masks, 1), returns

    def _decided(self, state: Tensor, obs: Tensor, available: Tensor, last: IntArray | None,
                 rng: np.random.Generator) -> Tensor:
        """The joint actions ``[B, N]`` of rules by each agent's observation and own last action."""
        known, counts = known_apart(obs.numpy(), last)
        drawn = np.unique(self.guide.draw(state[:128], available[:128], self.generator).numpy(), axis=0)
        drawn = drawn[rng.permutation(len(drawn))[:MODES]]
        worth = self.guide.worth(state, available)
        weight = np.full(len(state), 1 / len(state))
        ends = [agreed(worth, known, counts, available.numpy(), weight,
                       [np.full(n, action) for n, action in zip(counts, mode, strict=True)], rng) for mode in drawn]
        rules = max(ends, key=lambda end: end[0])[1]
        return th.from_numpy(np.stack([rule[known[:, agent]] for agent, rule in enumerate(rules)], 1))


def known_apart(obs: FloatArray, last: IntArray | None) -> tuple[IntArray, list[int]]:
    """Numbers ``[B, N]`` of what each agent knows, observation and own last action, and how many there are."""
    numbers, counts = [], []
    for agent in range(obs.shape[1]):
        rows = obs[:, agent]
        if last is not None:
            rows = np.concatenate([rows, last[:, agent, None].astype(rows.dtype)], 1)
        first, number = distinct(rows)
        numbers.append(number)
        counts.append(len(first))
    return np.stack(numbers, 1), counts
