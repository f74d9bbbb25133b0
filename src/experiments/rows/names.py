"""What rows are rows of: the game with its arguments, the data with their recipe, the method with its settings.

Tables and statistics put rows together that agree in all three, and no others.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import PurePath
from typing import Any

from ...config import keys_of, read_env
from ...config.gathering import gather
from ...envs import REGISTRY as GAMES
from ...errors import UserError

ARGS, RECIPES = "env_args.", "recipes."


def game_of(row: Mapping[str, Any]) -> str:
    """The game of a row with the arguments that it was given: others make it another game."""
    return game_named(row["env"], _words(row))


def data_of(row: Mapping[str, Any]) -> str:
    """The data set of a row: the name of a recipe, or that of a file with its digest.

    Paths are of somebody's machine, and what lies there may change.
    """
    name: str = row["dataset"]
    if not is_file(row):
        return name
    digest = (row.get("made_by") or {}).get("data")
    return " ".join([PurePath(name.replace("\\", "/")).name or name, *([digest] if digest else [])])


def recipe_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What was changed about the recipe of a row's data."""
    lead = f"{RECIPES}{row['dataset']}."
    return tuple(sorted(word.removeprefix(lead) for word in _words(row) if word.startswith(lead)))


def is_file(row: Mapping[str, Any]) -> bool:
    """Whether the data of a row are of a file or folder: names of recipes are words."""
    return bool(set("./\\") & set(row["dataset"]))


def settings_of_row(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Further overrides of a row that decide something, beside those in the name of its method."""
    return tuple(sorted(word for word in row.get("with", ()) if not word.startswith((ARGS, RECIPES))
                        and re.split("[.=]", word)[0] not in _undecided(row["alg"], row["env"])))


def game_named(env: str, words: Sequence[str]) -> str:
    """A game with those of the overrides that are arguments of it, the last one of each, in the order of its own.

    Args:
        env: value of ``--env-config``.
        words: overrides.
    """
    given = dict(word.removeprefix(ARGS).partition("=")[::2] for word in words if word.startswith(ARGS))
    order = _arguments(env)
    names = sorted(given, key=lambda name: (_place(order, name.partition(".")[0]), name))
    return " ".join([env, *(f"{name}={given[name]}" for name in names)])


def _words(row: Mapping[str, Any]) -> list[str]:
    return [*row.get("with", ()), *row["alg"].split()[1:]]


def _place(order: Sequence[str], name: str) -> int:
    return order.index(name) if name in order else len(order)


@cache
def _arguments(env: str) -> tuple[str, ...]:
    """Names of a game's arguments; none of one that is not here."""
    try:
        return tuple(inspect.signature(GAMES[read_env(env)[0]]).parameters)
    except UserError:
        return ()


@cache
def _undecided(alg: str, env: str) -> frozenset[str]:
    """The keys of a method that name no rows; none of one that is not here."""
    try:
        name, *overrides = alg.split()
        keys = keys_of(gather(name, env, overrides).config)
        return frozenset(name for name, key in keys.items() if not key.names_rows)
    except UserError:
        return frozenset()
