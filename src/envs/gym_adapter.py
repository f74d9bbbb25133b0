"""The games as Gymnasium environments of the shape that EPyMARL's ``gymma`` wrapper reads.

An unmodified EPyMARL plays them with ``--env-config=gymma with
env_args.key="epymarl_cpa.envs:cpa/Sensor-v0" env_args.time_limit=10``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, SupportsIndex

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from .episode import RENDER_MODES, Episode, checked_render_mode, seed_of_game
from .multi_agent_env import equal_shares
from .registry import make_own_game, ours

Observations = tuple[NDArray[np.float32], ...]
METADATA: dict[str, Any] = {"render_modes": RENDER_MODES, "render_fps": 4}


class GameGymEnv(gymnasium.Env[Observations, Iterable[SupportsIndex]]):
    """Any game with Tuple spaces and a list of N rewards.

    Each agent's reward is its own, or an equal share of the team reward where only the team is paid, so that
    ``gymma`` with ``common_reward=True`` and the same scalarisation gives the team reward back.
    ``gymma`` ignores action masks: what a forbidden action leads to is for the game to say.

    Args:
        game: registry name.
        render_mode: ``human`` (prints text), ``ansi``, ``rgb_array`` or None.
        scalarisation: ``sum`` (shares add up to the team reward) or ``mean``; ``gymma`` keeps its own
            ``reward_scalarisation`` to itself, so under ``mean`` name it again in ``env_args``.
        env_args: keyword arguments of the game's class.

    Attributes:
        n_agents: N.
        max_episode_steps: T, the game's own horizon.

    Raises:
        UserError: a name or value is not known.
    """

    metadata = METADATA

    def __init__(self, game: str, *, render_mode: str | None = None, scalarisation: str = "sum",
                 **env_args: Any) -> None:
        self.game = make_own_game(game, **env_args)
        self.n_agents, self.max_episode_steps = self.game.n_agents, self.game.episode_limit
        self.render_mode = checked_render_mode(render_mode)
        self._scalarisation = scalarisation
        equal_shares(0.0, self.n_agents, scalarisation)  # refuses a bad scalarisation before any step
        seen = spaces.Box(self.game.state_low, self.game.state_high, (self.game.obs_dim,), np.float32)
        self.observation_space = spaces.Tuple([seen] * self.n_agents)
        self.action_space = spaces.Tuple([spaces.Discrete(self.game.n_actions) for _ in range(self.n_agents)])
        self._episode = Episode(self.game)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None,
              ) -> tuple[Observations, dict[str, Any]]:
        """Starts an episode; returns the observations and an empty info.  No options exist."""
        super().reset(seed=seed_of_game(seed))
        self._episode.rng = self.np_random
        self._episode.reset()
        if self.render_mode == "human":
            self.render()
        return tuple(self._episode.observations()), {}

    # Gymnasium types the reward as one number; gymma reads a list.
    def step(self, action: Iterable[SupportsIndex],  # type: ignore[override]
             ) -> tuple[Observations, list[float], bool, bool, dict[str, Any]]:
        """Plays a joint action, N integers.

        Returns:
            observations, N rewards, terminated, truncated, info (plain floats).

        Raises:
            UserError: the episode is over, or the actions are not N integers in 0 .. A - 1.
        """
        episode = self._episode
        team, own, info = episode.step(action)
        if self.render_mode == "human":
            self.render()
        rewards = own or equal_shares(team, self.n_agents, self._scalarisation)
        ended = episode.done and not episode.truncated
        return tuple(episode.observations()), rewards, ended, episode.truncated, {**info}

    def action_masks(self) -> NDArray[np.int8]:
        """1 for each action that may be chosen now, ``[N, A]``."""
        return self._episode.masks()

    def render(self) -> NDArray[np.uint8] | str | None:
        """The current state in the chosen render mode."""
        return self._episode.render(self.render_mode)


def register_all() -> None:
    """Makes each game of ours known to ``gymnasium.make`` as ``cpa/<Name>-v0``."""
    for name in ours():
        entry = f"cpa/{name.title().replace('_', '')}-v0"
        if entry not in gymnasium.registry:
            # Gymnasium's own checker would complain about the list of rewards at the first step.
            gymnasium.register(entry, f"{__name__}:GameGymEnv", kwargs={"game": name}, disable_env_checker=True)
