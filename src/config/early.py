"""Mistakes of a command line that can be told without importing what trains."""

from __future__ import annotations

from collections.abc import Iterable

from ..settings import check
from .declared import keys_declared
from .files import FOLDER, find_config
from .gathering import gather


def check_early(alg: str, env: str, overrides: Iterable[str] = ()) -> None:
    """Refuses what :func:`.resolving.resolve` would refuse of names, keys and values, in the same words.

    What the user chooses apart from our files (``mac``, ``learner``, files of their own) is left to that: it knows
    what goes together.

    Args:
        alg, env: values of ``--config`` and ``--env-config``.
        overrides: ``key=value`` words.

    Raises:
        UserError: there is no such method, game, key or environment argument, or a bad value.
    """
    gathered = gather(alg, env, overrides)
    files = [find_config("envs", env), find_config("algs", alg)]
    if {"mac", "learner", "env"} & gathered.updates.keys() or \
            not all(file.resolve().is_relative_to(FOLDER.resolve()) for file in files):
        return
    config = check(gathered.config, keys_declared(gathered.config))
    if "env_args" in gathered.updates:
        from ..envs import REGISTRY as GAMES  # here: it takes a moment
        from ..settings import check_env_args

        if "key" not in gathered.updates["env_args"] and config["env"] in GAMES:
            check_env_args(config["env"], GAMES[config["env"]], config["env_args"])
