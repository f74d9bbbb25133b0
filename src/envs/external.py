"""Environments of other packages as games.

They exist as objects that only go forward, so a state is ``[time, number of an episode]``: what the object
that plays the episode showed at that time can be read as long as no other episode has taken the object
over, but only from the present can it be played on.  Different users of one game do not disturb one another.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections import deque
from collections.abc import Iterable, Mapping
from copy import copy
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .calls import called, closed
from .game import BoolArray, FloatArray, Game, IntArray, Step, estimated_headline
from .playing import Crowd, WorldEpisode, play_on
from .rules import Rules, layers, rules_of_environment
from .world import World

RANDOM_EPISODES, AT_ONCE = 200, 20  # to estimate what random play is worth


def module_of(entry_point: Any) -> str | None:
    """The module that a registry's entry point, ``module:name`` or a function, names; None where it does not say."""
    if isinstance(entry_point, str):
        return entry_point.partition(":")[0]
    return getattr(entry_point, "__module__", None)


class ExternalGame(Game):
    """A game whose rules are an environment of another package.

    Episodes that are over stay as they are when they are played on, and pay nothing.  Nobody knows the
    optimum.

    Args:
        key: which environment.
        time_limit: an episode is cut off after so many steps; None: after the environment's own.
        kwargs: further arguments of the environment.

    Raises:
        UserError: there is no such environment, or it cannot be played; the sentence says why.
    """

    pure = False
    state_low: ClassVar[float] = -np.inf
    state_high: ClassVar[float] = np.inf

    def __init__(self, key: str, time_limit: int | None, kwargs: Mapping[str, Any] | None) -> None:
        if time_limit is not None and time_limit < 1:
            raise UserError(f"env_args.time_limit of {key} must be at least 1, not {time_limit}.")
        self.key, self.time_limit, self.kwargs = key, time_limit, dict(kwargs or {})
        self._free: deque[tuple[World, int]] = deque()  # with the number of the last episode, -1 for none
        self._episodes: dict[int, WorldEpisode] = {}
        self._count = 0
        self.foreign_keys: set[str] = set()
        world = self.world()
        self._free.append((world, -1))
        self._env = world.env
        limits = [limit for limit in (time_limit, world.limit) if limit is not None]
        if not limits:
            raise UserError(f"{key} does not say after how many steps its episodes end; set env_args.time_limit.")
        self.episode_limit = min(limits)
        self.n_agents, self.n_actions, self.state_dim = world.n_agents, world.n_actions, world.state_dim
        self._obs_dim, self._state_is_obs, self._possible = world.obs_dim, world.state_is_obs, world.seats.possible
        self._own_obs_dims, self.agents = world.seats.own_obs_dims, tuple(world.seats.agents)
        self.action_names = tuple(map(str, range(self.n_actions)))

    @abstractmethod
    def world(self) -> World:
        """Builds one more environment."""

    def crowd(self, count: int) -> Crowd | None:
        """Builds so many environments that move in step; None where each episode has one of its own."""
        return None

    @classmethod
    @abstractmethod
    def module_of_key(cls, key: str) -> str | None:
        """The module that a key leads to; None where nothing is imported for it."""

    @classmethod
    def is_plain(cls, key: str) -> bool:
        """Whether a key leaves it to its module what is called."""
        return True

    @abstractmethod
    def modules(self) -> Iterable[str]:
        """Names of the modules that the key leads to."""

    def origin(self) -> Rules:
        return self._origin

    @cached_property
    def _origin(self) -> Rules:
        """A game of ours that comes back through an adapter has its own rules; else those of the environment's code."""
        inner = [getattr(layer, "game", None) for layer in layers(self._env)]
        return next((game.origin() for game in inner if isinstance(game, Game)),
                    rules_of_environment(self._env, self.modules(), self.kwargs))

    @cached_property
    def _random_headline(self) -> float:
        """Estimated in environments of its own, so that those that are played here do not notice."""
        twin = copy(self)
        twin._free, twin._episodes, twin._count = deque(), {}, 0
        crowd = self.crowd(1)
        if crowd is not None:
            closed(self.key, crowd.close)
        try:
            return estimated_headline(twin, RANDOM_EPISODES, AT_ONCE if crowd is None else RANDOM_EPISODES)
        finally:
            twin.close()

    @property
    def obs_dim(self) -> int:
        return self._obs_dim

    @classmethod
    def label(cls, env_args: Mapping[str, Any]) -> str:
        return re.sub(r"[^\w.-]+", "-", str(env_args.get("key", cls.name))).strip("-.") or cls.name

    def initial(self, batch: int, rng: np.random.Generator) -> IntArray:
        numbers = np.arange(self._count, self._count + batch)
        self._count += batch
        seeds = rng.integers(2**31, size=batch).tolist()
        crowd = self.crowd(batch) if batch else None
        if crowd is not None:
            self._forget_crowds()
            shown = enumerate(crowd.reset(seeds[0]))
            self._episodes |= {int(numbers[i]): WorldEpisode(seen, crowd=crowd, place=i) for i, seen in shown}
        else:
            for number, seed in zip(numbers.tolist(), seeds, strict=True):
                world, before = self._free.popleft() if self._free else (self.world(), -1)
                self._episodes.pop(before, None)
                self._episodes[number] = WorldEpisode(world.reset(seed), world)
        return np.stack([np.zeros_like(numbers), numbers], 1)

    def _forget_crowds(self) -> None:
        """Closes the environments that move in step in which nothing is played any more."""
        over = {number: episode.crowd for number, episode in self._episodes.items()
                if episode.crowd is not None and not episode.crowd.playing}
        for number, crowd in over.items():
            closed(self.key, crowd.close)
            del self._episodes[number]

    def _episode(self, number: int) -> WorldEpisode:
        if number not in self._episodes:
            raise UserError(f"episode {number} of {self.key} is over and its environment plays another one.")
        return self._episodes[number]

    def transition(self, state: IntArray, actions: IntArray, rng: np.random.Generator) -> Step:
        """Plays on; everything random comes from the environments, which :meth:`initial` has seeded.

        Raises:
            UserError: a state is not the present one of its episode, or occurs twice.
        """
        if len(np.unique(state[:, 1])) < len(state):
            raise UserError(f"an episode of {self.key} occurs twice in a batch, but can be played on only once.")
        batch = len(state)
        rewards, done, truncated = np.zeros((batch, self.n_agents)), np.ones(batch, bool), np.zeros(batch, bool)
        info: dict[str, FloatArray] = {}
        paid = np.full(batch, np.nan)  # the team, where agents are not paid
        episodes = [self._episode(number) for number in state[:, 1].tolist()]
        going = {row for row, episode in enumerate(episodes) if not episode.over}
        for row in going:
            time, now = int(state[row, 0]), len(episodes[row].shown) - 1
            if time != now:
                raise UserError(f"{self.key} cannot go back: its episode {state[row, 1]} is at step {now}, not at step "
                                f"{time}.")
        play_on([episodes[row] for row in going], actions[[*going]], self.episode_limit)
        for row, episode in enumerate(episodes):
            if row in going:
                assert episode.last is not None
                rewards[row], done[row] = episode.last.rewards, episode.over
                if episode.last.team is not None:  # of which each gets a share, so that together they are it
                    paid[row] = episode.last.team
                    rewards[row] = paid[row] / (self.n_agents if self.reward_scalarisation == "sum" else 1)
                if episode.over:
                    for name, value in episode.last.facts.items():
                        info.setdefault(name, np.zeros(batch))[row] = value
                    self._set_free(episode, int(state[row, 1]))
            truncated[row] = episode.last is not None and done[row] and episode.last.truncated
        self.foreign_keys |= info.keys()
        team = rewards.sum(1) if self.reward_scalarisation == "sum" else rewards.mean(1)
        team = np.where(np.isnan(paid), team, paid)
        return Step(state + np.array([1, 0]), team, done, info, rewards, truncated)

    def release(self, state: IntArray) -> None:
        for number in state[:, 1].tolist() if state.size else []:
            episode = self._episodes.get(number)
            if episode is not None and not episode.over:
                episode.end()
                self._set_free(episode, number)

    def _set_free(self, episode: WorldEpisode, number: int) -> None:
        """Another episode may have the environment of one that is over."""
        if episode.world is not None:
            self._free.append((episode.world, number))

    def close(self) -> None:
        playing = [episode.world for episode in self._episodes.values() if episode.world and not episode.over]
        for world in (*playing, *(world for world, _ in self._free)):
            closed(self.key, world.close)
        for crowd in {id(each.crowd): each.crowd for each in self._episodes.values() if each.crowd}.values():
            closed(self.key, crowd.close)
        self._free.clear()
        self._episodes.clear()

    def _shown(self, state: IntArray, what: str, *shape: int) -> NDArray[Any]:
        """One field of what was shown in the states ``[B, K]``, ``[B, *shape]``; after the end, the last."""
        rows = []
        for time, number in state.tolist():
            shown = self._episode(number).shown
            rows.append(getattr(shown[min(time, len(shown) - 1)], what))
        return np.array(rows).reshape(len(state), *shape)

    def global_state(self, state: IntArray) -> NDArray[np.float32]:
        return self._shown(state, "state", self.state_dim).astype(np.float32, copy=False)

    def observe(self, state: IntArray) -> NDArray[np.float32]:
        return self._shown(state, "obs", self.n_agents, self.obs_dim).astype(np.float32, copy=False)

    def available(self, state: IntArray) -> BoolArray:
        return self._shown(state, "available", self.n_agents, self.n_actions).astype(np.bool_, copy=False)

    def pays_team(self) -> bool:
        """Found out by one step in an environment of its own."""
        world = self.world()
        try:
            return world.step(world.reset(0).available.argmax(1)).team is not None
        finally:
            closed(self.key, world.close)

    def possible(self) -> BoolArray:
        return self._possible

    def own_obs_dim(self, agent: int) -> int:
        return self._own_obs_dims[agent]

    def view(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        """As :meth:`Game.view`, where the state is the agents' observations one after another.

        Raises:
            UserError: the environment has a state of its own, from which nobody can tell what the agents see.
        """
        if not self._state_is_obs:
            raise UserError(f"what the agents of {self.key} see does not follow from its state: data of it must hold "
                            "the observations, 'obs', too.")
        return seen.reshape(len(seen), self.n_agents, self.obs_dim)

    def draw(self, state: IntArray) -> str:
        return f"{self.key}  step {state[0]:>{len(str(self.episode_limit))}} of {self.episode_limit}"

    def show(self, state: IntArray) -> str:
        """By the environment's own ``render()``, where it was made with a ``render_mode``.

        Raises:
            UserError: it cannot show itself.
        """
        env = self._episode(int(state[1])).view
        if getattr(env, "render_mode", None) is None:
            return f"{self.draw(state)} (env_args.kwargs.render_mode=human shows the environment itself)"
        shown = called(self.key, "render()", env.render)
        return shown if isinstance(shown, str) else self.draw(state)

    def spec(self) -> dict[str, Any]:
        return {**super().spec(), "key": self.key, "time_limit": self.time_limit, "kwargs": self.kwargs,
                "reward_scalarisation": self.reward_scalarisation}
