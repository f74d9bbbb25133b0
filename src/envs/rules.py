"""A digest of the rules of a game, so that data of rules that were edited since are not taken for its own.

What is digested is the source where it is the user's own, and the version where it is a package that was installed.
Comments, docstrings and what only shows (``draw``, ``picture``, ``possible``, ``render``) do not count.  Files that an
argument of an environment names do.  Other files that a game reads, and modules that it imports by names made up at run
time, are not seen.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
from pettingzoo import AECEnv, ParallelEnv  # type: ignore[import-untyped]

from ..utils.sources import DIGITS, Source, digest, is_installed, normal, reached, source_of

#: methods that show a state, or what holds in every state, and decide nothing
SHOWING = {"draw", "picture", "possible", "render"}
#: attributes by which environments hold what they wrap, whatever it is
WRAPPED = ("env", "aec_env", "par_env")
#: what is wrapped under any other name
ENVIRONMENTS = (gymnasium.Env, AECEnv, ParallelEnv)
#: what environments are built on, whose version decides no rule of theirs
INTERFACES = ("pettingzoo.utils", "gymnasium.core", "gymnasium.utils", "gymnasium.wrappers", "gymnasium.vector")


class Rules(NamedTuple):
    """What is known of the rules of a game.

    Attributes:
        digest: twelve hex digits.
        known_by: what was digested: names of modules, of packages with versions, or, where neither source nor
            package was found, ``the name of ...``.
    """

    digest: str
    known_by: tuple[str, ...]


def rules_of_class(cls: type, base: type) -> Rules:
    """The rules of a class: the modules of it and of what it inherits from, and what these import from beside them.

    Args:
        cls: a game.
        base: the contract; neither it nor what the package needs besides any game is part of the rules.
    """
    own = [each for each in cls.__mro__ if each not in base.__mro__]
    sources = [source for each in own if (source := source_of(each.__module__)) is not None]
    return _rules(reached(sources, lambda source: source.file not in _framework()), (), cls)


def rules_of_environment(env: Any, modules: Iterable[str], arguments: object = ()) -> Rules:
    """The rules of an environment of another package.

    Args:
        env: the environment, maybe wrapped.
        modules: names of the modules that make it, such as those of its key.
        arguments: that it was built with; the contents of files that they name are part of the rules.
    """
    names = [*modules, *(cls.__module__ for layer in layers(env) for cls in type(layer).__mro__)]
    packages: set[str] = set()
    sources: list[Source] = []
    for name in dict.fromkeys(names):
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or name.startswith(INTERFACES):
            continue
        source = source_of(name)
        installed = _distributions(top) if source is None or is_installed(source.file) else []
        packages.update(installed)
        if source is not None and not installed:
            sources.append(source)
    packages.update(_files_in(arguments))
    return _rules(reached(sources, _every), packages, type(getattr(env, "unwrapped", env)))


def _files_in(arguments: object) -> Iterator[str]:
    """The files that arguments name, with digests of their contents; those that cannot be read are left out."""
    if isinstance(arguments, str):
        try:
            file = Path(arguments)
            if file.is_file():
                yield f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()[:DIGITS]}"
        except (OSError, ValueError):  # such as a text that is too long for a name
            return
    elif isinstance(arguments, Mapping | list | tuple):
        for each in arguments.values() if isinstance(arguments, Mapping) else arguments:
            yield from _files_in(each)


def layers(env: Any) -> list[Any]:
    """The environment, what it wraps, what that wraps, and so on."""
    found: list[Any] = []
    waiting = [env]
    while waiting:
        layer = waiting.pop()
        if layer is not None and not any(layer is each for each in found):
            found.append(layer)
            held = getattr(layer, "__dict__", {})
            waiting += [*(held.get(name) for name in WRAPPED), getattr(layer, "unwrapped", None),
                        *(value for value in held.values() if isinstance(value, ENVIRONMENTS))]
    return found


def _rules(sources: Iterable[Source], packages: Iterable[str], cls: type) -> Rules:
    """The digest of sources and packages; where there are none, of the name of the class."""
    contents = {source.name: normal(source.file.read_bytes(), SHOWING) for source in sources}
    known_by = (*sorted(contents), *sorted(packages)) or (f"the name of {cls.__module__}.{cls.__qualname__}",)
    return Rules(digest([known_by, [contents[name] for name in sorted(contents)]]), known_by)


def _every(source: Source) -> bool:
    """Counts every module."""
    return True


@cache
def _framework() -> frozenset[Path]:
    """The files that this package needs besides any game."""
    package = source_of(__package__ or "")
    return frozenset(source.file for source in reached([package] if package else [], _every))


def _distributions(top: str) -> list[str]:
    """What is installed under the name of a top-level package, with versions."""
    return sorted({f"{name} {version(name)}" for name in _by_package().get(top, ())})


_by_package = cache(packages_distributions)
