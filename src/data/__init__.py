"""Offline data sets: made from recipes, or read from files and folders of the formats in :mod:`.formats`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..envs.game import Game
from ..errors import UserError
from ..settings.schema import clipped
from ..utils.bounded import is_there
from ..utils.registry import nearest
from .dataset import OfflineDataset
from .fitting import check_team, fitted
from .formats import load
from .generate import cached
from .validate import check_game


def load_dataset(name: str, game: Game, recipes: Mapping[str, Mapping[str, Any]], seed: int,
                 folder: Path) -> OfflineDataset:
    """The data set ``name``, checked against the game it is to be used for.

    Args:
        name: a recipe (made on first use), else the path of a file or folder in any format that can be
            read, which is found by looking; ``./x`` is always a path.
        game: the game of the run.
        recipes: the game's recipes by name.
        seed: seed of a data set made from a recipe.
        folder: where data sets made from recipes are kept.

    Raises:
        UserError: no such recipe or file, a damaged file, or data of another game, or of opponents.
    """
    path = Path(name).expanduser()
    if name in recipes:
        data = cached(game, recipes[name], seed, name, folder)
    elif is_there(path):
        data = fitted(load(path), game)
    else:
        raise UserError(f"there is no recipe and no file '{clipped(name)}'{nearest(name, recipes)}; "
                        f"the recipes of {game.name} are: {', '.join(recipes) or 'none'}.")
    check_game(data, game)
    check_team(data, game)
    return data


__all__ = ["OfflineDataset", "load_dataset"]
