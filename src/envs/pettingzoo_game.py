"""Any PettingZoo environment in which all agents act at once, as a game."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pettingzoo  # type: ignore[import-untyped]
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils.conversions import aec_to_parallel  # type: ignore[import-untyped]

from ..errors import UserError, clipped
from ..utils.registry import nearest
from .calls import described, not_built
from .external import ExternalGame, module_of
from .makers import builds, is_name, is_standard
from .parallel_world import ParallelWorld
from .registry import REGISTRY
from .trust import missing

KINDS = (ParallelEnv, AECEnv)


@REGISTRY.register("pettingzoo")
class PettingZooGame(ExternalGame):
    """A PettingZoo environment.

    Observations are flattened and padded to one size; action masks are read from ``observation["action_mask"]``
    or ``info["action_mask"]``; agents with fewer actions have the others masked.  An agent that terminates, is
    truncated or leaves while others play on sees zeros from then on, can only choose action 0, and gets nothing.  The
    state is the environment's own, where it has one, else the observations one after another.

    Args:
        key: a module with ``parallel_env`` or ``env`` (``mpe2.simple_spread_v3``), a function or class in a module
            (``my_games:bridge``), or an id of PettingZoo's registry (``butterfly/pistonball-v6``).
        time_limit: an episode is cut off after so many steps; None: after the environment's own.
        kwargs: arguments of the environment, such as ``{N: 2}``.

    Raises:
        UserError: there is no such environment, it cannot be built with these arguments, its agents act in turn,
            come and go, or have actions that are not discrete, or it does not say how long its episodes are.
    """

    name = "pettingzoo"

    def __init__(self, key: str, time_limit: int | None = None, kwargs: dict[str, Any] | None = None) -> None:
        maker = maker_of(key)
        self._maker_module = getattr(maker, "__module__", None)
        self._make = partial(maker, **(kwargs or {}))
        super().__init__(key, time_limit, kwargs)

    def world(self) -> ParallelWorld:
        return parallel_world(self.key, self.key.partition(":")[0], self._make, self.kwargs)

    @classmethod
    def module_of_key(cls, key: str) -> str | None:
        if "/" not in key:
            return key.partition(":")[0]
        return next((module_of(entry.entry_point) for entry in _entries(key)), None)

    @classmethod
    def is_plain(cls, key: str) -> bool:
        return ":" not in key

    def modules(self) -> list[str]:
        """The module of the key and that of what it names; for an id, the one that its entry in the registry names."""
        if "/" not in self.key:
            return [self.key.partition(":")[0], *filter(None, [self._maker_module])]
        return [*filter(None, [module_of(entry.entry_point) for entry in _entries(self.key)])]


def parallel_world(key: str, module: str, make: Callable[[], Any], kwargs: Mapping[str, Any],
                   own_state: bool = True) -> ParallelWorld:
    """Builds an environment.

    Args:
        key: what to call it in messages.
        module: that it comes from.
        make: builds it with ``kwargs``.
        kwargs, own_state: see :class:`ParallelWorld`.

    Raises:
        UserError: it cannot be built or played; the sentence says why.
    """
    try:
        env = make()
    except ImportError as error:
        raise missing(key, error, module) from None
    except Exception as error:  # whatever an environment makes of arguments that it does not like
        raise not_built(key, kwargs, error) from error
    return ParallelWorld(key, _parallel(key, env), kwargs, own_state)


def maker_of(key: str) -> Callable[..., Any]:
    """What builds the environment ``key``.

    Raises:
        UserError: there is no such environment, or its package is missing.
    """
    if "/" in key:
        return _registered(key)
    module, _, name = key.partition(":")
    if not is_name(module):
        raise UserError(f"env_args.key={clipped(key)} is no name of a module.")
    if is_standard(module) and module not in sys.modules:
        raise UserError(f"env_args.key={key} names no environment: {module} is a module of Python itself.")
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise missing(key, error, module) from None
    except (ValueError, TypeError):  # such as an empty or relative name
        raise UserError(f"env_args.key={key} is no name of a module.") from None
    except Exception as error:  # whatever a module does while it is imported
        raise UserError(f"env_args.key={key} cannot be imported ({described(error)}).") from error
    for wanted in [name] if name else ["parallel_env", "env"]:
        if callable(thing := getattr(found, wanted, None)):
            _check_maker(key, thing)
            return thing  # type: ignore[no-any-return]
    raise UserError(f"env_args.key={key} names no environment: {module} has no {name or 'parallel_env, nor env'}.")


def _check_maker(key: str, thing: Any) -> None:
    """Refuses what builds no environment, before it is called.

    Raises:
        UserError: as far as can be seen it builds none, or something that it imports is missing.
    """
    try:
        fits = builds(thing, KINDS)
    except ImportError as error:
        raise missing(key, error, key.partition(":")[0]) from None
    if not fits and isinstance(thing, type):
        raise UserError(f"env_args.key={key} builds a {thing.__name__}, not an environment of PettingZoo.")
    if not fits:
        raise UserError(f"env_args.key={key} names a function that builds no environment of PettingZoo as far as its "
                        "code tells, so it is not called; if it does, let it say so by its return type, "
                        "'-> ParallelEnv' or '-> AECEnv'.")


def _entries(key: str) -> list[Any]:
    """What PettingZoo's registry knows of an id, for both ways of playing."""
    found = [getattr(pettingzoo, f"{kind}_registry", {}).get(key) for kind in ("parallel", "aec")]
    return [entry for entry in found if entry is not None]


def _registered(key: str) -> Callable[..., Any]:
    known = {kind: getattr(pettingzoo, f"{kind}_registry", {}) for kind in ("parallel", "aec")}
    for kind, registry in known.items():
        if key in registry:
            return partial(pettingzoo.make, kind, key)
    everything = [*known["parallel"], *known["aec"]]
    raise UserError(f"PettingZoo's registry has no '{key}'{nearest(key, everything)}; give one of its ids, or a module "
                    "such as mpe2.simple_spread_v3.")


def _parallel(key: str, env: Any) -> Any:
    """The environment with all agents acting at once.

    Raises:
        UserError: they act in turn, or it is no environment of PettingZoo's.
    """
    if isinstance(env, AECEnv):
        try:
            return aec_to_parallel(env)
        except AssertionError:
            raise UserError(f"the agents of {key} act in turn, each knowing what the ones before it did; only "
                            "environments in which all act at once can be played here"
                            f"{' (Hanabi by --env-config=hanabi)' if 'hanabi' in key else ''}.") from None
    if not isinstance(env, ParallelEnv):
        raise UserError(f"env_args.key={key} builds a {type(env).__name__}, not an environment of PettingZoo.")
    return env
