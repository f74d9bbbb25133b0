"""One environment of PettingZoo in which all agents act at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError, clipped
from .calls import called, number, parts
from .game import IntArray
from .suitability import check_team, is_large_picture
from .team_ends import flags_of
from .world import Outcome, Seats, Shown, World, check_finite, numbers_of, own_limit


class ParallelWorld(World):
    """One ``ParallelEnv``.

    Args:
        key: what to call it in messages.
        env: the environment.
        kwargs: the arguments that it was built with.
        own_state: whether the state is the environment's own, where it has one.

    Raises:
        UserError: it cannot be played; the sentence says why.
    """

    def __init__(self, key: str, env: Any, kwargs: Mapping[str, Any], own_state: bool = True) -> None:
        self.key, self.env = key, env
        self.agents = _team_of(key, env)
        check_team(key, env, self.agents)
        seen, acted = ([called(key, f"{space.__name__}()", space, agent) for agent in self.agents]
                       for space in (env.observation_space, env.action_space))
        self.seats = Seats(key, self.agents, seen, acted)
        self.n_agents, self.n_actions, self.obs_dim = len(self.agents), self.seats.n_actions, self.seats.obs_dim
        self.limit = own_limit(env, kwargs)
        self.state_is_obs, self.state_dim = False, 0  # until it has been looked at
        self._alive: list[str] = []
        self._state = np.zeros(0, dtype=np.float32)
        self._begin(0)
        own = self._own_state() if own_state else None
        self.state_is_obs = own is None
        self.state_dim = self.n_agents * self.obs_dim if own is None else len(own)

    def reset(self, seed: int) -> Shown:
        return self._shown(*self._begin(seed), self._alive)

    def _begin(self, seed: int) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        returned = called(self.key, "reset(seed=...)", self.env.reset, seed=seed)
        observations, infos = parts(self.key, "reset()", returned, ("observations", "infos"))
        self._check_dict("observations", observations)
        self._listed = list(self.agents)
        self._check_agents()
        absent = [agent for agent in self.agents if agent not in self._listed]
        if absent:
            raise UserError(f"an episode of {self.key} starts without '{absent[0]}', one of its possible_agents; teams "
                            "that differ from episode to episode cannot be trained here.")
        self._alive = list(self.agents)
        return observations, infos

    def _check_agents(self) -> None:
        now = getattr(self.env, "agents", None)
        if isinstance(now, str) or not isinstance(now, Collection):
            raise UserError(f"{self.key} must keep a list 'agents' of those that play, as PettingZoo's parallel "
                            f"environments do, but has {clipped(repr(now))}.")
        for agent in now:
            if agent not in self._listed:
                why = "joins in the middle of an episode" if agent in self.agents else "is not one of possible_agents"
                raise UserError(f"agent '{agent}' of {self.key} {why}; teams whose agents vary cannot be trained here.")
        self._listed = list(now)

    def _check_dict(self, what: str, given: Any) -> None:
        if not isinstance(given, Mapping):
            raise UserError(f"the {what} of {self.key} must be a dict with an entry for each agent, not a "
                            f"{type(given).__name__}.")

    def step(self, actions: IntArray) -> Outcome:
        before = self._alive
        # Some environments list agents that have ended, and want to hear of them; what they get does not count.
        chosen = {agent: self.seats.action(self.agents.index(agent), int(actions[self.agents.index(agent)]))
                  for agent in self._listed}
        returned = called(self.key, "step()", self.env.step, chosen)
        observations, paid, ended, cut, infos = parts(
            self.key, "step()", returned, ("observations", "rewards", "terminations", "truncations", "infos"))
        for what, given in (("observations", observations), ("rewards", paid), ("terminations", ended),
                            ("truncations", cut)):
            self._check_dict(what, given)
        if unpaid := [agent for agent in before if agent not in paid]:
            raise UserError(f"step() of {self.key} gives no reward for '{unpaid[0]}', which acted in it.")
        self._check_agents()
        over = {agent: (self._flag(agent, ended), self._flag(agent, cut)) for agent in before}
        self._alive = [agent for agent in before if agent in self._listed and not any(over[agent])]
        # At the end PettingZoo empties its list of agents, but what they saw and got last still counts.
        shown = self._shown(observations, infos, self._alive or before)
        rewards = np.array([number(self.key, f"'{agent}'", paid[agent]) if agent in before else 0.0
                            for agent in self.agents])
        truncated = not self._alive and any(was_cut and not has_ended for has_ended, was_cut in over.values())
        facts = {name: value for agent in before for name, value in
                 numbers_of(self._info(agent, infos), f"{agent}_").items()}
        return Outcome(shown, rewards, not self._alive and not truncated, truncated, None, facts)

    def _flag(self, agent: str, flags: Mapping[str, Any]) -> bool:
        """Whether an agent's flag is set; one that is not there is not."""
        given = flags.get(agent)
        try:
            return given is not None and bool(flags_of(given).reshape(()))
        except (TypeError, ValueError):
            raise UserError(f"{self.key} says {clipped(repr(given))} of the end of '{agent}'; it must be True or "
                            "False.") from None

    def _info(self, agent: str, infos: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is said of an agent; one of which nothing is said has no entry, or None."""
        info = infos.get(agent)
        if not isinstance(info, Mapping | None):
            raise UserError(f"the infos of {self.key} hold {clipped(repr(info))} for '{agent}'; it must be a dict.")
        return info or {}

    def _shown(self, observations: Mapping[str, Any], infos: Mapping[str, Any], agents: list[str]) -> Shown:
        obs = np.zeros((self.n_agents, self.obs_dim), dtype=np.float32)
        available = np.zeros((self.n_agents, self.n_actions), dtype=np.bool_)
        available[:, 0] = True
        for i, agent in enumerate(self.agents):
            if agent in agents and agent in observations:
                seen = observations[agent]
                obs[i], available[i] = self.seats.vector(i, seen), self.seats.mask(i, seen, self._info(agent, infos))
            elif agent in self._alive:
                raise UserError(f"{self.key} shows nothing to '{agent}', which plays on; its observations must have an "
                                "entry for each agent that plays.")
        if self.state_is_obs:
            return Shown(obs.ravel(), obs, available)
        own = self._own_state()
        if own is not None and len(own) == self.state_dim:
            self._state = own
        elif self._alive:
            raise UserError(f"the state of {self.key} has {0 if own is None else len(own)} values now and had "
                            f"{self.state_dim} at first; networks here need a fixed size.")
        return Shown(self._state, obs, available)  # after the end some have none: the last one stands

    def _own_state(self) -> NDArray[np.float32] | None:
        """The environment's own state as a vector; None if it has none, one that is no array, or a large picture.

        Raises:
            UserError: it is not finite.
        """
        try:
            seen = np.asarray(self.env.state())
            own = None if is_large_picture(seen) or not seen.size else np.array(seen, dtype=np.float32).ravel()
        except (NotImplementedError, AttributeError, TypeError, ValueError):
            return None
        if own is not None:
            check_finite(self.key, "has in its state", own)
        return own

    def close(self) -> None:
        self.env.close()


def _team_of(key: str, env: Any) -> list[str]:
    """The names of all agents of an environment.

    Raises:
        UserError: it does not list them, or two are called the same.
    """
    try:
        agents = list(called(key, "possible_agents", getattr, env, "possible_agents", ()))
        differ = len({*agents}) == len({*map(str, agents)}) == len(agents)
    except TypeError:  # no list, or one of what names nothing
        agents, differ = [], True
    if not agents:
        raise UserError(f"{key} does not list its possible_agents; a team must be known before it plays.")
    if not differ:
        raise UserError(f"two of the possible_agents of {key} have the same name: {', '.join(map(str, agents))}; each "
                        "needs one of its own.")
    return agents
