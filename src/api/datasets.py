"""Data sets by name or path."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .. import data
from ..config import FOLDER, load_env, read_yaml, word
from ..data import OfflineDataset
from ..data.formats import load
from ..data.mapped import MappedDataset
from ..errors import UserError
from ..utils.bounded import is_there
from ..utils.files import named_path
from .teams import checked_seed
from .words import named


def load_dataset(source: str | os.PathLike[str], dataset: str | os.PathLike[str] | None = None, *, seed: int = 0,
                 datasets_path: str | os.PathLike[str] | None = None, **env_args: Any) -> OfflineDataset:
    """A data set as arrays.

    ::

        load_dataset("sensor", "medium", seed=0)   # a recipe of a game, made on first use
        load_dataset("sensor", "mine.npz")         # a file, checked against a game
        load_dataset("mine.npz")                   # a file as it is

    Args:
        source: a game (as for :func:`make_env`), or without ``dataset`` the path of a file or folder.
        dataset: a recipe of the game, or the path of a file or folder in any format that can be read.
        seed: of a data set made from a recipe.
        datasets_path: folder where those are kept (by default ``datasets``).
        env_args: the game's own arguments.

    Returns:
        Arrays of E episodes with room for T steps: ``state`` ``[E, T + 1, S]``, ``actions`` ``[E, T + 1, N]``,
        ``avail_actions`` ``[E, T + 1, N, A]``, ``reward``, ``terminated``, ``filled`` ``[E, T + 1]``, perhaps ``obs``
        ``[E, T + 1, N, O]`` (None where every agent sees the state), and more (see
        :class:`epymarl_cpa.data.arrays.EpisodeArrays`); ``steps`` ``[E, T + 1]`` says where an action was played,
        ``returns`` ``[E]`` are undiscounted sums of rewards.

    Raises:
        UserError: no such game, recipe or file, a damaged file, data of another game, or a package is missing.
    """
    if dataset is None:
        if env_args:
            raise UserError(f"load_dataset() was given {next(iter(env_args))}=..., an argument of a game, and no data: "
                            "name game and data set, such as load_dataset('sensor', 'medium').")
        if _is_game(source):
            raise UserError(f"'{source}' is a game; name its data set, too: load_dataset('{source}', 'medium').")
        return load(named_path(named("source", source), "source"))
    words = [word(f"env_args.{key}", value) for key, value in env_args.items()]
    game, recipes = load_env(named("source", source), words)
    return data.load_dataset(named("dataset", dataset), game, recipes, checked_seed(seed), _folder(datasets_path))


def _is_game(source: str | os.PathLike[str]) -> bool:
    return isinstance(source, str) and "/" not in source and is_there(FOLDER / "envs" / f"{source}.yaml")


def place_of(data: OfflineDataset, datasets_path: str | os.PathLike[str] | None = None) -> Path:
    """Where a data set is kept: one that stays on the disk where it is, one that was made of arrays in the folder of
    data sets, by a name that tells its contents.
    """
    if isinstance(data, MappedDataset):
        return Path(data.source)
    return _folder(datasets_path) / f"arrays-{data.own_digest[:16]}.npz"


def _folder(datasets_path: str | os.PathLike[str] | None) -> Path:
    folder = read_yaml(FOLDER / "default.yaml")["datasets_path"] if datasets_path is None else datasets_path
    return named_path(named("datasets_path", folder), "datasets_path")
