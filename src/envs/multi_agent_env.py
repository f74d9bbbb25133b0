"""The games in EPyMARL's environment contract (its classes only need to look alike)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..utils.files import write_text
from .episode import Episode, seed_of_game
from .game import Game, IntArray
from .registry import make_game

SCALARISATIONS = ("sum", "mean")


def equal_shares(reward: float, n_agents: int, scalarisation: str) -> list[float]:
    """Splits a team reward into N equal rewards whose sum (or mean) is the team reward again.

    Raises:
        UserError: ``scalarisation`` is neither ``sum`` nor ``mean``.
    """
    if scalarisation not in SCALARISATIONS:
        raise UserError(f"the reward scalarisation must be sum or mean, not '{scalarisation}'.")
    return [reward / n_agents if scalarisation == "sum" else reward] * n_agents


class MultiAgentEnv:
    """One game as EPyMARL's runners expect it.

    With ``common_reward`` the reward is the team's, a float: the sum or mean of the agents' own where they
    have some.  Without it each agent gets its own reward; where only the team is paid, an equal
    share such that EPyMARL's own scalarisation gives the team reward back (up to rounding): the
    N-th part under ``sum``, the whole under ``mean``.
    The horizon of our games ends the episode for good.  Where a game cuts an episode off instead,
    ``info["episode_limit"]`` is true, so that learners bootstrap there.

    Args:
        game: registry name of the game.
        map_name: label of this variant in results; not interpreted.
        seed: of the game's randomness.
        common_reward, reward_scalarisation: as in EPyMARL; see above.
        env_args: the game's own keyword arguments.

    Attributes:
        game: the rules.
        n_agents, n_actions, episode_limit: N, A, T.

    Raises:
        UserError: a name or value is not known.
    """

    def __init__(self, game: str, *, map_name: str | None = None, seed: int | None = None,
                 common_reward: bool = True, reward_scalarisation: str = "sum", **env_args: Any) -> None:
        self.game: Game = make_game(game, **env_args)
        self.map_name = map_name or game
        self.n_agents, self.n_actions = self.game.n_agents, self.game.n_actions
        self.episode_limit = self.game.episode_limit
        self.common_reward, self.reward_scalarisation = common_reward, reward_scalarisation
        equal_shares(0.0, self.n_agents, reward_scalarisation)  # refuses a bad scalarisation before any step
        self.game.reward_scalarisation = reward_scalarisation
        self._episode = Episode(self.game, seed)
        self._visited: list[IntArray] = [self._episode.state]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None,
              ) -> tuple[list[NDArray[np.float32]], dict[str, float]]:
        """Starts an episode; returns the observations and an empty info.  No options exist."""
        self._episode.reset(seed)
        self._visited = [self._episode.state]
        return self.get_obs(), {}

    def step(self, actions: Iterable[SupportsIndex],
             ) -> tuple[list[NDArray[np.float32]], float | list[float], bool, bool, dict[str, float]]:
        """Plays a joint action, N integers.

        Returns:
            observations, reward, terminated, truncated, info (plain floats, and ``episode_limit`` if truncated).

        Raises:
            UserError: the episode is over, or the actions are not N integers in 0 .. A - 1.
        """
        episode = self._episode
        team, own, info = episode.step(actions)
        self._visited.append(episode.state)
        reward = team if self.common_reward else own or equal_shares(team, self.n_agents, self.reward_scalarisation)
        if episode.truncated:
            info["episode_limit"] = True
        return self.get_obs(), reward, episode.done and not episode.truncated, episode.truncated, info

    def get_obs(self) -> list[NDArray[np.float32]]:
        """Observations of all agents, N arrays ``[O]``."""
        return self._episode.observations()

    def get_obs_agent(self, agent_id: int) -> NDArray[np.float32]:
        """Observation of one agent, ``[O]``."""
        return self.get_obs()[agent_id]

    def get_obs_size(self) -> int:
        """O."""
        return self.game.obs_dim

    def get_state(self) -> NDArray[np.float32]:
        """Global state, ``[S]``."""
        return self._episode.global_state()

    def get_state_size(self) -> int:
        """S."""
        return self.game.state_dim

    def get_avail_actions(self) -> list[list[int]]:
        """1 for each action that may be chosen, N lists of A."""
        return [[int(bit) for bit in row] for row in self._episode.masks()]

    def get_avail_agent_actions(self, agent_id: int) -> list[int]:
        """1 for each action that one agent may choose, A numbers."""
        return self.get_avail_actions()[agent_id]

    def get_total_actions(self) -> int:
        """A."""
        return self.n_actions

    def get_env_info(self) -> dict[str, int]:
        """The sizes from which EPyMARL builds its buffers."""
        return {"state_shape": self.get_state_size(), "obs_shape": self.get_obs_size(),
                "n_actions": self.n_actions, "n_agents": self.n_agents, "episode_limit": self.episode_limit}

    def get_stats(self) -> dict[str, float]:
        """Nothing beyond what ``step`` reports."""
        return {}

    def seed(self, seed: int | None = None) -> None:
        """Starts the game's randomness afresh; the running episode goes on from its state."""
        self._episode.rng = np.random.default_rng(seed_of_game(seed))

    def render(self) -> None:
        """Prints the current state as text."""
        self._episode.render("human")

    def save_replay(self, path: str | Path = "replay.txt") -> None:
        """Writes the states of the current or last episode to a text file.

        Raises:
            OSError: the file cannot be written.
        """
        frames = [self.game.draw(state[0]) for state in self._visited]
        write_text(Path(path), "\n\n".join(frames) + "\n")

    def close(self) -> None:
        """Closes the game."""
        self.game.close()


def make_multi_agent_env(game: str) -> partial[MultiAgentEnv]:
    """A constructor for EPyMARL's registry that a spawned process can import."""
    return partial(MultiAgentEnv, game)
