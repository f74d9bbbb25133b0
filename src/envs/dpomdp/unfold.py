"""All that a team can see in a Dec-POMDP, with the law of what it cannot see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..game import FloatArray, IntArray
from ..unfolding import Rows
from .model import Model

NOTHING_YET = -1  # in place of an observation before the first


def first_states(model: Model) -> tuple[IntArray, FloatArray]:
    """Hidden states and joint observations (-1: none) that can be first ``[R, 2]``, and their probabilities ``[R]``."""
    if model.first is None:
        hidden = np.flatnonzero(model.start > 0)
        return np.stack([hidden, np.full_like(hidden, NOTHING_YET)], 1), model.start[hidden]
    law = model.start[:, None] * model.first
    return np.argwhere(law > 0), law[law > 0]


def shown(model: Model, t: int, hidden: IntArray, joint: IntArray) -> IntArray:
    """States of the game, ``[R, 2 + N]``, from hidden states and joint observations ``[R]``."""
    parts = np.unravel_index(np.maximum(joint, 0), model.n_observations)
    last = [np.where(joint < 0, NOTHING_YET, part) for part in parts]
    return np.stack([np.full_like(hidden, t), hidden, *last], 1)


@dataclass(frozen=True)
class ByHistory:
    """For teams whose agents remember what they see: a row for each joint history of observations.

    Attributes:
        model: the problem.  A row's law is of hidden states, ``[R, S]``.
    """

    model: Model

    def begin(self) -> Rows:
        places, probability = first_states(self.model)
        joint, row = np.unique(places[:, 1], return_inverse=True)
        law = np.zeros((len(joint), self.model.n_states))
        law[row.reshape(-1), places[:, 0]] = probability
        return Rows(shown(self.model, 0, law.argmax(1), joint), law, np.arange(len(joint)))

    def step(self, rows: Rows, actions: IntArray, most: int) -> tuple[float, Rows | None]:
        model, joint = self.model, np.ravel_multi_index(tuple(actions.T), self.model.n_actions)
        paid = float((rows.law * model.reward[joint]).sum())
        seen = np.empty((len(joint), model.n_joint[1]))
        for j in np.unique(joint):
            moved = rows.law[joint == j] @ model.transition[j]
            seen[joint == j] = moved @ model.observation[j]
        parent, observed = np.nonzero(seen > 0)
        if len(parent) > most:
            return paid, None
        law = np.empty((len(parent), model.n_states))
        for j in np.unique(joint):
            new = joint[parent] == j
            law[new] = (rows.law[parent[new]] @ model.transition[j]) * model.observation[j].T[observed[new]]
        return paid, Rows(shown(model, int(rows.state[0, 0]) + 1, law.argmax(1), observed), law, parent)


@dataclass(frozen=True)
class ByState:
    """For teams that see the state and remember nothing: a row for each hidden state and last joint observation.

    Attributes:
        model: the problem.  A row's law is its probability ``[R]``.
    """

    model: Model

    def begin(self) -> Rows:
        places, probability = first_states(self.model)
        return Rows(shown(self.model, 0, places[:, 0], places[:, 1]), probability, np.arange(len(places)))

    def step(self, rows: Rows, actions: IntArray, most: int) -> tuple[float, Rows | None]:
        model, joint = self.model, np.ravel_multi_index(tuple(actions.T), self.model.n_actions)
        hidden = rows.state[:, 1]
        paid = float((rows.law * model.reward[joint, hidden]).sum())
        law = np.zeros((model.n_states, model.n_joint[1]))
        for j in np.unique(joint):
            mine = joint == j
            law += (rows.law[mine] @ model.transition[j][hidden[mine]])[:, None] * model.observation[j]
        places = np.argwhere(law > 0)
        if len(places) > most:
            return paid, None
        after = shown(model, int(rows.state[0, 0]) + 1, places[:, 0], places[:, 1])
        return paid, Rows(after, law[law > 0], np.zeros(len(places), dtype=np.int64))
