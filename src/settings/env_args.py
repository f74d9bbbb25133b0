"""What the arguments of an environment may hold, by the signature and the docstring of its class."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from ..errors import UserError
from ..utils.registry import nearest
from .schema import WORDS, Key, kinds_of

#: arguments that every environment may have, which are the framework's
OF_FRAMEWORK = {"map_name": Key(str, is_name=True, doc="what the game is called in folders and plots"),
                "seed": Key(int, low=0, doc="of the environment; by default that of the run")}


def env_args_of(cls: type) -> dict[str, Key]:
    """The arguments of an environment class, by its signature; what they mean is said by its docstring, or by that of
    a class that it extends."""
    said = {name: text for each in reversed(cls.__mro__) for name, text in documented(each.__doc__ or "").items()}
    return {name: Key(entry.annotation, doc=said.get(name, ""))
            for name, entry in inspect.signature(cls, eval_str=True).parameters.items()}


def documented(docstring: str) -> dict[str, str]:
    """What a docstring says of arguments below ``Args:``, without markup; several names may share a line."""
    _, _, section = inspect.cleandoc(docstring).partition("Args:\n")
    found: dict[str, str] = {}
    names: list[str] = []
    for line in section.splitlines():
        if not line.startswith(" "):
            break
        if entry := re.match(r" {4}(\w+(?:, \w+)*): (.*)", line):
            names = entry[1].split(", ")
            found |= dict.fromkeys(names, entry[2])
        else:
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
    return {name: re.sub(r"``|:\w+:`[.~]*(\w+)`", r"\1", text).rstrip(".") for name, text in found.items()}


def check_env_args(env: str, cls: type, env_args: Mapping[str, Any]) -> dict[str, Any]:
    """Checks the arguments of an environment class against its signature and annotations.

    Arguments with an annotation beyond this module's words are left to the class.  ``map_name`` and
    ``seed`` belong to the framework and are allowed for every environment.

    Raises:
        UserError: an unknown argument (with the nearest known one), or a bad value.
    """
    known = env_args_of(cls)
    keys = {**OF_FRAMEWORK, **{name: key for name, key in known.items()
                               if all(kind in WORDS for kind in kinds_of(key.type))}}
    checked: dict[str, Any] = {}
    for name, value in env_args.items():
        if name not in keys and name not in known:
            raise UserError(f"unknown config key 'env_args.{name}' of {env}{nearest(name, known)}; "
                            f"it takes: {', '.join(known)}.")
        checked[name] = keys[name].check(f"env_args.{name}", value) if name in keys else value
    return checked
