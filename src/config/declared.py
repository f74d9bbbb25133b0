"""Which settings a controller or a learner declares, told by its source: importing it would import torch, too.

The file of a part says by ``args: CqlSettings`` what it reads, or inherits that from another part.  The class of
settings is imported; where it is written beside its part, the part is as well.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Mapping
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
    package = PACKAGES[kind]
    for file in sorted((ROOT / package).glob("*.py")):
        if name not in file.read_text(encoding="utf-8"):
            continue
        module = _read(f"{PACKAGE}.{package}.{file.stem}")
        for part in module.classes if module else ():
            if module and module.registers(part, name) and (found := _declared_by(module, part)):
                home, wanted = found
                declared: type[Settings] = getattr(importlib.import_module(home), wanted)
                return declared
    registry: Mapping[str, type] = importlib.import_module(f"{PACKAGE}.{package}").REGISTRY
    return settings_of(registry[name])  # it is registered in another way, or not at all


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


def _declared_by(module: _Module, part: str) -> tuple[str, str] | None:
    """Module and name of the class that a part, or the nearest that it inherits from, names by ``args: ...``."""
    if part not in module.classes:
        home, name = module.imports.get(part, ("", ""))
        other = _read(home)
        return _declared_by(other, name) if other else None
    cls = module.classes[part]
    for each in cls.body:
        if isinstance(each, ast.AnnAssign) and ast.unparse(each.target) == "args":
            wanted = ast.unparse(each.annotation)
            return module.imports.get(wanted, (module.name, wanted))
    return next((found for base in cls.bases if (found := _declared_by(module, ast.unparse(base)))), None)
