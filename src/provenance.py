"""Which code, versions and rules make a result: what rows, records and checkpoints say about their origin."""

from __future__ import annotations

import inspect
import platform
from collections.abc import Container, Iterable, Mapping
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

from .controllers import REGISTRY as MACS
from .envs import REGISTRY as GAMES
from .envs.game import Game
from .learners import REGISTRY as LEARNERS
from .modules.encoders import REGISTRY as ENCODERS
from .runners import REGISTRY as RUNNERS
from .utils.sources import Source, digest, read

PACKAGE = Path(__file__).parent
#: where no code lies that decides what is learned, though learning imports it: paths in the package, without endings
ASIDE = ("cli", "config", "data/formats", "envs/gym_adapter", "envs/parallel", "envs/picture", "envs/rendering",
         "controllers/settings", "errors", "experiments", "host", "learners/settings", "learners/teaching_settings",
         "modules/settings", "observers", "provenance", "recording", "settings", "utils")
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
    agent = str(config["agent"]) if config["use_rnn"] else ""
    return _code_digest(*(str(config[key]) for key in ("learner", "mac", "runner", "env")), agent, also)


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
        found[name], others = _read(file, package, file.stat().st_mtime_ns)
        waiting += [other for other in others if _decides(other, package) and other not in without]
    return digest(sorted(found.items()))


@cache
def _code_digest(learner: str, mac: str, runner: str, env: str, agent: str, also: tuple[Path, ...]) -> str:
    parts = (LEARNERS[learner], MACS[mac], RUNNERS[runner], GAMES[env], *([ENCODERS[agent]] if agent else []))
    shared = [PACKAGE / name for name in ALWAYS]
    own = {file for part in GAMES[env].__mro__ if part.__module__ != "builtins" for file in _files(part)}
    others = {file for game in GAMES.values() for file in _files(game)} - own
    return digest_of([*map(_file, parts), *shared, *also], PACKAGE, without=others)


def _file(part: type) -> Path:
    return Path(inspect.getfile(part)).resolve()


def _files(game: type) -> set[Path]:
    """The file of a game's class; where it has a folder of its own, all that is in there."""
    file = _file(game)
    alone = file.parent == PACKAGE / "envs" or PACKAGE / "envs" not in file.parents
    return {file} if alone else set(file.parent.rglob("*.py"))


@cache
def _read(file: Path, package: Path, changed: int) -> tuple[str, tuple[Path, ...]]:
    """Digest of a file's statements, and the files that it imports; ``changed``, its time, keeps old readings apart."""
    if file.is_relative_to(package):
        parts = (__name__.partition(".")[0], *file.relative_to(package).with_suffix("").parts)
        source = Source(".".join(part for part in parts if part != "__init__"), file, package)
    else:
        source = Source(file.stem, file, file)
    statements, others = read(source)
    return digest(statements), tuple(other.file for other in others)


def _decides(file: Path, package: Path) -> bool:
    """Whether a file of the package is none of those :data:`ASIDE`; those of other packages are not followed."""
    if not file.is_relative_to(package):
        return False
    name = file.relative_to(package).with_suffix("").as_posix()
    return name != "__init__" and not any(name == aside or name.startswith(f"{aside}/") for aside in ASIDE)


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
