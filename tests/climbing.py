"""The climbing game (Claus and Boutilier, 1998), several rounds of it: the way to its optimum leads past its worst."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
from known import known_game
from numpy.typing import NDArray

from epymarl_cpa.envs.game import Game, IntArray, Step

PAYS = np.array([[11.0, -30.0, 0.0], [-30.0, 7.0, 6.0], [0.0, 0.0, 5.0]])
YAML = """env: climbing
env_args: {rounds: 1}
dataset: random
recipes:
  random: {episodes: 1000, mixture: {random: 1.0}}
"""


class Climbing(Game):
    """States are ``[t]``; nothing but the time changes."""

    name = "climbing"
    action_names = ("a", "b", "c")

    def __init__(self, rounds: int = 1) -> None:
        self.n_agents, self.n_actions, self.state_dim, self.episode_limit = 2, 3, 1, rounds

    def initial(self, batch: int, rng: np.random.Generator) -> IntArray:
        return np.zeros((batch, 1), dtype=np.int64)

    def transition(self, state: IntArray, actions: IntArray, rng: np.random.Generator) -> Step:
        after = state + 1
        return Step(after, PAYS[actions[:, 0], actions[:, 1]], after[:, 0] >= self.episode_limit, {})

    def global_state(self, state: IntArray) -> NDArray[np.float32]:
        return (state / self.episode_limit).astype(np.float32)

    def optimum(self) -> float:
        return float(PAYS.max() * self.episode_limit)

    def draw(self, state: IntArray) -> str:
        return f"round {state[0]}"


def known(folder: Path) -> AbstractContextManager[str]:
    """The game is known inside the ``with`` block, by the environment file whose path this gives."""
    return known_game(Climbing, YAML, folder)
