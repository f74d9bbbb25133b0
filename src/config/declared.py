"""Which settings a controller or a learner declares, told by its source: importing it would import torch, too.

The file of a part says by ``args: CqlSettings`` what it reads, or inherits that from another part.  The class of
settings is imported; where it is written beside its part, the part is as well.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..settings import CORE, Key, Settings, settings_of

#: the package that this one belongs to, and its folder
PACKAGE, ROOT = __name__.partition(".")[0], Path(__file__).parents[1]
#: where the parts are, by the config keys that name them
PACKAGES = {"mac": "controllers", "learner": "learners"}


def joined(parts: Mapping[str, type[Settings]]) -> dict[str, Key]:
    """The keys of all runs, and those of some parts.

    A part may declare a key of the core anew for the sake of ``before``, where its rows had that key already.

    Args:
        parts: settings of the parts, by their names for messages.

    Raises:
        UserError: two of them declare a key differently.
    """
    keys: dict[str, Key] = {}
    for part, declared in parts.items():
        for name, key in declared.keys().items():
            core = CORE.get(name)
            if key == core:
                continue
            if keys.setdefault(name, key) != key or (core and replace(key, before=core.before) != core):
                raise UserError(f"{part} declares the config key '{name}' otherwise than others do that run "
                                "with it; give its own another name.")
    return {**CORE, **keys}


def keys_declared(config: Mapping[str, Any]) -> dict[str, Key]:
    """As :func:`.resolving.keys_of`, without importing the controller and the learner."""
    return joined({str(config[kind]): settings_declared(kind, str(config[kind])) for kind in ("mac", "learner")})


@cache
def settings_declared(kind: str, name: str) -> type[Settings]:
    """The class of settings of a controller (kind ``mac``) or a learner, by its registry name.

    Raises:
        UserError: there is no such part.
    """
    for module, part in _parts(kind, name):
        found = _first(module, part, lambda each: ast.unparse(each.annotation) if isinstance(each, ast.AnnAssign)
                       and _target(each) == "args" else None)
        if found:
            home, wanted = found[0].imports.get(found[1], (found[0].name, found[1]))
            declared: type[Settings] = getattr(importlib.import_module(home), wanted)
            return declared
    registry: Mapping[str, type] = importlib.import_module(f"{PACKAGE}.{PACKAGES[kind]}").REGISTRY
    return settings_of(registry[name])  # it is registered in another way, or not at all


@cache
def acts_declared(mac: str) -> str:
    """How a controller acts, in a phrase, by its registry name; empty if its source does not tell."""
    for module, part in _parts("mac", mac):
        said = _first(module, part, lambda each: str(each.value.value) if isinstance(each, ast.Assign | ast.AnnAssign)
                      and _target(each) == "acts" and isinstance(each.value, ast.Constant) else None)
        if said:
            return said[1]
    return ""


def registered(kind: str) -> list[str]:
    """The names that the files of a kind of parts register, in alphabetical order."""
    modules = [_read(f"{PACKAGE}.{PACKAGES[kind]}.{file.stem}") for file in (ROOT / PACKAGES[kind]).glob("*.py")]
    words = [word for module in modules if module for cls in module.classes.values() for each in cls.decorator_list
             if isinstance(each, ast.Call) and ast.unparse(each.func).endswith(".register") for word in each.args]
    return sorted(str(word.value) for word in words if isinstance(word, ast.Constant))


@dataclass(frozen=True)
class _Module:
    """A file's classes, and the names that it imports: the modules that hold them, and what they are called there."""

    name: str
    classes: Mapping[str, ast.ClassDef]
    imports: Mapping[str, tuple[str, str]]

    def registers(self, part: str, name: str) -> bool:
        """Whether a class has the decorator ``@REGISTRY.register(name)``."""
        return any(isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr == "register"
                   and [getattr(word, "value", None) for word in each.args] == [name]
                   for each in self.classes[part].decorator_list)


@cache
def _read(name: str) -> _Module | None:
    """A module of this package; None for others, and for what is no Python."""
    file = ROOT.joinpath(*name.split(".")[1:]).with_suffix(".py")
    if name.partition(".")[0] != PACKAGE or not file.is_file():
        return None
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # importing it says what is wrong
        return None
    classes = {each.name: each for each in tree.body if isinstance(each, ast.ClassDef)}
    above = name.rpartition(".")[0]
    imports = {alias.asname or alias.name: (resolve_name("." * each.level + (each.module or ""), above), alias.name)
               for each in tree.body if isinstance(each, ast.ImportFrom) for alias in each.names}
    return _Module(name, classes, imports)


def _parts(kind: str, name: str) -> Iterator[tuple[_Module, str]]:
    """The classes that are registered under a name, with their modules."""
    package = PACKAGES[kind]
    for file in sorted((ROOT / package).glob("*.py")):
        module = _read(f"{PACKAGE}.{package}.{file.stem}") if name in file.read_text(encoding="utf-8") else None
        if module is not None:
            yield from ((module, part) for part in module.classes if module.registers(part, name))


def _first(module: _Module, part: str, says: Callable[[ast.stmt], str | None]) -> tuple[_Module, str] | None:
    """What the body of a class, or of the nearest that it inherits from, says, and in which module."""
    if part not in module.classes:
        home, name = module.imports.get(part, ("", ""))
        other = _read(home)
        return _first(other, name, says) if other else None
    cls = module.classes[part]
    if said := next((word for each in cls.body if (word := says(each))), None):
        return module, said
    return next((found for base in cls.bases if (found := _first(module, ast.unparse(base), says))), None)


def _target(each: ast.Assign | ast.AnnAssign) -> str:
    return ast.unparse(each.targets[0] if isinstance(each, ast.Assign) else each.target)
