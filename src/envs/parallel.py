"""The games as PettingZoo environments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, SupportsIndex

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pettingzoo import AECEnv, ParallelEnv  # type: ignore[import-untyped]
from pettingzoo.utils.conversions import parallel_to_aec  # type: ignore[import-untyped]

from ..errors import UserError, shown
from .episode import RENDER_MODES, Episode, checked_render_mode
from .game import Game
from .registry import make_own_game, ours

Observation = dict[str, NDArray[Any]]
Info = dict[str, Any]


class GameParallelEnv(ParallelEnv[str, Observation, SupportsIndex]):  # type: ignore[misc]
    """Any game as a PettingZoo ``ParallelEnv``.

    Every agent observes ``{"observation": float32 [O], "action_mask": int8 [A]}`` (the mask is in
    its info too) and receives the whole team reward.  Reaching the horizon of our games is a
    termination, since the rules say that the episode ends there.  Actions that the mask forbids are accepted; the game
    says what they lead to.

    Args:
        game: the rules.
        render_mode: ``human`` (prints text), ``ansi``, ``rgb_array`` or None.

    Raises:
        UserError: unknown render mode.
    """

    def __init__(self, game: Game, render_mode: str | None = None) -> None:
        self.game = game
        self.metadata = {"name": f"{game.name}_v0", "render_modes": RENDER_MODES, "is_parallelizable": True,
                         "render_fps": 4}
        self.render_mode = checked_render_mode(render_mode)
        self.possible_agents = [f"agent_{i}" for i in range(game.n_agents)]
        self.agents: list[str] = []
        self.max_cycles = game.episode_limit
        self.state_space = spaces.Box(game.state_low, game.state_high, (game.state_dim,), np.float32)
        self._observation_spaces = {
            agent: spaces.Dict({"observation": spaces.Box(game.state_low, game.state_high, (game.obs_dim,), np.float32),
                                "action_mask": spaces.MultiBinary(game.n_actions)})
            for agent in self.possible_agents}
        self._action_spaces = {agent: spaces.Discrete(game.n_actions) for agent in self.possible_agents}
        self._episode = Episode(game)

    def observation_space(self, agent: str) -> spaces.Dict:
        """The same object on each call."""
        return self._observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Discrete:
        """The same object on each call."""
        return self._action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None,
              ) -> tuple[dict[str, Observation], dict[str, Info]]:
        """Starts an episode; a seed starts the randomness afresh.  No options exist."""
        self._episode.reset(seed)
        self.agents = self.possible_agents.copy()
        if self.render_mode == "human":
            self.render()
        return self._views({})

    def step(self, actions: Mapping[str, SupportsIndex]) -> tuple[
            dict[str, Observation], dict[str, float], dict[str, bool], dict[str, bool], dict[str, Info]]:
        """Plays one action for each agent.

        Returns:
            observations, rewards, terminations, truncations and infos, each by agent.

        Raises:
            UserError: the episode is over, an agent's action is missing or not an integer in 0 .. A - 1.
        """
        if not self.agents:
            raise UserError(f"no episode of {self.game.name} is running; call reset() before step().")
        if not isinstance(actions, Mapping):
            raise UserError(f"step() of {self.game.name} takes a dict with the action of each agent, not "
                            f"{shown(actions)}.")
        missing = [agent for agent in self.agents if agent not in actions]
        if missing:
            raise UserError(f"step() of {self.game.name} needs an action of each agent; {missing[0]} has none.")
        reward, _, facts = self._episode.step([actions[agent] for agent in self.agents])
        observations, infos = self._views(facts)
        everyone, done, cut = self.possible_agents, self._episode.done, self._episode.truncated
        if done:
            self.agents = []
        if self.render_mode == "human":
            self.render()
        return (observations, dict.fromkeys(everyone, reward), dict.fromkeys(everyone, done and not cut),
                dict.fromkeys(everyone, cut), infos)

    def _views(self, facts: Mapping[str, float]) -> tuple[dict[str, Observation], dict[str, Info]]:
        views = zip(self.possible_agents, self._episode.observations(), self._episode.masks(), strict=True)
        observations: dict[str, Observation] = {}
        infos: dict[str, Info] = {}
        for agent, seen, mask in views:
            observations[agent] = {"observation": seen, "action_mask": mask.copy()}
            infos[agent] = {"action_mask": mask.copy(), **facts}
        return observations, infos

    def state(self) -> NDArray[np.float32]:
        """Global state, ``[S]``."""
        return self._episode.global_state()

    def render(self) -> NDArray[np.uint8] | str | None:
        """The current state in the chosen render mode."""
        if self.render_mode is None:
            gymnasium.logger.warn("render() shows nothing: the environment was made without a render_mode.")
        return self._episode.render(self.render_mode)

    def close(self) -> None:
        """Closes the game."""
        self.game.close()


def parallel_env(game: str, *, max_cycles: int | None = None, render_mode: str | None = None,
                 **env_args: Any) -> GameParallelEnv:
    """Builds the parallel environment of a game.

    Args:
        game: its registry name.
        max_cycles: PettingZoo's word for ``episode_limit``.
        render_mode: see :class:`GameParallelEnv`.
        env_args: keyword arguments of the game's class.

    Raises:
        UserError: a name or value is not known.
    """
    if max_cycles is not None:
        env_args["episode_limit"] = max_cycles
    return GameParallelEnv(make_own_game(game, **env_args), render_mode)


def env(game: str, **kwargs: Any) -> AECEnv[str, Observation, SupportsIndex | None]:
    """The same environment turn by turn (PettingZoo's AEC); arguments as for :func:`parallel_env`."""
    return parallel_to_aec(parallel_env(game, **kwargs))


def register_all() -> None:
    """Makes each game of ours known to ``pettingzoo.make`` as ``cpa/<name>-v0``, both ways of playing.

    PettingZoo before 1.27 has no registry; there the functions above are the way in.
    """
    try:
        from pettingzoo import aec_registry, parallel_registry, register
    except ImportError:
        return
    for name in ours():
        entry = f"cpa/{name}-v0"
        if entry not in parallel_registry:
            register("parallel", entry, f"{__name__}:parallel_env", kwargs={"game": name})
        if entry not in aec_registry:
            register("aec", entry, f"{__name__}:env", kwargs={"game": name})
