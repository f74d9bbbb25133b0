"""The contract of a game: pure batched rules, written once and adapted everywhere.

A state is an integer array ``[B, K]``; its column 0 is the time step, which the rules need for the
horizon but which no agent sees.  Everything else (PettingZoo, EPyMARL, Gymnasium, data generation,
batched evaluation) is a thin adapter over these few functions.
"""

from __future__ import annotations

import inspect
import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from functools import cache, cached_property
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .picture import Last, Picture, text_picture
from .rules import Rules, rules_of_class
from .unfolding import Unfolding

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


OBSERVATIONS = ("state", "local")
RANDOM_EPISODES = 10_000  # to estimate what random play is worth
MOST_ACTIONS = 2**16  # of an agent; numbers above are something else than actions


def checked_observation(observation: str) -> str:
    """Returns what agents shall see as it is.

    Raises:
        UserError: it is neither ``state`` nor ``local``.
    """
    if observation not in OBSERVATIONS:
        raise UserError(f"env_args.observation must be {' or '.join(OBSERVATIONS)}, not '{observation}'.")
    return observation


#: what random play is worth, by rules and arguments
_RANDOM: dict[tuple[str, str], float] = {}


class Step(NamedTuple):
    """What one joint action leads to, for a batch of B games.

    Attributes:
        state: next states, ``[B, K]``.
        reward: team reward, ``[B]``.
        done: true where the episode is over; the horizon of a game of ours is a true end too, ``[B]``.
        info: numeric facts about the step, each ``[B]``.
        rewards: each agent's own reward ``[B, N]``; None where only the team is paid.
        truncated: true where the episode was cut off rather than ended, so that what follows has a value,
            a part of ``done`` ``[B]``; None: nowhere.
    """

    state: IntArray
    reward: FloatArray
    done: BoolArray
    info: Mapping[str, FloatArray]
    rewards: FloatArray | None = None
    truncated: BoolArray | None = None

    @property
    def terminated(self) -> BoolArray:
        """True where the episode truly ended: nothing follows that could have a value, ``[B]``."""
        return self.done if self.truncated is None else self.done & ~self.truncated


