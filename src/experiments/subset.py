"""Parts of a grid: ``--only=alg=bc,bcq --only=env=xor``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..errors import UserError
from ..utils.registry import nearest
from .grid import Cell

KEYS: dict[str, Callable[[Cell], str]] = {
    "alg": lambda cell: cell.alg, "env": lambda cell: cell.env, "dataset": lambda cell: str(cell.config["dataset"]),
    "seed": lambda cell: str(cell.config["seed"])}


def subset(cells: Sequence[Cell], only: Sequence[str]) -> list[Cell]:
    """The cells that all the conditions ``key=value,value`` let through.

    Values of one key add up.  An ``alg`` that is no entry of the grid stands for all entries that begin with it.

    Raises:
        UserError: an unknown key, or a value that no cell has.
    """
    wanted: dict[str, set[str]] = {}
    for condition in only:
        key, equals, values = condition.partition("=")
        if not equals or key not in KEYS:
            raise UserError(f"--only={condition} must be of the form key=value,value, where key is one of "
                            f"{', '.join(KEYS)}.")
        choices = list(dict.fromkeys(KEYS[key](cell) for cell in cells))
        for value in values.split(","):
            matching = [choice for choice in choices if choice == value]
            if key == "alg" and not matching:
                matching = [choice for choice in choices if choice.split()[0] == value]
            if not matching:
                raise UserError(f"--only={condition}: the grid has no {key} '{value}'{nearest(value, choices)}; "
                                f"the choices are: {', '.join(choices)}.")
            wanted.setdefault(key, set()).update(matching)
    return [cell for cell in cells if all(KEYS[key](cell) in values for key, values in wanted.items())]
