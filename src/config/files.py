"""Which YAML files there are, and what each says by itself."""

from __future__ import annotations

import copy
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..utils.files import named_path
from ..utils.registry import nearest
from .reading import read_yaml

FOLDER = Path(__file__).parent
#: kinds of files, and the options that name them
OPTIONS = {"algs": "--config", "envs": "--env-config"}


def names(kind: str) -> list[str]:
    """The names of our files of a kind (``algs``, ``envs`` or ``sweeps``), in alphabetical order."""
    return sorted(file.stem for file in (FOLDER / kind).glob("*.yaml"))


def find_config(kind: str, name: str) -> Path:
    """The file of ``--config`` (kind ``algs``) or ``--env-config`` (``envs``).

    Args:
        kind: ``algs`` or ``envs``.
        name: a file of ours without its ending, or a path with or without it; ``./x`` is always a path.

    Raises:
        UserError: there is no such file.
    """
    choices = {file.stem: file for file in sorted((FOLDER / kind).glob("*.yaml"))}
    if name in choices:
        return choices[name]
    path = named_path(name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    try:
        if path.is_file():
            return path
    except OSError:
        pass  # such as a name that is too long: not a file
    raise UserError(f"unknown {OPTIONS[kind]}={name}{nearest(name, choices)}; the choices are: {', '.join(choices)}, "
                    "or the path of a YAML file.")


def read_env_file(name: str) -> dict[str, Any]:
    """An environment's YAML; without ``env`` it would silently be about the default game."""
    path = find_config("envs", name)
    content = _content(path)
    if not isinstance(content.get("env"), str):
        raise UserError(f"{path} must name its game: env: <name>.")
    return content


def algorithms(path: Path, children: tuple[Path, ...] = ()) -> list[tuple[Path, dict[str, Any]]]:
    """An algorithm's YAML after the one that it ``extends``, if any.

    Raises:
        UserError: the files extend one another in a circle, or ``extends`` is no name.
    """
    content = _content(path)
    base = content.pop("extends", None)
    if base is None:
        return [(path, content)]
    if not isinstance(base, str) or path in children:
        raise UserError(f"extends in {path} must name another algorithm's file, not one that extends this one.")
    return [*algorithms(find_config("algs", base), (*children, path)), (path, content)]


def pair_of(path: Path) -> tuple[Any, Any]:
    """The controller and the learner of an algorithm's file."""
    whole: dict[str, Any] = {}
    for _, content in algorithms(path):
        whole |= content
    return whole.get("mac"), whole.get("learner")


def _content(path: Path) -> dict[str, Any]:
    """As :func:`.reading.read_yaml`, but a file that many extend is read once, until it changes."""
    try:
        found = path.stat()
    except OSError:
        return read_yaml(path)  # it says what is wrong
    return copy.deepcopy(_read(path.absolute(), found.st_mtime_ns, found.st_size, path))


@lru_cache(maxsize=256)
def _read(place: Path, changed: int, size: int, path: Path) -> dict[str, Any]:
    return read_yaml(path)
