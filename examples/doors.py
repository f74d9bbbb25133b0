"""A game of one's own as a PettingZoo parallel environment: two porters carry a crate out by either door."""

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv


class Doors(ParallelEnv):
    """The crate moves only if both pull the same way; there is a door at either end, and getting out pays 1."""

    metadata = {"name": "doors", "is_parallelizable": True}  # noqa: RUF012 (PettingZoo's way)

    def __init__(self, length: int = 2, max_cycles: int = 6) -> None:
        self.length, self.max_cycles = length, max_cycles
        self.possible_agents = ["front", "back"]

    def observation_space(self, agent: str) -> spaces.Box:
        return spaces.Box(-1, 1, (2,), np.float32)

    def action_space(self, agent: str) -> spaces.Discrete:
        return spaces.Discrete(2)  # pull to the left, to the right

    def reset(self, seed=None, options=None):
        self.agents, self.place, self.time = [*self.possible_agents], 0, 0
        return self._seen(), {agent: {} for agent in self.agents}

    def step(self, actions):
        if len(set(map(int, actions.values()))) == 1:
            self.place += 2 * int(actions["front"]) - 1
        self.time += 1
        out, late = abs(self.place) == self.length, self.time == self.max_cycles
        seen, everyone = self._seen(), self.agents
        self.agents = [] if out or late else everyone
        return (seen, dict.fromkeys(everyone, float(out)), dict.fromkeys(everyone, out),
                dict.fromkeys(everyone, late and not out), {agent: {} for agent in everyone})

    def _seen(self):
        view = np.array([self.place / self.length, self.time / self.max_cycles], np.float32)
        return {agent: view.copy() for agent in self.agents}


parallel_env = Doors
