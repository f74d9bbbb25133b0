"""Which code, versions and rules make a result: what rows, records and checkpoints say about their origin."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import platform
from collections.abc import Container, Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

from .controllers import REGISTRY as MACS
from .envs import REGISTRY as GAMES
from .envs.game import Game
from .learners import REGISTRY as LEARNERS
from .runners import REGISTRY as RUNNERS

PACKAGE = Path(__file__).parent
#: where no code lies that decides what is learned, though learning imports it: paths in the package, without endings
ASIDE = ("cli", "config", "data/formats", "envs/gym_adapter", "envs/parallel", "envs/picture", "envs/rendering",
         "errors", "experiments", "host", "observers", "provenance", "recording", "settings", "utils")
#: modules that every run goes through
ALWAYS = ("run.py", "build.py")
#: environments that stand for those of other packages
OF_PACKAGES = ("gymma", "pettingzoo")


def provenance(config: Mapping[str, Any], game: Game, also: tuple[Path, ...] = ()) -> dict[str, Any]:
    """What a result of this process is made by, as plain JSON.

    Args:
        config: the resolved configuration.
        game: that is played.
        also: further files of code that decide the result, such as those that train stacked seeds.
    """
    return {"code": code_digest(config, also), "versions": versions(config), "rules": game.rules()}


def code_digest(config: Mapping[str, Any], also: tuple[Path, ...] = ()) -> str:
    """Twelve hexadecimal digits for the code that decides what a run of this configuration learns and measures.

    It covers the files of the learner, the controller, the runner and the game, of what all runs share, and of all
    that these import from this package, apart from what is :data:`ASIDE`.  Comments, docstrings and the way in which
    code is laid out make no difference, and neither does the code of other methods and games.

    Args:
        config: the resolved configuration.
        also: further files to start from.

    Raises:
        UserError: there is no such learner, controller, runner or game.
    """
    return _code_digest(*(str(config[key]) for key in ("learner", "mac", "runner", "env")), also)


def versions(config: Mapping[str, Any]) -> dict[str, str]:
    """Versions of Python, of what computes, and of the package that holds the environment, if one does."""
    return {"python": platform.python_version(), **{name: version(name) for name in ("torch", "numpy")},
            **_environment(str(config["env"]), str(config["env_args"].get("key", "")))}


def digest_of(roots: Iterable[Path], package: Path, without: Container[Path] = ()) -> str:
    """Digest of the code in ``roots`` and in all files of ``package`` that it imports, without what is :data:`ASIDE`.

    Args:
        roots: files, inside the package or not.
        package: its folder.
        without: further files that are left out where they are imported.
    """
    found: dict[str, str] = {}
    waiting = [file.resolve() for file in roots]
    package = package.resolve()
    while waiting:
        file = waiting.pop()
        name = file.relative_to(package).as_posix() if file.is_relative_to(package) else file.name
        if name in found:
            continue
        found[name], imported = _read(file, file.stat().st_mtime_ns)
        waiting += [other for other in imported if _decides(other, package) and other not in without]
    return hashlib.sha256(json.dumps(sorted(found.items())).encode()).hexdigest()[:12]


@cache
def _code_digest(learner: str, mac: str, runner: str, env: str, also: tuple[Path, ...]) -> str:
    parts = (LEARNERS[learner], MACS[mac], RUNNERS[runner], GAMES[env])
    shared = [PACKAGE / name for name in ALWAYS]
    own = {_file(part) for part in GAMES[env].__mro__ if part.__module__ != "builtins"}
    others = {_file(game) for game in GAMES.values()} - own
    return digest_of([*map(_file, parts), *shared, *also], PACKAGE, without=others)


def _file(part: type) -> Path:
    return Path(inspect.getfile(part)).resolve()


@cache
def _read(file: Path, changed: int) -> tuple[str, tuple[Path, ...]]:
    """Digest of one file's code, and the files that it imports; ``changed``, its time, keeps old readings from use."""
    tree = ast.parse(file.read_bytes(), str(file))
    return hashlib.sha256(json.dumps(_plain(tree)).encode()).hexdigest(), tuple(_imported(tree, file))


def _decides(file: Path, package: Path) -> bool:
    """Whether a file of the package is none of those :data:`ASIDE`; those of other packages are not followed."""
    if not file.is_relative_to(package):
        return False
    name = file.relative_to(package).with_suffix("").as_posix()
    return name != "__init__" and not any(name == aside or name.startswith(f"{aside}/") for aside in ASIDE)


def _imported(tree: ast.AST, file: Path) -> Iterator[Path]:
    """The files that relative imports mean, wherever in the module they stand; a package means its ``__init__.py``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            place = file.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            for target in (place, *(place / alias.name for alias in node.names)):
                for found in (target.with_suffix(".py"), target / "__init__.py"):
                    if found.is_file():
                        yield found


def _plain(node: object) -> object:
    """A syntax tree as lists without docstrings, places and empty fields, the same in all versions of Python."""
    if isinstance(node, list):
        return [_plain(each) for each in node]
    if not isinstance(node, ast.AST):
        return node if isinstance(node, str | int | bool | None) else repr(node)
    fields = {name: value for name, value in ast.iter_fields(node) if value not in (None, [])}
    body = fields.get("body")
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node):
        fields["body"] = body[1:] if isinstance(body, list) else body
    return [type(node).__name__, {name: _plain(value) for name, value in fields.items()}]


@cache
def _environment(env: str, key: str) -> dict[str, str]:
    """The distributions that hold the environment of another package, with their versions."""
    if env not in OF_PACKAGES:
        return {}
    module = _module(env, key).partition(":")[0].partition(".")[0]
    names = packages_distributions().get(module, ["pettingzoo" if env == "pettingzoo" else "gymnasium"])
    return {name: version(name) for name in dict.fromkeys(names)}


def _module(env: str, key: str) -> str:
    """The module that an environment's key begins with, or that Gymnasium knows to hold it."""
    if env != "gymma" or ":" in key:
        return key
    import gymnasium  # here, since the other games do without

    entry = getattr(gymnasium.registry.get(key), "entry_point", None)
    return entry if isinstance(entry, str) else str(getattr(entry, "__module__", ""))
