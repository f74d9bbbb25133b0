"""Whether a class or function builds environments: found out by looking, before it is called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from dis import get_instructions
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, get_args, get_origin

LONGEST = 200  # letters of a module's name
MOST = 2000  # things to look at; a function that leads further is not followed


def builds(thing: Any, kinds: tuple[type, ...]) -> bool:
    """Whether ``thing`` is one of the classes ``kinds``, or a function that makes one as far as its source tells.

    A function tells it by the type that it returns.  Where it names none, what its code names is looked at, and what
    the functions among that name in turn.

    Raises:
        ImportError: a function imports what is missing here.
    """
    return any(_is_one(each, kinds) for each in _reached(thing, kinds))


def is_name(module: str) -> bool:
    """Whether a text can be the name of a module."""
    return len(module) <= LONGEST and all(part and "\0" not in part for part in module.split("."))


def is_standard(module: str) -> bool:
    """Whether a module is of Python itself, which holds no environments."""
    return module.partition(".")[0] in sys.stdlib_module_names


def _is_one(thing: Any, kinds: tuple[type, ...]) -> bool:
    return isinstance(thing, type) and issubclass(thing, kinds)


def _reached(thing: Any, kinds: tuple[type, ...]) -> Iterator[Any]:
    """The thing, and what is named by it if it is a function, and so on."""
    waiting, seen = [thing], set[int]()
    own = getattr(_inner(thing), "__module__", None)
    while waiting and len(seen) < MOST:
        each = _inner(waiting.pop())
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        if isinstance(each, FunctionType) and not is_standard(each.__module__ or ""):
            said = _returned(each)
            if said is None:
                waiting += _named(each, each.__module__ == own)
            elif any(_is_one(kind, kinds) for kind in said) or any(kind in _names(kinds) for kind in said):
                yield kinds[0]


def _inner(thing: Any) -> Any:
    """The function behind a partial function, a method or an object that can be called."""
    while isinstance(thing, partial):
        thing = thing.func
    if isinstance(thing, MethodType):
        return thing.__self__ if isinstance(thing.__self__, type) else thing.__func__
    call = next((vars(cls)["__call__"] for cls in type(thing).__mro__ if "__call__" in vars(cls)), None)
    return call if isinstance(call, FunctionType) and not isinstance(thing, type) else thing


def _returned(function: FunctionType) -> list[Any] | None:
    """The types that a function says to return, classes or names of classes; None if it leaves that open."""
    said = function.__annotations__.get("return", Any)
    if isinstance(said, str):
        name = said.partition("[")[0].strip("'\" ")
        first, *rest = name.split(".")
        found: Any = function.__globals__.get(first, name)
        for part in rest:
            found = vars(found).get(part, name) if isinstance(found, ModuleType) else name
        said = found if not isinstance(found, str) else found.rpartition(".")[2]
        return None if said in ("Any", "object") or said in (Any, object) else [get_origin(said) or said]
    parts = [get_origin(part) or part for part in (get_args(said) or (said,))] + [get_origin(said) or said]
    return None if any(part in (Any, object) for part in parts) else parts


def _names(kinds: Iterable[type]) -> set[str]:
    return {kind.__name__ for kind in kinds}


def _named(function: FunctionType, import_too: bool) -> list[Any]:
    """What a function's code names: globals, what it encloses and imports, and these things' parts of such names.

    Raises:
        ImportError: it imports what is missing here.
    """
    codes, names, found = [function.__code__], set[str](), []
    for code in codes:
        codes += [part for part in code.co_consts if isinstance(part, CodeType)]
        names |= {*code.co_names, *code.co_freevars}
        found += _imported(code, function.__globals__) if import_too else []
    known = function.__globals__
    cells = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
    found += [*cells, *(known[name] for name in names if name in known)]
    for holder in found.copy():
        inside = vars(type(holder)) if _is_plain_object(holder) else getattr(holder, "__dict__", {})
        if isinstance(holder, FunctionType):
            continue
        found += [inside[name] for name in names if name in inside]
        found += [*(holder.values() if isinstance(holder, Mapping) else ()),
                  *(holder if isinstance(holder, list | tuple) else ())][:MOST]
    return [each.__func__ if isinstance(each, classmethod | staticmethod) else each for each in found]


def _is_plain_object(thing: Any) -> bool:
    return not isinstance(thing, type | ModuleType | FunctionType)


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _imported(code: CodeType, known: Mapping[str, Any]) -> list[ModuleType]:
    """The modules that a function imports when it runs."""
    found, level = [], 0
    constants: list[Any] = []
    for step in get_instructions(code):
        if step.opname == "LOAD_CONST":
            constants.append(step.argval)
        if step.opname == "IMPORT_NAME":
            level = next((value for value in reversed(constants[-2:]) if type(value) is int), 0)
            name = "." * level + str(step.argval)
            if level or not is_standard(name):
                found.append(importlib.import_module(name, str(known.get("__package__") or "")))
    return found
