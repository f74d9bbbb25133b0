"""Python source as it decides something: what a module imports, and its statements without comments and docstrings."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import sys
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

DIGITS = 12
INSTALLED = {"site-packages", "dist-packages"}


class Source(NamedTuple):
    """A module of Python source: its dotted name, its file, and the folder of its top-level package or module."""

    name: str
    file: Path
    top: Path


def source_of(name: str) -> Source | None:
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


def is_installed(file: Path) -> bool:
    """Whether a file is of a distribution that was installed."""
    return not INSTALLED.isdisjoint(file.parts)


def digest(content: object) -> str:
    """Twelve hexadecimal digits for plain JSON."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:DIGITS]


def module_digest(thing: Any) -> str:
    """Digest of the module in which a class or function is written; of its name where there is no source."""
    source = source_of(thing.__module__)
    return digest(thing.__module__ if source is None else normal(source.file.read_bytes()))


def reached(sources: Iterable[Source], counts: Callable[[Source], bool]) -> list[Source]:
    """The modules, and those that they import, one through the other, from their own package or folder.

    Args:
        sources: where to begin.
        counts: tells which modules are taken, and followed.
    """
    found: dict[Path, Source] = {}
    waiting = list(sources)
    while waiting:
        source = waiting.pop()
        if source.file not in found and counts(source):
            found[source.file] = source
            waiting += imported(source)
    return list(found.values())


def folder_digest(thing: Any) -> str:
    """As :func:`module_digest`, of the module and those of its folder that it imports, one through the other."""
    source = source_of(thing.__module__)
    if source is None:
        return digest(thing.__module__)
    found = reached([source], lambda other: other.file.parent == source.file.parent)
    return digest([normal(file.read_bytes()) for file in sorted(each.file for each in found)])


def imported(source: Source) -> Iterator[Source]:
    """What a module imports that lies beside it."""
    return _named(source, _tree(source.file.read_bytes()))


def read(source: Source) -> tuple[Any, Iterator[Source]]:
    """:func:`normal` and :func:`imported` of a module, which is read once."""
    tree = _tree(source.file.read_bytes())
    return _listed(tree, ()), _named(source, tree)


def _named(source: Source, tree: ast.AST) -> Iterator[Source]:
    package = source.name if source.file.name == "__init__.py" else source.name.rpartition(".")[0]
    for node in _statements(tree):
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
    if not own and is_installed(place):
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


def normal(code: bytes, without: Container[str] = ()) -> Any:
    """The statements of a module as nested lists, alike in all versions of Python.

    Comments and docstrings are left out, and so are methods ``without`` names.
    """
    return _listed(_tree(code), without)


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """All statements, as :func:`ast.walk` comes upon them; it would go through expressions, too."""
    waiting = deque([tree])
    while waiting:
        node = waiting.popleft()
        yield node
        for field in ("body", "handlers", "orelse", "finalbody", "cases"):
            below = getattr(node, field, ())
            if isinstance(below, list):
                waiting.extend(below)


_TOLD = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef  # what docstrings are of


def _listed(node: Any, without: Container[str]) -> Any:
    if not isinstance(node, ast.AST):
        return [_listed(each, without) for each in node] if type(node) is list else repr(node)
    found: list[Any] = [type(node).__name__]
    for name in node._fields:
        value = getattr(node, name, None)
        if name == "body" and isinstance(node, _TOLD):
            value = _body(node, without)
        if value is not None and value != []:
            found.append([name, _listed(value, without)])
    return found


def _body(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
          without: Container[str]) -> list[ast.stmt]:
    """The statements of a body that count."""
    body = node.body[ast.get_docstring(node, clean=False) is not None:]
    if without and isinstance(node, ast.ClassDef):
        return [each for each in body if not (isinstance(each, ast.FunctionDef) and each.name in without)]
    return body
