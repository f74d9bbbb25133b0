"""What a scripted team is: one script for each agent, which knows what that agent saw and did itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..utils.registry import Registry

NOTHING_YET = -1  # what an agent did before its first step

Seen = NDArray[np.float32]


class Script(ABC):
    """One agent of a team in one episode."""

    @abstractmethod
    def act(self, seen: Seen, did: int) -> int:
        """The action to choose now.

        Args:
            seen: the agent's own observation, ``[O]``.
            did: what it really did in the step before, which noise may have chosen; :data:`NOTHING_YET` at first.
        """


@dataclass(frozen=True)
class Team:
    """A convention that the agents of one task follow, each by its own observations.

    Attributes:
        name: as recipes and ``team=`` call it.
        game: registry name of the game through which the task is played.
        sizes: N, A and O of the task.
        script: makes the script of an agent, by its number.
    """

    name: str
    game: str
    sizes: tuple[int, int, int]
    script: Callable[[int], Script]

    def check(self, n_agents: int, n_actions: int, obs_dim: int) -> None:
        """Refuses another task.

        Raises:
            UserError: the sizes are not those that the scripts read.
        """
        if (n_agents, n_actions, obs_dim) != self.sizes:
            wanted, given = ("{} agents, {} actions and observations of {} numbers".format(*each)
                             for each in (self.sizes, (n_agents, n_actions, obs_dim)))
            raise UserError(f"the scripted team {self.name} plays with {wanted}; this environment has {given}.")

    def cast(self) -> Cast:
        """The team at the beginning of an episode."""
        return Cast(self)


class Cast:
    """The scripts of a team in one episode."""

    def __init__(self, team: Team) -> None:
        self._scripts = [team.script(agent) for agent in range(team.sizes[0])]

    def act(self, seen: Seen, did: NDArray[np.int64]) -> NDArray[np.int64]:
        """What the agents choose, ``[N]``, of observations ``[N, O]`` and what they did before ``[N]``."""
        return np.array([script.act(own, int(last)) for script, own, last
                         in zip(self._scripts, seen, did, strict=True)], dtype=np.int64)


REGISTRY: Registry[Team] = Registry("scripted team")


def add(team: Team) -> None:
    """Makes a team known by its name."""
    REGISTRY[team.name] = team
