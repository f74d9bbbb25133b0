"""A game that needs a memory: a light shows at the first step what all must do at the last."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
from known import known_game
from numpy.typing import NDArray

from epymarl_cpa.envs.game import Game, IntArray, Step

YAML = """env: recall
env_args: {episode_limit: 4}
dataset: random
recipes:
  random: {episodes: 300, mixture: {random: 1.0}}
"""


class Recall(Game):
    """States are ``[t, light]``; what is shown is the light at first, and darkness after; reward 1 at the end."""

    name = "recall"
    action_names = ("left", "right")

    def __init__(self, episode_limit: int = 4) -> None:
        self.n_agents, self.n_actions, self.state_dim = 2, 2, 2
        self.episode_limit = episode_limit

    def initial(self, batch: int, rng: np.random.Generator) -> IntArray:
        return np.stack([np.zeros(batch, dtype=np.int64), rng.integers(2, size=batch)], 1)

    def transition(self, state: IntArray, actions: IntArray, rng: np.random.Generator) -> Step:
        time = state[:, 0] + 1
        done = time >= self.episode_limit
        right = (actions == state[:, 1:]).all(1)
        return Step(np.stack([time, state[:, 1]], 1), (done & right).astype(np.float64), done, {})

    def global_state(self, state: IntArray) -> NDArray[np.float32]:
        first = state[:, 0] == 0
        return np.stack([first & (state[:, 1] == 0), first & (state[:, 1] == 1)], 1).astype(np.float32)

    def draw(self, state: IntArray) -> str:
        return f"step {state[0]}: {'left' if state[1] == 0 else 'right'}"


def known(folder: Path) -> AbstractContextManager[str]:
    """The game is known inside the ``with`` block, by the environment file whose path this gives."""
    return known_game(Recall, YAML, folder)