class Game(ABC):
    """Rules of one fully cooperative game, by default a fully observed one (an MMDP).

    Attributes:
        name: registry name.
        n_agents, n_actions: N and A.
        state_dim: S, length of the global state vector.
        state_low, state_high: its entries lie between these.
        episode_limit: T, the horizon.
        action_names: a word for each action, used for rendering and tables.
        info_keys: keys of ``Step.info``; the last value of an episode is logged as ``<key>_mean``.
        foreign_keys: names of the numbers that the environment of another package has given at the end of episodes so
            far, by which they come in ``Step.info``; each is logged as ``<key>_mean``, too.
        headline: what results are quoted in, ``return`` or one of the info keys.
        pure: whether the rules are a function of the state, so that a state can be played from again and again;
            the environments of other packages only go forward (see :mod:`epymarl_cpa.envs.external`).
        reward_scalarisation: ``sum`` or ``mean``, how the agents' own rewards make the team's, where they have some.
        agents: names of the agents in the environment of another package; empty: they are agent_0, agent_1, ...
        given: the arguments that it was built with, by :func:`.registry.make_game`.
    """

    name: ClassVar[str]
    action_names: tuple[str, ...]
    info_keys: ClassVar[tuple[str, ...]] = ()
    foreign_keys: Collection[str] = frozenset()
    headline: ClassVar[str] = "return"
    n_agents: int
    n_actions: int
    state_dim: int
    state_low: ClassVar[float] = 0.0
    state_high: ClassVar[float] = 1.0
    episode_limit: int
    pure: ClassVar[bool] = True
    reward_scalarisation: str = "sum"
    agents: tuple[str, ...] = ()
    given: Mapping[str, Any] = MappingProxyType({})

    @abstractmethod
    def initial(self, batch: int, rng: np.random.Generator) -> IntArray:
        """Draws ``batch`` start states, ``[B, K]``."""

    @abstractmethod
    def transition(self, state: IntArray, actions: IntArray, rng: np.random.Generator) -> Step:
        """Plays the joint actions ``[B, N]`` in ``state`` ``[B, K]``; neither is modified."""

    @abstractmethod
    def global_state(self, state: IntArray) -> NDArray[np.float32]:
        """The state vector that every agent sees, ``[B, S]``; time is not part of it."""

    def decode(self, seen: NDArray[np.float32]) -> IntArray | None:
        """States ``[B, K]`` at time 0 that look like the state vectors ``[B, S]``; None where the game cannot tell.

        Vectors that the game never shows give any states; compare :meth:`global_state` with them.
        """
        return None

    def optimum(self) -> float | None:
        """The exact expected undiscounted return of the best joint policy; None where nobody knows it."""
        return None

    def headline_optimum(self) -> float | None:
        """The optimum in the unit of ``headline``; None where nobody knows it."""
        return self.optimum()

    def headline_bound(self) -> float | None:
        """More than this no team can expect, in the unit of ``headline``: the optimum, where it is known."""
        return self.headline_optimum()

    def random_headline(self) -> float:
        """What the team is expected to reach, in the unit of ``headline``, that draws from the available actions.

        By default estimated from :data:`RANDOM_EPISODES` episodes with a generator of their own, once in a process for
        games with the same rules and arguments.
        """
        key = (self.rules(), json.dumps(self.spec(), sort_keys=True, default=str))
        if key not in _RANDOM:
            _RANDOM[key] = self._random_headline
        return _RANDOM[key]

    @cached_property
    def _random_headline(self) -> float:  # games that know it exactly override this, or the method
        return estimated_headline(self, RANDOM_EPISODES, 1000)

    def optimal_actions(self, state: IntArray) -> list[IntArray] | None:
        """For each of the B states, all its optimal joint actions ``[M_b, N]`` (Definition 1's set).

        None where they are too many to tabulate, or unknown.
        """
        return None

    def unfolding(self, seeing: bool) -> Unfolding | None:
        """All that can happen, for exact values; None where that is too much, as it is in most games.

        Args:
            seeing: whether the team sees the state and remembers nothing; else each agent remembers what it has seen.
        """
        return None

    @abstractmethod
    def draw(self, state: IntArray) -> str:
        """A few lines of text that show one state ``[K]``."""

    @classmethod
    def file_of(cls, env_args: Mapping[str, Any]) -> str:
        """The file that the game is read from; empty if there is none."""
        return ""

    def show(self, state: IntArray) -> str:
        """Shows one state ``[K]`` to people, now; returns text to print, if any."""
        return self.draw(state)

    def picture(self, state: IntArray, last: Last | None = None) -> Picture:
        """The state ``[K]`` as shapes and, where given, what led there; by default the text of :meth:`draw`."""
        return text_picture(self.draw(state))

    def view(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        """What each agent sees of the state vectors ``[B, S]``, ``[B, N, O]``: in an MMDP, all of them."""
        return np.broadcast_to(seen[:, None], (len(seen), self.n_agents, self.state_dim))

    def observe(self, state: IntArray) -> NDArray[np.float32]:
        """Observations ``[B, N, O]``."""
        return self.view(self.global_state(state))

    @property
    def obs_dim(self) -> int:
        """O, length of an observation."""
        return int(self.view(np.zeros((1, self.state_dim), dtype=np.float32)).shape[2])

    def own_obs_dim(self, agent: int) -> int:
        """Length of what one agent observes, before it is padded to :attr:`obs_dim`."""
        return self.obs_dim

    def available(self, state: IntArray) -> BoolArray:
        """Mask of the actions that may be chosen, ``[B, N, A]``."""
        return np.ones((len(state), self.n_agents, self.n_actions), dtype=np.bool_)

    def possible(self) -> BoolArray:
        """The actions that each agent has at all, whatever the state, ``[N, A]``."""
        return np.ones((self.n_agents, self.n_actions), dtype=np.bool_)

    def pays_team(self) -> bool:
        """Whether only the team is paid, and no agent by itself."""
        return self.pure

    @classmethod
    def label(cls, env_args: Mapping[str, Any]) -> str:
        """What results of the game with these arguments are filed under; a word that can name a folder."""
        return cls.name

    def random_actions(self, state: IntArray, rng: np.random.Generator) -> IntArray:
        """Joint actions drawn uniformly from the available ones, ``[B, N]``."""
        mask = self.available(state)
        return np.asarray((rng.random(mask.shape) * mask).argmax(2))

    def release(self, state: IntArray) -> None:  # noqa: B027 (nothing to do is what most games do)
        """Tells that the episodes in ``state`` ``[B, K]`` will not be played on; most rules hold nothing for them."""

    def close(self) -> None:  # noqa: B027
        """Gives back what the game holds, such as windows; it can be played again."""

    def spec(self) -> dict[str, Any]:
        """What identifies this game and its variant in data sets and checkpoints, plain JSON values.

        The sizes and the arguments of the constructor: as the game keeps them under their own names, where they are
        plain numbers and words, else as they were given.  What agents see of the state (``observation``) is not part of
        it: data are the same.
        """
        spec = {"game": self.name, "n_agents": self.n_agents, "n_actions": self.n_actions,
                "state_dim": self.state_dim, "episode_limit": self.episode_limit}
        for key, parameter in inspect.signature(type(self)).parameters.items():
            if key == "observation" or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            value = vars(self).get(key)
            if isinstance(value, bool | int | float | str):
                spec[key] = value
            elif key not in spec:
                given = self.given.get(key, None if parameter.default is parameter.empty else parameter.default)
                spec |= {} if given is None else {key: json.loads(json.dumps(given, default=str))}
        return spec

    def origin(self) -> Rules:
        """What is known of the rules: a digest, and what it was taken of."""
        return _rules_of(type(self))

    def rules(self) -> str:
        """Twelve hex digits that change when the rules do: when their source, or the package that has them, changes.

        What the digest was taken of is in :meth:`origin`.
        """
        return self.origin().digest


def estimated_headline(game: Game, episodes: int, at_once: int) -> float:
    """The mean headline of random episodes: the return, or the last value of an info key.

    Args:
        game: what to play.
        episodes: how many, a multiple of ``at_once``.
        at_once: how many in a batch.
    """
    rng, total = np.random.default_rng(0), 0.0
    for _ in range(episodes // at_once):
        state = game.initial(at_once, rng)
        while len(state):
            step = game.transition(state, game.random_actions(state, rng), rng)
            counts = np.ones_like(step.done) if game.headline == "return" else step.done
            total += float((step.reward if game.headline == "return" else step.info[game.headline])[counts].sum())
            state = step.state[~step.done]
    return total / episodes


@cache
def _rules_of(cls: type[Game]) -> Rules:
    """Read once: what runs is what was imported, even if the file is edited meanwhile."""
    return rules_of_class(cls, Game)
