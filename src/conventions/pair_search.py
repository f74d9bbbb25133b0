"""One rule for each agent, bettered by changing what two of them do at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..envs.game import BoolArray, FloatArray, IntArray

#: joint actions ``[R, N]`` in the cases ``[R]`` to what they are worth there, ``[R]``
WorthIn = Callable[[IntArray, IntArray], FloatArray]
PASSES = 4  # of all changes; the second seldom finds one
SWEEPS = 50  # best responses in turn; ends after a few, unless rounding goes round in circles


class PairSearch:
    """Looks for rules that no two agents can better together, where one of them changes a single decision.

    Best responses alone end where every agent is right as long as the others stay: a target that nobody else watches
    is not worth watching.  Here each change of one decision, also one that costs something, is judged together with
    the best response of one other agent, whichever gains most.

    Args:
        worth: of joint actions in the B cases.
        known: what each agent knows in each case, numbered, ``[B, N]``.
        allowed: for each agent the actions that it may choose by what it knows, ``[n, A]``.
        weight: of the cases ``[B]``.
        rules: for each agent its action by what it knows, ``[n]``, an allowed one: where the search begins.
        least: mean worth below which a gain is rounding.
    """

    def __init__(self, worth: WorthIn, known: IntArray, allowed: list[BoolArray], weight: FloatArray,
                 rules: list[IntArray], least: float = 1e-6) -> None:
        self.worth, self.known, self.allowed, self.weight, self.least = worth, known, allowed, weight, least
        self.rules = [rule.copy() for rule in rules]
        self.agents, self.n_actions = range(len(rules)), allowed[0].shape[1]
        self.joint = np.stack([rule[known[:, agent]] for agent, rule in enumerate(rules)], 1)
        self.cases = [[np.flatnonzero(known[:, agent] == k) for k in range(len(rule))]
                      for agent, rule in enumerate(rules)]
        every = np.arange(len(known))
        self.now = worth(self.joint, every)
        self.gain = np.full((len(rules), len(known), self.n_actions), -np.inf)  # of one agent's other action, by case
        self._judge(every)
        self.alone = [self._alone(agent) for agent in self.agents]

    def found(self, rng: np.random.Generator) -> list[IntArray]:
        """The rules; the generator draws in which order changes are tried."""
        for _ in range(PASSES):
            self._respond(rng)
            if len(self.rules) == 1:
                break
            tried = [(i, k, a) for i in self.agents for k, a in np.argwhere(self.allowed[i])]
            if not sum(self._changed(*tried[n]) for n in rng.permutation(len(tried))):
                break
        return self.rules

    def _judge(self, rows: IntArray) -> None:
        """Learns anew what each agent alone would gain in some cases."""
        for agent in self.agents:
            at, action = np.nonzero(self.allowed[agent][self.known[rows, agent]])
            joint = self.joint[rows[at]]
            joint[:, agent] = action
            self.gain[agent, rows[at], action] = self.worth(joint, rows[at]) - self.now[rows[at]]
            self.gain[agent, rows, self.joint[rows, agent]] = 0.0  # exactly, however many cases are judged at once

    def _sums(self, agent: int, rows: IntArray, gain: FloatArray, at: IntArray, action: IntArray) -> FloatArray:
        """Weighted gains ``[R]`` of actions in the cases ``rows[at]``, by what the agent knows, ``[n, A]``."""
        size = len(self.rules[agent]) * self.n_actions
        place = self.known[rows[at], agent] * self.n_actions + action
        return np.bincount(place, self.weight[rows[at]] * gain, size).reshape(-1, self.n_actions).astype(np.float64)

    def _alone(self, agent: int) -> FloatArray:
        """What the agent's other actions gain if nobody else changes, ``[n, A]``; -inf where not allowed."""
        every = np.arange(len(self.known))
        at, action = np.nonzero(self.allowed[agent][self.known[:, agent]])
        sums = self._sums(agent, every, self.gain[agent, at, action], at, action)
        return np.where(self.allowed[agent], sums, -np.inf)

    def _respond(self, rng: np.random.Generator) -> None:
        """Best responses in turn, until nobody gains."""
        for _ in range(SWEEPS):
            better = False
            for agent in rng.permutation(len(self.rules)).tolist():
                alone = self.alone[agent]
                known = np.flatnonzero(alone.max(1) > self.least)
                if len(known):
                    self._take([(agent, k, int(alone[k].argmax())) for k in known.tolist()])
                    better = True
            if not better:
                break

    def _take(self, changes: list[tuple[int, int, int]]) -> None:
        """Changes decisions: ``(agent, what it knows, action)``."""
        for agent, k, action in changes:
            self.rules[agent][k] = action
            self.joint[self.cases[agent][k], agent] = action
        rows = np.unique(np.concatenate([self.cases[agent][k] for agent, k, _ in changes]))
        self.now[rows] = self.worth(self.joint[rows], rows)
        self._judge(rows)
        self.alone = [self._alone(agent) for agent in self.agents]

    def _changed(self, one: int, k: int, action: int) -> bool:
        """Tries a change of one decision with the best response of another agent; takes it if both together gain."""
        rows = self.cases[one][k]
        if self.rules[one][k] == action or not len(rows):
            return False
        own = float(self.weight[rows] @ self.gain[one, rows, action])
        changed = self.joint[rows]
        changed[:, one] = action
        before = self.now[rows] + self.gain[one, rows, action]
        others = [agent for agent in self.agents if agent != one]
        tried = [np.nonzero(self.allowed[agent][self.known[rows, agent]]) for agent in others]
        at = np.concatenate([each[0] for each in tried])
        joint = changed[at]
        joint[np.arange(len(at)), np.repeat(others, [len(each[0]) for each in tried])] = \
            np.concatenate([each[1] for each in tried])
        paid, best, begin = self.worth(joint, rows[at]) - before[at], self.least, 0
        changes: list[tuple[int, int, int]] = []
        for agent, (at, choice) in zip(others, tried, strict=True):
            differs = paid[begin:begin + len(at)] - self.gain[agent, rows[at], choice]
            begin += len(at)
            touched = np.unique(self.known[rows, agent])
            total = (self.alone[agent] + self._sums(agent, rows, differs, at, choice))[touched]
            gains = total.max(1)
            if own + gains[gains > 0].sum() > best:
                best = own + gains[gains > 0].sum()
                changes = [(one, k, action), *((agent, int(touched[n]), int(total[n].argmax()))
                                              for n in np.flatnonzero(gains > 0))]
        if changes:
            self._take(changes)
        return bool(changes)
