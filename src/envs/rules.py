"""A digest of the rules of a game, so that data of rules that were edited since are not taken for its own.

What is digested is the source where it is the user's own, and the version where it is a package that was installed.
Comments, docstrings and what only shows (``draw``, ``picture``, ``render``) do not count.  Files that a game reads
and modules that it imports by names made up at run time are not seen.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

DIGITS = 12
INSTALLED = {"site-packages", "dist-packages"}
#: methods that show a state and decide nothing
SHOWING = {"draw", "picture", "render"}
#: attributes by which environments hold what they wrap
WRAPPED = ("env", "aec_env", "par_env")
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


class Source(NamedTuple):
    """A module of Python source: its dotted name, its file, and the folder of its top-level package or module."""

    name: str
    file: Path
    top: Path


def rules_of_class(cls: type, base: type) -> Rules:
    """The rules of a class: the modules of it and of what it inherits from, and what these import from beside them.

    Args:
        cls: a game.
        base: the contract; neither it nor what the package needs besides any game is part of the rules.
    """
    own = [each for each in cls.__mro__ if each not in base.__mro__]
    sources = [source for each in own if (source := _source(each.__module__)) is not None]
    return _rules(_reached(sources, _framework()), (), cls)


def rules_of_environment(env: Any, modules: Iterable[str]) -> Rules:
    """The rules of an environment of another package.

    Args:
        env: the environment, maybe wrapped.
        modules: names of the modules that make it, such as those of its key.
    """
    names = [*modules, *(cls.__module__ for layer in layers(env) for cls in type(layer).__mro__)]
    packages: set[str] = set()
    sources: list[Source] = []
    for name in dict.fromkeys(names):
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or name.startswith(INTERFACES):
            continue
        source = _source(name)
        installed = _distributions(top) if source is None or _is_installed(source.file) else []
        packages.update(installed)
        if source is not None and not installed:
            sources.append(source)
    return _rules(_reached(sources), packages, type(getattr(env, "unwrapped", env)))


def layers(env: Any) -> list[Any]:
    """The environment, what it wraps, what that wraps, and so on."""
    found: list[Any] = []
    waiting = [env]
    while waiting:
        layer = waiting.pop()
        if layer is not None and not any(layer is each for each in found):
            found.append(layer)
            held = getattr(layer, "__dict__", {})
            waiting += [*(held.get(name) for name in WRAPPED), getattr(layer, "unwrapped", None)]
    return found


def _rules(sources: Iterable[Source], packages: Iterable[str], cls: type) -> Rules:
    """The digest of sources and packages; where there are none, of the name of the class."""
    contents = {source.name: _normal(source.file.read_bytes()) for source in sources}
    known_by = (*sorted(contents), *sorted(packages)) or (f"the name of {cls.__module__}.{cls.__qualname__}",)
    text = json.dumps([known_by, [contents[name] for name in sorted(contents)]])
    return Rules(hashlib.sha256(text.encode()).hexdigest()[:DIGITS], known_by)


@cache
def _framework() -> frozenset[Path]:
    """The files that this package needs besides any game."""
    package = _source(__package__ or "")
    return frozenset(source.file for source in _reached([package] if package else []))


def _is_installed(file: Path) -> bool:
    return not INSTALLED.isdisjoint(file.parts)


def _distributions(top: str) -> list[str]:
    """What is installed under the name of a top-level package, with versions."""
    return sorted({f"{name} {version(name)}" for name in _by_package().get(top, ())})


_by_package = cache(packages_distributions)


def _source(name: str) -> Source | None:
    """The source of a module that is imported; None where there is none."""
    module: ModuleType | None = sys.modules.get(name)
    try:
        found = inspect.getsourcefile(module) if module is not None else None
    except TypeError:  # built in
        return None
    if found is None or not Path(found).is_file():
        return None
    file = Path(found).resolve()
    depth = name.count(".") + (file.name == "__init__.py")
    return Source(name, file, file.parents[depth - 1] if depth else file)


def _reached(sources: Iterable[Source], apart: frozenset[Path] = frozenset()) -> list[Source]:
    """The modules, and those that they import, one through the other, from their own package or folder.

    Args:
        sources: where to begin.
        apart: files that do not count.
    """
    found: dict[Path, Source] = {}
    waiting = list(sources)
    while waiting:
        source = waiting.pop()
        if source.file not in found and source.file not in apart:
            found[source.file] = source
            waiting += _imported(source)
    return list(found.values())


def _imported(source: Source) -> Iterator[Source]:
    """What a module imports that lies beside it."""
    package = source.name if source.file.name == "__init__.py" else source.name.rpartition(".")[0]
    for node in ast.walk(_tree(source.file.read_bytes())):
        if isinstance(node, ast.Import):
            wanted = [[alias.name] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = package.split(".")[:len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*origin, *([node.module] if node.module else [])])
            # a submodule, or else something that the module itself holds
            wanted = [[f"{module}.{alias.name}", module] for alias in node.names]
        else:
            continue
        for choices in wanted:
            yield from [found for name in choices if (found := _beside(source, name)) is not None][:1]


def _beside(source: Source, name: str) -> Source | None:
    """A module by name, in the package of ``source`` or in the folder in which that lies."""
    top, _, rest = name.partition(".")
    own = top == source.name.partition(".")[0]
    place = source.top if own and source.top.is_dir() else source.top.parent / top
    if not own and _is_installed(place):
        return None  # not the user's
    stem = place.joinpath(*rest.split(".")) if rest else place
    for file in (stem / "__init__.py", stem.parent / f"{stem.name}.py"):
        if file.is_file():
            return Source(name, file, place if place.is_dir() else file)
    return None


def _tree(code: bytes) -> ast.AST:
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError):  # edited since it was imported, or for another Python
        return ast.Expression(ast.Constant(code))


def _normal(code: bytes) -> Any:
    """The statements of a module as nested lists, without what decides nothing; alike in all versions of Python."""
    tree = _tree(code)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
        if isinstance(node, ast.ClassDef):
            node.body = [each for each in node.body if not (isinstance(each, ast.FunctionDef) and each.name in SHOWING)]
    return _listed(tree)


def _listed(node: Any) -> Any:
    if isinstance(node, list):
        return [_listed(each) for each in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [(name, value) for name, value in ast.iter_fields(node) if value not in (None, [])]
    return [type(node).__name__, *([name, _listed(value)] for name, value in fields)]
