"""One environment object of another package, whatever its interface, as an :class:`ExternalGame` plays it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from gymnasium.spaces.utils import flatdim, flatten
from numpy.typing import NDArray

from ..errors import UserError, clipped
from .calls import described
from .game import MOST_ACTIONS, BoolArray, FloatArray, IntArray
from .suitability import check_size

MOST_SEEN = 2**22  # values of an observation


class Shown(NamedTuple):
    """What there is to see at one time.

    Attributes:
        state: global state, ``[S]``.
        obs: the agents' observations, flattened and padded with zeros, ``[N, O]``.
        available: actions that may be chosen, ``[N, A]``.
    """

    state: NDArray[np.float32]
    obs: NDArray[np.float32]
    available: BoolArray


class Outcome(NamedTuple):
    """What a step leads to: what is shown then, the agents' rewards ``[N]``, whether and how the episode is over.

    Where the environment pays the team only, ``team`` is what it pays, and the rewards are not known.  ``facts`` are
    the numbers that it says of the step (see :func:`numbers_of`).
    """

    shown: Shown
    rewards: FloatArray
    terminated: bool
    truncated: bool
    team: float | None = None
    facts: Mapping[str, float] = MappingProxyType({})


#: names in an ``info`` that mean something else here: what is counted of every game, and measures of diversity
TAKEN = re.compile(r"return|ep_length|exact_return|n_episodes|episode_limit|TimeLimit\.truncated|total_return"
                   r"|TimeLimit_truncated|agent_\d+_return|regret|joint_entropy|marginal_entropy|modes|unlisted|tv|teacher_modes"
                   r"|modes_covered|optimal_share|mismatch_rate")


def numbers_of(info: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The numbers in an environment's ``info``, by names that Sacred's databases take; all else is left out."""
    found: dict[str, float] = {}
    for key, value in info.items():
        if isinstance(value, np.ndarray) and value.size == 1:
            value = value.item()
        if isinstance(value, bool | int | float | np.bool_ | np.number) and not np.iscomplexobj(value):
            name = re.sub(r"[^\w-]+", "_", f"{prefix}{key}")
            if not TAKEN.fullmatch(name):
                try:
                    found[name] = float(value)
                except OverflowError:
                    continue  # such as a number made of a hash: no figure
    return found


def check_finite(key: str, shows: str, values: NDArray[np.float32]) -> None:
    """Refuses what networks would make nonsense of, and comparisons of their results would not notice.

    Raises:
        UserError: a value is not finite; ``shows`` says whose it is.
    """
    if not np.isfinite(values).all():
        raise UserError(f"{key} {shows} a value that is not finite (NaN, infinite, or beyond float32); put it right in "
                        "the environment, or in a function of your own around it, env_args.key=<module>:<function>.")


class World(ABC):
    """One environment that is played one episode after another.

    Attributes:
        env: the environment.
        n_agents, n_actions, obs_dim, state_dim: N, A, O, S.
        state_is_obs: whether the state is the observations one after another.
        limit: number of steps after which the environment ends an episode by itself; None if it does not say.
        seats: the agents' spaces.
    """

    env: Any
    seats: Seats
    n_agents: int
    n_actions: int
    obs_dim: int
    state_dim: int
    state_is_obs: bool
    limit: int | None

    @abstractmethod
    def reset(self, seed: int) -> Shown:
        """Begins an episode."""

    @abstractmethod
    def step(self, actions: IntArray) -> Outcome:
        """Plays a joint action ``[N]``."""

    @abstractmethod
    def close(self) -> None:
        """Gives back windows and files."""


