"""Parts of a grid or of rows: ``--only=alg=bc,bcq --only=env=xor``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from ...errors import UserError
from ...utils.registry import nearest
from .grid import RunSpec

Item = TypeVar("Item")
KEYS: dict[str, Callable[[RunSpec], str]] = {
    "alg": lambda spec: spec.alg, "env": lambda spec: spec.env, "dataset": lambda spec: str(spec.config["dataset"]),
    "seed": lambda spec: str(spec.config["seed"])}


def chosen(specs: Sequence[RunSpec], only: Sequence[str]) -> list[RunSpec]:
    """The runs of a grid that conditions let through; arguments and errors as of :func:`subset`."""
    return subset(specs, only, KEYS)


def subset(items: Sequence[Item], only: Sequence[str], keys: Mapping[str, Callable[[Item], str]]) -> list[Item]:
    """What all the conditions ``key=value,value`` let through.

    Values of one key add up.  An ``alg`` that nothing has stands for all that begin with it.

    Args:
        items: runs of a grid, or rows.
        only: conditions.
        keys: what may be asked for, and the value that an item has.

    Raises:
        UserError: an unknown key, or a value that nothing has.
    """
    wanted: dict[str, set[str]] = {}
    for condition in only:
        key, equals, values = condition.partition("=")
        if not equals or key not in keys:
            raise UserError(f"--only={condition} must be of the form key=value,value, where key is one of "
                            f"{', '.join(keys)}.")
        choices = list(dict.fromkeys(keys[key](item) for item in items))
        for value in values.split(","):
            matching = [choice for choice in choices if choice == value]
            if key == "alg" and not matching:
                matching = [choice for choice in choices if choice.split()[0] == value]
            if not matching:
                raise UserError(f"--only={condition}: there is no {key} '{value}'{nearest(value, choices)}; "
                                f"the choices are: {', '.join(choices)}.")
            wanted.setdefault(key, set()).update(matching)
    return [item for item in items if all(keys[key](item) in values for key, values in wanted.items())]
