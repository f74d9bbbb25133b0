"""Hanabi: players see all cards but their own, and tell each other about them in turn.

The rules are OpenSpiel's, by PettingZoo's ``classic.hanabi_v5``.  A step is one player's turn; the others wait, which
is action 0, the only one that their masks leave them.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from ..errors import UserError
from .calls import called, not_built
from .external import ExternalGame
from .game import IntArray
from .registry import REGISTRY
from .world import Outcome, Seats, Shown, World

MODULE = "pettingzoo.classic.hanabi_v5"


@REGISTRY.register("hanabi")
class HanabiGame(ExternalGame):
    """PettingZoo's Hanabi.

    A return is the score: a point for each card that is played in order, none once all lives are lost.  The state is
    what all players see, one after another, so it shows every card: use ``policy_input=obs``.

    Args:
        time_limit: an episode is cut off after so many turns.
        kwargs: arguments of the environment: players, colors, ranks, hand_size and others.

    Raises:
        UserError: OpenSpiel or Shimmy is missing, or there is no such game.
    """

    name = "hanabi"

    def __init__(self, time_limit: int | None = 100, kwargs: dict[str, Any] | None = None) -> None:
        super().__init__(MODULE, time_limit, kwargs)

    def world(self) -> TurnWorld:
        try:
            env = importlib.import_module(MODULE).env(**self.kwargs)
        except ImportError:
            raise UserError("hanabi needs the packages open_spiel and shimmy, which are not installed: "
                            "pip install 'epymarl-cpa[hanabi]'.") from None
        except Exception as error:  # whatever it makes of arguments that it does not like
            raise not_built("hanabi", self.kwargs, error) from error
        return TurnWorld("hanabi", env)

    @classmethod
    def module_of_key(cls, key: str) -> str:
        """That of OpenSpiel; there is no key."""
        return "pyspiel"

    def modules(self) -> list[str]:
        """Those whose versions are the rules."""
        return [MODULE, "pyspiel", "shimmy"]


class TurnWorld(World):
    """One environment of PettingZoo in which the agents of a team act in turn.

    Args:
        key: what to call it in messages.
        env: an ``AECEnv``.
    """

    state_is_obs, limit = True, None

    def __init__(self, key: str, env: Any) -> None:
        self.key, self.env = key, env
        called(key, "reset(seed=...)", env.reset, seed=0)
        self.agents: list[str] = list(env.possible_agents)
        self.seats = Seats(key, self.agents, [env.observation_space(agent) for agent in self.agents],
                           [env.action_space(agent) for agent in self.agents])
        self.n_agents, self.n_actions, self.obs_dim = len(self.agents), self.seats.n_actions, self.seats.obs_dim
        self.state_dim = self.n_agents * self.obs_dim

    def reset(self, seed: int) -> Shown:
        called(self.key, "reset(seed=...)", self.env.reset, seed=seed)
        return self._shown()

    def step(self, actions: IntArray) -> Outcome:
        """Plays the action of the agent whose turn it is."""
        turn = self.agents.index(self.env.agent_selection)
        called(self.key, "step()", self.env.step, self.seats.action(turn, int(actions[turn])))
        paid = np.array([self.env.rewards[agent] for agent in self.agents], dtype=np.float64)
        ended, cut = (all(flags[agent] for agent in self.agents)
                      for flags in (self.env.terminations, self.env.truncations))
        return Outcome(self._shown(), paid, ended, cut and not ended, float(paid.mean()))

    def _shown(self) -> Shown:
        obs = np.zeros((self.n_agents, self.obs_dim), dtype=np.float32)
        available = np.zeros((self.n_agents, self.n_actions), dtype=np.bool_)
        available[:, 0] = True
        for i, agent in enumerate(self.agents):
            seen = self.env.observe(agent)
            obs[i] = self.seats.vector(i, seen)
            if agent == self.env.agent_selection:
                available[i] = self.seats.mask(i, seen, {})
        return Shown(obs.ravel(), obs, available)

    def close(self) -> None:
        self.env.close()