class Seats:
    """The agents' spaces of observations and actions, brought to one size for all.

    Args:
        key: of the environment, for messages.
        agents: their names.
        observations, actions: their spaces.

    Attributes:
        agents: as given.
        own_obs_dims: the length of what each agent observes.
        obs_dim, n_actions: O and A, the largest of all agents.
        possible: the actions that each agent has, ``[N, A]``.

    Raises:
        UserError: actions are not discrete or too many, or observations are of no fixed size or large pictures.
    """

    def __init__(self, key: str, agents: Sequence[str], observations: Sequence[Any], actions: Sequence[Any]) -> None:
        self.key, self.agents = key, list(agents)
        for agent, space in zip(agents, actions, strict=True):
            if not isinstance(space, spaces.Discrete):
                raise UserError(f"the actions of '{agent}' in {key} are {space}; methods here choose among discrete "
                                "actions, so each agent needs a Discrete space (some games have a switch for it, which "
                                "can be set with env_args.kwargs.<name>=<value>).")
            if not 0 < space.n <= MOST_ACTIONS:
                raise UserError(f"'{agent}' has {space.n} actions in {key}; 1 to {MOST_ACTIONS} are possible.")
        self._actions: list[Any] = list(actions)
        self._masked = [isinstance(space, spaces.Dict) and "action_mask" in space.spaces for space in observations]
        self._seen = [_unmasked(space) if masked else space
                      for space, masked in zip(observations, self._masked, strict=True)]
        for agent, space in zip(agents, self._seen, strict=True):
            if not isinstance(space, spaces.Space):
                raise UserError(f"{key} says that '{agent}' observes {clipped(repr(space))}, which is no space "
                                "of Gymnasium.")
            check_size(key, agent, space)
            if not space.is_np_flattenable:
                raise UserError(f"the observations of '{agent}' in {key} are {space}, which has no fixed size, but "
                                "networks here need vectors.")
        self.own_obs_dims = [int(flatdim(space)) for space in self._seen]
        self.obs_dim = max(self.own_obs_dims)
        if not 0 < self.obs_dim <= MOST_SEEN:
            raise UserError(f"the observations in {key} have {self.obs_dim} values; 1 to {MOST_SEEN} are possible.")
        self.n_actions = max(int(space.n) for space in self._actions)
        self.possible = np.arange(self.n_actions) < np.array([[int(space.n)] for space in self._actions])

    def vector(self, agent: int, seen: Any) -> NDArray[np.float32]:
        """An observation, flattened and padded, ``[O]``.

        Raises:
            UserError: it does not fit the agent's space, or is not finite.
        """
        space = self._seen[agent]
        try:
            if self._masked[agent]:
                seen = {name: value for name, value in seen.items() if name != "action_mask"}
                if not isinstance(space, spaces.Dict):
                    seen = seen["observation"]
            flat = np.asarray(flatten(space, seen), dtype=np.float32).ravel()
        except Exception as error:  # whatever Gymnasium makes of what is of another kind
            raise UserError(f"an observation of '{self.agents[agent]}' in {self.key}, {clipped(repr(seen))}, does "
                            f"not fit its space {space} ({described(error)}).") from None
        if flat.size != flatdim(space):
            raise UserError(f"an observation of '{self.agents[agent]}' in {self.key} has {flat.size} values, but its "
                            f"space has {flatdim(space)}.")
        check_finite(self.key, f"shows '{self.agents[agent]}'", flat)
        return np.pad(flat, (0, self.obs_dim - flat.size))

    def mask(self, agent: int, seen: Any, info: Mapping[str, Any]) -> BoolArray:
        """The actions that an agent may choose, ``[A]``: as its observation or its info says, else all of its own.

        Where nothing may be chosen, as when it is another agent's turn, action 0 stands for nothing.

        Raises:
            UserError: the mask is not of the size of the agent's actions.
        """
        count = int(self._actions[agent].n)
        given = seen.get("action_mask") if self._masked[agent] else info.get("action_mask")
        try:
            allowed = np.ones(count, dtype=np.bool_) if given is None else np.asarray(given, dtype=np.bool_).ravel()
        except (TypeError, ValueError):
            raise UserError(f"the action mask of '{self.agents[agent]}' in {self.key} is {clipped(repr(given))}, "
                            "not a 0 or 1 for each action.") from None
        if len(allowed) != count:
            raise UserError(f"the action mask of '{self.agents[agent]}' in {self.key} has {len(allowed)} entries, but "
                            f"there are {count} actions.")
        mask = np.zeros(self.n_actions, dtype=np.bool_)
        mask[:count] = allowed
        mask[0] |= not allowed.any()
        return mask

    def action(self, agent: int, number: int) -> int:
        """What the environment calls an agent's action.

        Raises:
            UserError: the agent has fewer actions.
        """
        space = self._actions[agent]
        if not 0 <= number < space.n:
            raise UserError(f"action {number} of '{self.agents[agent]}' is not an action of {self.key}; it has "
                            f"{space.n}, and masks say so.")
        return int(space.start) + number


def _unmasked(space: Any) -> Any:
    """The space without its mask: that of ``observation``, or of whatever else there is."""
    if "observation" in space.spaces:
        return space.spaces["observation"]
    return spaces.Dict({name: inner for name, inner in space.spaces.items() if name != "action_mask"})


def own_limit(env: Any, kwargs: Mapping[str, Any]) -> int | None:
    """The number of steps after which an environment says that it ends, by the usual names; None if it does not."""
    names = ("max_cycles", "max_steps", "max_episode_steps")
    said = [kwargs.get(name) for name in names]
    for layer in (env, env.unwrapped):
        said += [getattr(layer, name, None) for name in (*names, "_max_episode_steps", "episode_limit")]
    return next((int(limit) for limit in said if isinstance(limit, int | np.integer) and limit > 0), None)
