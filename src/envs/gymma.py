"""Gymnasium environments of many agents, as EPyMARL's ``gymma`` plays them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from ..errors import UserError, clipped, one_line
from ..utils.libraries import is_installed
from .calls import called, not_built, number, parts
from .epymarl_keys import PETTINGZOO, VMAS, module_of_pettingzoo, package_of
from .external import ExternalGame, module_of
from .game import FloatArray, IntArray
from .makers import is_name, is_standard
from .pettingzoo_game import maker_of, parallel_world
from .registry import REGISTRY
from .suitability import check_team
from .team_ends import TeamEnds
from .trust import missing
from .vmas_crowd import VmasCrowd, VmasWorld
from .world import Outcome, Seats, Shown, World, numbers_of, own_limit


@REGISTRY.register("gymma")
class GymmaGame(ExternalGame):
    """A Gymnasium environment with one space of observations, one of actions and one reward for each agent.

    Observations are flattened and padded to one size; the state is all of them, one after another.  EPyMARL's keys
    ``pz-<family>-<name>-<version>`` and ``vmas-<scenario>`` name environments of PettingZoo and VMAS.  Action masks
    are read from ``info["action_mask"]``, ``[N, A]``, or from a method ``action_masks()``.

    Args:
        key: an id, with the module that registers it in front (``lbforaging:Foraging-8x8-2p-3f-v3``), or EPyMARL's
            ``pz-mpe-simple-spread-v3`` or ``vmas-balance``.
        time_limit: an episode is cut off after so many steps; None: after the environment's own.
        pretrained_wrapper: EPyMARL's; must be None.
        kwargs: further arguments of ``gymnasium.make``, or of what makes the environment.

    Raises:
        UserError: there is no such environment, it cannot be built with these arguments, is one of a single agent,
            has actions that are not discrete, or does not say how long its episodes are.
    """

    name = "gymma"

    def __init__(self, key: str, time_limit: int | None = None, pretrained_wrapper: str | None = None,
                 kwargs: dict[str, Any] | None = None) -> None:
        if pretrained_wrapper is not None:
            raise UserError(f"env_args.pretrained_wrapper={pretrained_wrapper} is not known here; it must be null.")
        super().__init__(key, time_limit, kwargs)

    def world(self) -> World:
        if _is_epymarls(self.key, VMAS):
            return VmasWorld(self.key.removeprefix(VMAS), self.kwargs)
        if _is_epymarls(self.key, PETTINGZOO):
            named = module_of_pettingzoo(self.key)
            make = partial(maker_of(named), **self.kwargs)
            return parallel_world(self.key, named, make, self.kwargs, own_state=False)
        module, colon, _ = self.key.partition(":")
        if not is_name(self.key.replace(":", ".", 1)):
            raise UserError(f"env_args.key={clipped(self.key)} is no id of an environment, nor a module and an id.")
        if colon and is_standard(module):
            raise UserError(f"env_args.key={self.key} names no environment: {module} is a module of Python itself.")
        if colon and not is_installed(module.partition(".")[0]):
            raise missing(self.key, None, module)
        try:
            # Gymnasium's own checker would complain about the list of rewards at the first step.
            env: Any = gymnasium.make(self.key, disable_env_checker=True, **self.kwargs)
        except ImportError as error:
            raise missing(self.key, error, module if colon else "") from None
        except gymnasium.error.Error as error:
            raise UserError(f"env_args.key={self.key} names no environment that Gymnasium knows ({one_line(error)}); "
                            "the module that registers it stands before a colon, as in "
                            "lbforaging:Foraging-8x8-2p-3f-v3.") from None
        except Exception as error:  # whatever an environment makes of arguments that it does not like
            raise not_built(self.key, self.kwargs, error) from error
        return TupleWorld(self.key, env, self.kwargs)

    def crowd(self, count: int) -> VmasCrowd | None:
        is_vmas = _is_epymarls(self.key, VMAS)
        return VmasCrowd(self.key.removeprefix(VMAS), count, self.kwargs) if is_vmas else None

    @classmethod
    def module_of_key(cls, key: str) -> str | None:
        if _is_epymarls(key):
            return package_of(key)
        module, colon, _ = key.partition(":")
        if colon:
            return module
        return module_of(getattr(gymnasium.registry.get(key), "entry_point", None))

    def modules(self) -> list[str]:
        """The module in front of the id and the one that its entry in the registry names."""
        if _is_epymarls(self.key):
            found = package_of(self.key) if self.key.startswith(VMAS) else module_of_pettingzoo(self.key)
            return [*filter(None, [found])]
        module, colon, name = self.key.partition(":")
        entry = gymnasium.spec(name if colon else module)
        return [*([module] if colon else []), *filter(None, [module_of(entry.entry_point)])]

    def spec(self) -> dict[str, Any]:
        return {**super().spec(), "pretrained_wrapper": None}


class TupleWorld(World):
    """One environment with Tuple spaces.

    Args:
        key: what to call it in messages.
        env: the environment.
        kwargs: the arguments that it was built with.

    Raises:
        UserError: it cannot be played; the sentence says why.
    """

    state_is_obs = True

    def __init__(self, key: str, env: Any, kwargs: Mapping[str, Any]) -> None:
        self.key, self.env = key, env
        if not isinstance(env.observation_space, spaces.Tuple) or not isinstance(env.action_space, spaces.Tuple):
            raise UserError(f"{key} is no environment of many agents: its spaces must be Tuples with one space for "
                            f"each, but are {env.observation_space} and {env.action_space}.")
        self.n_agents = len(env.action_space)
        check_team(key, env, [f"agent_{i}" for i in range(self.n_agents)])
        if len(env.observation_space) != self.n_agents:
            raise UserError(f"{key} has {len(env.observation_space)} spaces of observations, but {self.n_agents} of "
                            "actions.")
        self.seats = Seats(key, [f"agent_{i}" for i in range(self.n_agents)], [*env.observation_space],
                           [*env.action_space])
        self.n_actions, self.obs_dim = self.seats.n_actions, self.seats.obs_dim
        self.state_dim = self.n_agents * self.obs_dim
        self.limit = own_limit(env, kwargs) or getattr(env.spec, "max_episode_steps", None)

    def reset(self, seed: int) -> Shown:
        self._ends = TeamEnds(self.n_agents)
        returned = called(self.key, "reset(seed=...)", self.env.reset, seed=seed)
        return self._shown(*parts(self.key, "reset()", returned, ("observations", "info")))

    def step(self, actions: IntArray) -> Outcome:
        chosen = tuple(self.seats.action(agent, int(action)) for agent, action in enumerate(actions))
        returned = called(self.key, "step()", self.env.step, chosen)
        observations, paid, terminated, truncated, info = parts(
            self.key, "step()", returned, ("observations", "rewards", "terminated", "truncated", "info"))
        rewards, team = self._paid(paid)
        return Outcome(self._shown(observations, info), rewards, *self._flags(terminated, truncated), team,
                       numbers_of(info))

    def _paid(self, paid: Any) -> tuple[FloatArray, float | None]:
        """The agents' rewards ``[N]``, or that of the team where there is but one number, as EPyMARL takes it."""
        each = [*paid] if isinstance(paid, Sequence) or np.ndim(paid) else [paid]
        if len(each) not in (1, self.n_agents):
            raise UserError(f"{self.key} pays {len(each)} rewards; there must be {self.n_agents}, one for each agent, "
                            "or one for the team.")
        one = len(each) == 1 and self.n_agents > 1
        numbers = [number(self.key, "the team" if one else f"agent {i}", reward) for i, reward in enumerate(each)]
        return np.resize(numbers, self.n_agents).astype(np.float64), numbers[0] if one else None

    def _flags(self, terminated: Any, truncated: Any) -> tuple[bool, bool]:
        """Whether the episode has ended, and whether it was cut off; some give one flag for each agent.

        Raises:
            UserError: they are as many as neither, or no truth values.
        """
        try:
            return self._ends.step(terminated, truncated)
        except (TypeError, ValueError):
            raise UserError(f"{self.key} says {terminated!r} and {truncated!r} of the end of an episode; it must be "
                            f"one flag, or a list of {self.n_agents}, one for each agent.") from None

    def _shown(self, observations: Sequence[Any], info: Mapping[str, Any]) -> Shown:
        if not isinstance(observations, Sequence | np.ndarray) or len(observations) != self.n_agents:
            raise UserError(f"{self.key} shows {type(observations).__name__} of "
                            f"{len(observations) if hasattr(observations, '__len__') else 1}; its observations must be "
                            f"a list of {self.n_agents}, one for each agent.")
        masks = info.get("action_mask")
        if masks is None and callable(getattr(self.env.unwrapped, "action_masks", None)):
            masks = called(self.key, "action_masks()", self.env.unwrapped.action_masks)
        if masks is not None and (not hasattr(masks, "__len__") or len(masks) != self.n_agents):
            raise UserError(f"{self.key} gives the action mask {masks!r:.60}; there must be {self.n_agents}, one for "
                            "each agent.")
        infos = [{}] * self.n_agents if masks is None else [{"action_mask": mask} for mask in masks]
        obs = np.stack([self.seats.vector(i, seen) for i, seen in enumerate(observations)])
        available = np.stack([self.seats.mask(i, seen, infos[i]) for i, seen in enumerate(observations)])
        return Shown(obs.ravel(), obs, available)

    def close(self) -> None:
        self.env.close()


def _is_epymarls(key: str, lead: str = "") -> bool:
    """Whether a key is one of EPyMARL's, of the kind that begins so, and nobody else has registered it."""
    return package_of(key) is not None and key.startswith(lead) and key not in gymnasium.registry
