"""Our classes in EPyMARL's registries."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import cache, partial, wraps
from typing import Any

from .. import envs
from ..controllers import REGISTRY as MACS
from ..envs.multi_agent_env import make_multi_agent_env
from ..errors import UserError
from ..learners import REGISTRY as LEARNERS
from ..utils.sacred_error import Error
from .hosted_learner import HostedLearner, hosted_mac
from .hosted_record import HostedRecordRunner, OwnRecordRunner
from .hosted_runner import HostedOfflineRunner
from .names import PREFIX, Names

RUNNERS = {"offline": HostedOfflineRunner, "record": OwnRecordRunner}


def register() -> Names:
    """Puts our controllers, learners, runners and games where an importable EPyMARL finds them.

    Doing it again changes nothing.  A user's mistake inside a run is told in one sentence from then on.

    Raises:
        UserError: another program has put other classes under our names.
    """
    names = Names()
    _put(importlib.import_module("runners").REGISTRY, "record", HostedRecordRunner)
    parts: tuple[tuple[str, Mapping[str, Any], dict[str, str]], ...] = (
        ("controllers", dict.fromkeys(MACS, hosted_mac), names.macs), ("runners", RUNNERS, names.runners),
        ("learners", dict.fromkeys(LEARNERS, HostedLearner), names.learners),
        ("envs", {name: _game(name) for name in envs.REGISTRY}, names.envs))
    for module, ours, theirs in parts:
        registry = importlib.import_module(module).REGISTRY
        for name, entry in ours.items():
            theirs[name] = _put(registry, name, entry)
    upstream: Any = importlib.import_module("run")
    if not hasattr(upstream.run, "__wrapped__"):
        upstream.run = _in_sentences(upstream.run)
    return names


@cache
def _game(name: str) -> partial[Any]:
    return make_multi_agent_env(name)


def _put(registry: dict[str, Any], name: str, entry: Any) -> str:
    """Adds something under its name, or with the prefix if that is taken; returns what it was."""
    for wanted in (name, PREFIX + name):
        if registry.setdefault(wanted, entry) is entry:
            return wanted
    raise UserError(f"EPyMARL's registry has both '{name}' and '{PREFIX + name}', which are not this program's.")


def _in_sentences(run: Callable[..., None]) -> Callable[..., None]:
    """EPyMARL's ``run`` whose user errors Sacred prints without a traceback."""
    @wraps(run)
    def told(*arguments: Any) -> None:
        try:
            run(*arguments)
        except UserError as error:
            raise Error(str(error)) from None
    return told
