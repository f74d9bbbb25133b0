"""Permutation: n agents win when no two choose the same of n actions (Fu et al., 2022).

n! of the n^n joint actions are optimal, and every single action is part of an optimal one, so every
losing joint action is a mismatch.
"""

from __future__ import annotations

import itertools
import string
from math import factorial

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .game import Game, IntArray, Step
from .picture import Last, Picture, choice_picture
from .registry import REGISTRY


@REGISTRY.register("permutation")
class Permutation(Game):
    """Matrix game: reward 1 iff the joint action is a permutation, else 0; one state, one step.

    Args:
        n_agents: number of agents and of actions.
        episode_limit: number of repetitions.
    """

    name = "permutation"

    def __init__(self, n_agents: int = 4, episode_limit: int = 1) -> None:
        if not 2 <= n_agents <= 8:
            raise UserError(f"env_args.n_agents of permutation must be between 2 and 8, not {n_agents}.")
        self.n_agents = self.n_actions = n_agents
        self.action_names = tuple(string.ascii_uppercase[:n_agents])
        self.episode_limit = episode_limit
        self.state_dim = 1

    def initial(self, batch: int, rng: np.random.Generator) -> IntArray:
        return np.zeros((batch, 1), dtype=np.int64)

    def transition(self, state: IntArray, actions: IntArray, rng: np.random.Generator) -> Step:
        after = state + 1
        win = (np.sort(actions, axis=1) == np.arange(self.n_agents)).all(1)
        return Step(after, win.astype(np.float64), after[:, 0] >= self.episode_limit, {})

    def global_state(self, state: IntArray) -> NDArray[np.float32]:
        return np.ones((len(state), 1), dtype=np.float32)

    def decode(self, seen: NDArray[np.float32]) -> IntArray:
        return np.zeros((len(seen), 1), dtype=np.int64)

    def optimum(self) -> float:
        return float(self.episode_limit)

    def random_headline(self) -> float:
        return float(self.episode_limit * factorial(self.n_agents) / self.n_agents ** self.n_agents)

    def optimal_actions(self, state: IntArray) -> list[IntArray]:
        return [np.array(list(itertools.permutations(range(self.n_agents))))] * len(state)

    def draw(self, state: IntArray) -> str:
        return f"PERMUTATION  round {state[0]} of {self.episode_limit}: choose {self.n_agents} different letters"

    def picture(self, state: IntArray, last: Last | None = None) -> Picture:
        if last is None:
            return choice_picture(int(state[0]), self.episode_limit, ["?"] * self.n_agents, None)
        won = len(set(last[1].tolist())) == self.n_agents
        return choice_picture(int(state[0]), self.episode_limit, [self.action_names[a] for a in last[1]], won)
