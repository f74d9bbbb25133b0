"""A dictionary of classes by name, with a decorator and helpful errors."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from typing import Any, Generic, TypeVar

from ..errors import UserError

T = TypeVar("T")


class Registry(MutableMapping[str, T], Generic[T]):
    """Names of one kind of thing; ``REGISTRY["x"] = X`` and ``@REGISTRY.register("x")`` both work.

    Args:
        kind: what is registered, in words, for error messages.
        package, path: the dotted name and the folders of a package (``__name__`` and ``__path__`` inside its
            ``__init__``) whose modules register things.  They are imported when somebody first looks, so that a
            command that looks at none of them starts at once.

    Raises:
        UserError: an unknown name is looked up (the message lists the choices).
        ValueError: a name is registered twice for different things.
    """

    def __init__(self, kind: str, package: str = "", path: Iterable[str] = ()) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}
        self._unseen = (package, path) if package else None

    def _found(self) -> dict[str, T]:
        """The entries, after those of the package are there, too."""
        if self._unseen is not None:
            unseen, self._unseen = self._unseen, None  # what is imported now may look things up itself
            try:
                discover(*unseen)
            except BaseException:
                self._unseen = unseen
                raise
        return self._entries

    def __getitem__(self, name: str) -> T:
        try:
            return self._found()[name]
        except KeyError:
            raise UserError(f"unknown {self.kind} '{name}'{nearest(name, self._entries)}; "
                            f"the choices are: {', '.join(sorted(self._entries))}.") from None

    def __contains__(self, name: object) -> bool:
        return name in self._found()

    def get(self, name: str, default: Any = None) -> Any:
        """The entry, or ``default``; that of a mapping waits for a ``KeyError``."""
        return self[name] if name in self else default  # noqa: SIM401

    def __setitem__(self, name: str, entry: T) -> None:
        if self._entries.get(name, entry) is not entry:
            raise ValueError(f"the {self.kind} '{name}' is registered already")
        self._entries[name] = entry

    def __delitem__(self, name: str) -> None:
        del self._found()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found())

    def __len__(self) -> int:
        return len(self._found())

    def register(self, name: str) -> Callable[[type], type]:
        """Returns a class decorator that registers its class under ``name``."""

        def add(entry: type) -> type:
            self[name] = entry  # type: ignore[assignment]
            return entry

        return add


def discover(package: str, path: Iterable[str]) -> None:
    """Imports every module of a package but its command, so that what they register is found.

    Args:
        package: its dotted name (``__name__`` inside its ``__init__``).
        path: its folders (``__path__``).
    """
    for module in pkgutil.iter_modules(path):
        if module.name != "__main__":
            importlib.import_module(f"{package}.{module.name}")


def on_demand(package: str, **homes: str) -> Callable[[str], Any]:
    """A ``__getattr__`` for a package that imports a name of its own only when somebody asks for it.

    Args:
        package: its dotted name (``__name__`` inside its ``__init__``).
        homes: the names, and the modules of the package that hold them.
    """
    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    return get


def nearest(name: str, choices: object) -> str:
    """`` (did you mean 'x'?)`` if one of ``choices`` resembles ``name``, else nothing."""
    found = difflib.get_close_matches(str(name), list(choices), n=1)  # type: ignore[call-overload]
    return f" (did you mean '{found[0]}'?)" if found else ""
