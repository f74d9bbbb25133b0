"""Parts of a grid: ``--only=alg=bc,bcq --only=env=xor``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...errors import UserError
from ...utils.registry import nearest
from .grid import RunSpec

KEYS: dict[str, Callable[[RunSpec], str]] = {
    "alg": lambda spec: spec.alg, "env": lambda spec: spec.env, "dataset": lambda spec: str(spec.config["dataset"]),
    "seed": lambda spec: str(spec.config["seed"])}


def subset(specs: Sequence[RunSpec], only: Sequence[str]) -> list[RunSpec]:
    """The runs that all the conditions ``key=value,value`` let through.

    Values of one key add up.  An ``alg`` that is no entry of the grid stands for all entries that begin with it.

    Raises:
        UserError: an unknown key, or a value that no run has.
    """
    wanted: dict[str, set[str]] = {}
    for condition in only:
        key, equals, values = condition.partition("=")
        if not equals or key not in KEYS:
            raise UserError(f"--only={condition} must be of the form key=value,value, where key is one of "
                            f"{', '.join(KEYS)}.")
        choices = list(dict.fromkeys(KEYS[key](spec) for spec in specs))
        for value in values.split(","):
            matching = [choice for choice in choices if choice == value]
            if key == "alg" and not matching:
                matching = [choice for choice in choices if choice.split()[0] == value]
            if not matching:
                raise UserError(f"--only={condition}: the grid has no {key} '{value}'{nearest(value, choices)}; "
                                f"the choices are: {', '.join(choices)}.")
            wanted.setdefault(key, set()).update(matching)
    return [spec for spec in specs if all(KEYS[key](spec) in values for key, values in wanted.items())]
