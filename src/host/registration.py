"""Our classes in EPyMARL's registries."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import partial, wraps
from typing import Any

from .. import envs
from ..controllers import REGISTRY as MACS
from ..envs.multi_agent_env import MultiAgentEnv
from ..errors import UserError
from ..learners import REGISTRY as LEARNERS
from .hosted_learner import hosted
from .hosted_runner import HostedOfflineRunner

PREFIX = "cpa_"  # before names that EPyMARL has, too


class Names:
    """What our classes are called inside EPyMARL: their own names, with a prefix where it has the same.

    Attributes:
        macs, learners, runners: from our names to EPyMARL's.
    """

    def __init__(self) -> None:
        self.macs: dict[str, str] = {}
        self.learners: dict[str, str] = {}
        self.runners: dict[str, str] = {}


def register() -> Names:
    """Puts our controllers, learners, runner and games where an importable EPyMARL finds them.

    Doing it again changes nothing.  A user's mistake inside a run is told in one sentence from then on.
    """
    names = Names()
    parts: tuple[tuple[Mapping[str, Any], dict[str, str], str, Callable[[Any], type[Any]]], ...] = (
            (MACS, names.macs, "controllers", _as_it_is), (LEARNERS, names.learners, "learners", hosted),
            ({"offline": HostedOfflineRunner}, names.runners, "runners", _as_it_is))
    for ours, theirs, module, make in parts:
        registry = importlib.import_module(module).REGISTRY
        for name, cls in ours.items():
            theirs[name] = _put(registry, name, make(cls))
    games = importlib.import_module("envs").REGISTRY
    for name in envs.REGISTRY:
        games.setdefault(name, partial(MultiAgentEnv, name))
    upstream: Any = importlib.import_module("run")
    if not hasattr(upstream.run, "__wrapped__"):
        upstream.run = _in_sentences(upstream.run)
    return names


def _as_it_is(cls: type[Any]) -> type[Any]:
    return cls


def _put(registry: dict[str, Any], name: str, cls: type[Any]) -> str:
    """Adds a class under its name, or with the prefix if that is taken; returns what it was."""
    for wanted in (name, PREFIX + name):
        held = registry.setdefault(wanted, cls)
        if held is cls:
            return wanted
    raise UserError(f"EPyMARL's registry has both '{name}' and '{PREFIX + name}', which are not this program's.")


def _in_sentences(run: Callable[..., None]) -> Callable[..., None]:
    """EPyMARL's ``run`` whose user errors Sacred prints without a traceback."""
    from ..cli import Error  # here, since the command line imports this package

    @wraps(run)
    def told(*arguments: Any) -> None:
        try:
            run(*arguments)
        except UserError as error:
            raise Error(str(error)) from None
    return told
