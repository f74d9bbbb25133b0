"""EPyMARL's search files (``search.py --config``) as grids."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...config import resolve
from ...errors import UserError

SEARCH, GROUPS, EXCLUDE = "grid-search", "grid-search-groups", "exclude"
METHOD, GAME = "--config", "--env-config"
SEEDS = 3  # as in EPyMARL


def from_search(path: Path, content: Mapping[str, Any], seeds: int | None) -> dict[str, Any]:
    """The same search as a grid of this program.

    ``grid-search`` maps keys to values or lists of values, all of which are combined with one another and with
    the groups of ``grid-search-groups``, whose keys go together.  Keys with several values go to the method's
    name in the rows, so that tables tell them apart.

    Args:
        path: of the file, for messages.
        content: of the file.
        seeds: how many seeds there are, from 0; None for EPyMARL's default of 3.

    Raises:
        UserError: the file is not of that form, or does not say which method and game.
    """
    for key in content:
        if key not in (SEARCH, GROUPS, EXCLUDE):
            raise UserError(f"{path}: unknown key '{key}' in a search file; it may hold '{SEARCH}' and '{GROUPS}'.")
    if content.get(EXCLUDE) is not None:
        raise UserError(f"{path}: '{EXCLUDE}' does nothing in EPyMARL and must be null.")
    search, groups = content[SEARCH], content.get(GROUPS) or {}
    if not isinstance(search, dict) or not isinstance(groups, dict):
        raise UserError(f"{path}: '{SEARCH}' and '{GROUPS}' must hold keys and values.")
    if seeds is not None and seeds < 1:
        raise UserError(f"--seeds must be at least 1, not {seeds}.")
    lists = {key: value if isinstance(value, list) else [value] for key, value in search.items()}
    for key, values in lists.items():
        if not values:
            raise UserError(f"{path}: the list of '{key}' is empty, so that nothing would run.")
    choices = [dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values())]
    merged = [_merged(path, name, group) for name, group in groups.items()] or [{}]
    runs = [{key: str(value) for key, value in {**choice, **group}.items()} for choice in choices for group in merged]
    varied = [key for key in dict.fromkeys(key for run in runs for key in run)
              if len({run.get(key) for run in runs}) > 1]
    return {"parts": [_part(path, run, varied, SEEDS if seeds is None else seeds) for run in runs]}


def _merged(path: Path, name: str, group: Any) -> dict[str, Any]:
    """One group, a list of mappings, as one mapping."""
    if not isinstance(group, list) or not all(isinstance(entry, dict) for entry in group):
        raise UserError(f"{path}: the group '{name}' must hold a list of keys with one value each.")
    return {key: value for entry in group for key, value in entry.items()}


def _part(path: Path, run: Mapping[str, str], varied: Sequence[str], seeds: int) -> dict[str, Any]:
    """The grid of one combination."""
    for key, value in run.items():
        if key.startswith("--") and key not in (METHOD, GAME):
            raise UserError(f"{path}: the option '{key}' cannot be searched, only {METHOD}, {GAME} and settings can.")
        if key in varied and any(letter.isspace() for letter in value):
            raise UserError(f"{path}: the values of '{key}' must be without spaces, but one is '{value}'.")
    if METHOD not in run or GAME not in run:
        raise UserError(f"{path}: every combination needs '{METHOD}' and '{GAME}', in '{SEARCH}' or in a group.")
    settings = {key: value for key, value in run.items() if key not in (METHOD, GAME, "dataset", "seed")}
    named = [f"{key}={value}" for key, value in settings.items() if key in varied]
    common = [f"{key}={value}" for key, value in settings.items() if key not in varied]
    data = run["dataset"] if "dataset" in run else resolve(run[METHOD], run[GAME])["dataset"]
    if "seed" in run and not run["seed"].isdecimal():
        raise UserError(f"{path}: 'seed' must be a whole number, not '{run['seed']}'.")
    numbers = [int(run["seed"])] if "seed" in run else list(range(seeds))
    return {"algs": [" ".join([run[METHOD], *named])], "envs": [run[GAME]], "datasets": [data], "seeds": numbers,
            "with": common}
