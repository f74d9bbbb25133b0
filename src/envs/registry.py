"""The games by name.  Importing the package :mod:`epymarl_cpa.envs` fills it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from ..errors import UserError, clipped, shown
from ..utils.registry import Registry, nearest
from .game import Game

REGISTRY: Registry[type[Game]] = Registry("game")
MOST = 10**6  # of a whole number among the arguments of a game of ours, far beyond what can be played


def make_game(name: str, **env_args: Any) -> Game:
    """Builds a game of the registry.

    Args:
        name: its registry name.
        env_args: keyword arguments of its class.

    Raises:
        UserError: no such game or argument, an argument that is needed is missing, or the game refuses a value.
    """
    cls = REGISTRY[name]
    parameters = inspect.signature(cls).parameters
    known = list(parameters)
    for key, parameter in parameters.items():
        if parameter.default is parameter.empty and key not in env_args:
            raise UserError(f"env_args.{key} of {name} must be given.")
    for key in env_args:
        if key not in known:
            raise UserError(f"unknown env_args.{key} of {name}{nearest(key, known)}; "
                            f"it takes: {', '.join(known) or 'none'}.")
    limit = env_args.get("episode_limit", 1)
    if not isinstance(limit, int) or limit < 1:
        raise UserError(f"env_args.episode_limit of {name} must be a whole number of at least 1, not {limit!r}.")
    if cls.pure and cls.__module__.startswith(f"{__package__}."):  # what somebody else's arguments mean, only they know
        for key, value in env_args.items():
            if isinstance(value, int) and abs(value) > MOST and key != "episode_limit":  # of that, memory decides
                raise UserError(f"env_args.{key} of {name} must be at most {MOST} in size, not {shown(value)}.")
    try:
        game = cls(**env_args)
    except MemoryError:
        raise UserError(f"the memory of this machine does not hold {name} with these env_args, "
                        f"{clipped(own_args(env_args))}; choose smaller ones.") from None
    game.given = env_args
    return game


def make_own_game(name: str, **env_args: Any) -> Game:
    """As :func:`make_game`, but only games with rules of their own, so that no argument names what is imported."""
    if not REGISTRY[name].pure:
        raise UserError(f"the game must be one of {', '.join(ours())}, not {name}, which stands for environments of "
                        "other packages.")
    return make_game(name, **env_args)


#: among the arguments of an environment in a configuration, but the framework's
FRAMEWORK = ("map_name", "seed")


def own_args(env_args: Mapping[str, Any]) -> dict[str, Any]:
    """The game's own among the arguments of an environment in a configuration."""
    return {key: value for key, value in env_args.items() if key not in FRAMEWORK}


def ours() -> list[str]:
    """Names of the games with rules of their own; the others stand for environments of other packages."""
    return [name for name, cls in REGISTRY.items() if cls.pure]
