"""Offline data sets: made from recipes, or read from files and folders of the formats in :mod:`.formats`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..envs.game import Game
from ..errors import UserError, clipped
from ..utils.bounded import is_there
from ..utils.files import named_path, reason
from ..utils.registry import nearest
from .dataset import OfflineDataset
from .fitting import check_team, fitted
from .formats import load
from .generate import cached, check_recipe
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
    check_asked(name, game, recipes, folder)
    data = cached(game, recipes[name], seed, name, folder) if name in recipes else fitted(load(named_path(name)), game)
    check_game(data, game)
    check_team(data, game)
    return data


def check_asked(name: str, game: Game, recipes: Mapping[str, Mapping[str, Any]], folder: Path) -> None:
    """Refuses what cannot become a data set, before anything is read or made; arguments as for :func:`load_dataset`.

    Raises:
        UserError: there is no such recipe or file, the recipe is not one, or ``folder`` cannot be written.
    """
    if name in recipes:
        check_recipe(game, recipes[name], name)
        try:
            above = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
            why = "" if above.is_dir() else "Not a directory"
        except OSError as error:
            why = reason(error)
        if why:
            raise UserError(f"the data set cannot be written to {clipped(str(folder))} ({why}); choose another folder "
                            "with datasets_path=<folder>.")
    elif not is_there(named_path(name, "dataset")):
        raise UserError(f"there is no recipe and no file '{clipped(name)}'{nearest(name, recipes)}; "
                        f"the recipes of {game.name} are: {', '.join(recipes) or 'none'}.")


__all__ = ["OfflineDataset", "load_dataset"]
