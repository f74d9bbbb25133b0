"""XOR for agents that see different things, over several steps: only what a team agreed on for the episode helps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from known import known_game
from numpy.typing import NDArray

from epymarl_cpa.data.behaviours import REGISTRY as BEHAVIOURS
from epymarl_cpa.data.behaviours import Behaviour, JointPolicy
from epymarl_cpa.envs.game import Game, IntArray, Step

#: what each of the two teams flips: agent 1's answers, or agent 0's
TEAMS = {"first": (0, 1), "second": (1, 0)}
YAML = """env: accord
env_args: {episode_limit: 4}
dataset: both
recipes:
  both: {episodes: 400, mixture: {first: 0.5, second: 0.5}}
"""


class Accord(Game):
    """States are ``[t, bit of agent 0, bit of agent 1]``; each agent sees its own bit, drawn anew at every step.

    A step pays 1 if just one of the agents answers with its own bit.
    """

    name = "accord"
    action_names = ("no", "yes")

    def __init__(self, episode_limit: int = 4) -> None:
        self.n_agents, self.n_actions, self.state_dim = 2, 2, 4
        self.episode_limit = episode_limit

    def initial(self, batch: int, rng: np.random.Generator) -> IntArray:
        return np.concatenate([np.zeros((batch, 1), dtype=np.int64), rng.integers(2, size=(batch, 2))], 1)

    def transition(self, state: IntArray, actions: IntArray, rng: np.random.Generator) -> Step:
        after = self.initial(len(state), rng)
        after[:, 0] = state[:, 0] + 1
        honest = (actions == state[:, 1:]).sum(1) == 1
        return Step(after, honest.astype(np.float64), after[:, 0] >= self.episode_limit, {})

    def global_state(self, state: IntArray) -> NDArray[np.float32]:
        return np.eye(2, dtype=np.float32)[state[:, 1:]].reshape(len(state), 4)

    def view(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        return seen.reshape(len(seen), 2, 2)

    def decode(self, seen: NDArray[np.float32]) -> IntArray:
        bits = self.view(seen).argmax(2)
        return np.concatenate([np.zeros((len(bits), 1), dtype=np.int64), bits], 1)

    def optimum(self) -> float:
        return float(self.episode_limit)

    def draw(self, state: IntArray) -> str:
        return f"step {state[0]}: {state[1]} {state[2]}"


def team(flips: tuple[int, int]) -> Behaviour:
    """A team of agents that always answer with their own bit, or always with the other."""
    def make(game: Game, episodes: int, rng: np.random.Generator) -> JointPolicy:
        return lambda state, episode, rng: state[:, 1:] ^ np.array(flips)

    return make


@contextmanager
def known(folder: Path) -> Iterator[str]:
    """The game and its teams are known inside the ``with`` block, by the environment file whose path this gives."""
    BEHAVIOURS.update({f"accord/{name}": team(flips) for name, flips in TEAMS.items()})
    try:
        with known_game(Accord, YAML, folder) as file:
            yield file
    finally:
        for name in TEAMS:
            del BEHAVIOURS[f"accord/{name}"]
