"""XOR: two agents win when they choose differently.

The smallest game with policy mismatch: AB and BA are both optimal, but half of one and half of the
other is AA or BB, which pays nothing.  With n agents the team wins on odd parity (an odd number of
B), which is the same game for n = 2.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .game import FloatArray, Game, IntArray, Step
from .picture import Last, Picture, choice_picture
from .registry import REGISTRY


@REGISTRY.register("xor")
class Xor(Game):
    """Matrix game: reward 1 for odd parity, else 0; one state.

    Args:
        n_agents: number of agents, at least 2.
        bb_reward: reward when all agents play B and that is not a win (AlberDICE's variant: -2).
        episode_limit: number of repetitions (AlberDICE's recordings: 50).
    """

    name = "xor"
    action_names = ("A", "B")

    def __init__(self, n_agents: int = 2, bb_reward: float = 0.0, episode_limit: int = 1) -> None:
        if not 2 <= n_agents <= 16:
            raise UserError(f"env_args.n_agents of xor must be between 2 and 16, not {n_agents}.")
        self.n_agents, self.n_actions, self.episode_limit = n_agents, 2, episode_limit
        self.bb_reward = bb_reward
        self.state_dim = 2 * n_agents

    def reward(self, actions: IntArray) -> FloatArray:
        """Team reward of joint actions ``[B, N]``, ``[B]``."""
        n_b = actions.sum(1)
        win = n_b % 2 == 1
        return np.where(win, 1.0, np.where(n_b == self.n_agents, self.bb_reward, 0.0))

    def initial(self, batch: int, rng: np.random.Generator) -> IntArray:
        return np.zeros((batch, 1), dtype=np.int64)

    def transition(self, state: IntArray, actions: IntArray, rng: np.random.Generator) -> Step:
        after = state + 1
        return Step(after, self.reward(actions), after[:, 0] >= self.episode_limit, {})

    def global_state(self, state: IntArray) -> NDArray[np.float32]:
        # The constant that AlberDICE's recordings hold, so that they can be read as they are.
        return np.tile(np.array([0.0, 1.0], dtype=np.float32), (len(state), self.n_agents))

    def decode(self, seen: NDArray[np.float32]) -> IntArray:
        return np.zeros((len(seen), 1), dtype=np.int64)

    def optimum(self) -> float:
        return max(1.0, self.bb_reward if self.n_agents % 2 == 0 else 1.0) * self.episode_limit

    def random_headline(self) -> float:
        all_b = 2.0 ** -self.n_agents * (self.bb_reward if self.n_agents % 2 == 0 else 0.0)
        return (0.5 + all_b) * self.episode_limit

    def optimal_actions(self, state: IntArray) -> list[IntArray]:
        every = np.array(list(itertools.product(range(2), repeat=self.n_agents)))
        reward = self.reward(every)
        return [every[reward == reward.max()]] * len(state)

    def draw(self, state: IntArray) -> str:
        return f"XOR  round {state[0]} of {self.episode_limit}: choose A or B, differently"

    def picture(self, state: IntArray, last: Last | None = None) -> Picture:
        if last is None:
            return choice_picture(int(state[0]), self.episode_limit, ["?"] * self.n_agents, None)
        won = bool(self.reward(last[1][None])[0] >= 1.0)
        return choice_picture(int(state[0]), self.episode_limit, [self.action_names[a] for a in last[1]], won)
