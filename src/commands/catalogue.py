"""The methods and games that there are, told by their YAML files: one that is new is found because it is there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config.declared import acts_declared, keys_declared
from ..config.files import FOLDER, algorithms, find_config, names, read_env_file
from ..config.reading import merge, read_yaml
from ..errors import UserError
from ..settings import Key
from ..utils.bounded import read_text
from ..utils.libraries import is_installed

if TYPE_CHECKING:
    from ..envs import Game

#: what a comment begins with that is about a value in its file, not about the key
HERE = "here: "
SIZES = re.compile(r"Agents x actions: (\d+ x \d+)")


def head_of(path: Path) -> list[str]:
    """The comment at the beginning of a YAML file, line by line; the first line says what the file is."""
    found: list[str] = []
    for line in read_text(path).splitlines():
        if not line.startswith("#"):
            break
        found.append(line.lstrip("# ").rstrip())
    return found


def about(path: Path) -> str:
    """The first sentence or line of a YAML file's comment; a file without one is told by its name."""
    head = " ".join(head_of(path))
    return re.split(r"(?<=[a-z)\]])\.\s", f"{head} ")[0].rstrip(". ") if head else f"the file {path.name}"


def remarks(path: Path) -> dict[str, str]:
    """What comments say of the values in a YAML file, by key."""
    lines = re.findall(r"^(\w+):.*?[ \t]# (.*)$", read_text(path), re.M)
    return {key: text.removeprefix(HERE) for key, text in lines if text.startswith(HERE)}


def given(path: Path) -> str:
    """How a command names a YAML file: one of ours by its name, others by their path."""
    return path.stem if path.resolve().is_relative_to(FOLDER.resolve()) else shlex.quote(str(path))


@cache
def defaults() -> Mapping[str, Any]:
    """The values of ``default.yaml``."""
    return read_yaml(FOLDER / "default.yaml")


@dataclass(frozen=True)
class Method:
    """A method: a file of ``config/algs``.

    Attributes:
        name: value of ``--config``.
        path: of the file.
    """

    name: str
    path: Path

    @cached_property
    def chain(self) -> list[tuple[Path, dict[str, Any]]]:
        """The contents of the file and of those that it extends, itself last, without ``per_env``."""
        return [(path, {key: value for key, value in content.items() if key != "per_env"})
                for path, content in algorithms(self.path)]

    @cached_property
    def own(self) -> dict[str, Any]:
        """What the files set."""
        whole: dict[str, Any] = {}
        for _, content in self.chain:
            whole = merge(whole, content)
        return whole

    @cached_property
    def config(self) -> dict[str, Any]:
        """The same, with the defaults of all runs."""
        return merge(defaults(), self.own)

    @cached_property
    def keys(self) -> dict[str, Key]:
        """Its keys, with those of every run."""
        return keys_declared(self.config)

    @cached_property
    def per_env(self) -> dict[str, dict[str, Any]]:
        """What it sets for single games."""
        whole: dict[str, dict[str, Any]] = {}
        for _, content in algorithms(self.path):
            for game, values in (content.get("per_env") or {}).items():
                whole[game] = merge(whole.get(game, {}), values)
        return whole

    @property
    def acts(self) -> str:
        """How its team acts, in a phrase."""
        return acts_declared(str(self.config["mac"])) or f"as {self.config['mac']} does"


@dataclass(frozen=True)
class GameFile:
    """A game: a file of ``config/envs``.

    Attributes:
        name: value of ``--env-config``.
        path: of the file.
    """

    name: str
    path: Path

    @cached_property
    def content(self) -> dict[str, Any]:
        """What the file says."""
        return read_env_file(self.name if self.path.is_relative_to(FOLDER) else str(self.path))

    @property
    def about(self) -> str:
        """What it is about, without its name in front."""
        said = about(self.path)
        name, colon, rest = said.partition(": ")
        return rest if colon and len(name.split()) == 1 else said

    @cached_property
    def args(self) -> dict[str, Any]:
        """The environment's arguments."""
        return dict(self.content.get("env_args") or {})

    @cached_property
    def cls(self) -> type[Game]:
        """The class of the game."""
        from ..envs import REGISTRY as GAMES  # here: it takes a moment

        return GAMES[self.content["env"]]

    @property
    def sizes(self) -> str:
        """Agents x actions; those of another package's environment are told by the file, or any."""
        if not self.cls.pure:
            said = SIZES.search(" ".join(head_of(self.path)))
            return said[1] if said else "any"
        from ..envs import make_game, own_args

        game = make_game(self.content["env"], **own_args(self.args))
        return f"{game.n_agents} x {game.n_actions}"

    @property
    def needs(self) -> str:
        """The package that it needs beside this one, how to install that, and whether it is there."""
        from ..envs.external import ExternalGame
        from ..envs.trust import how_to_install

        key = str(self.args.get("key", ""))
        module = self.cls.module_of_key(key) if issubclass(self.cls, ExternalGame) else None
        top = (module or "").partition(".")[0]
        if not top:
            return "-"
        try:
            install = how_to_install(top)
        except KeyError:  # a package that only the user knows
            install = "see its own page"
        return f"{top} (installed)" if is_installed(top) else f"{top} (not installed: {install})"


def method(name: str) -> Method:
    """A method by its name or the path of its file.

    Raises:
        UserError: there is none.
    """
    path = find_config("algs", name)
    return Method(path.stem, path)


def game_file(name: str) -> GameFile:
    """A game by its name or the path of its file.

    Raises:
        UserError: there is none.
    """
    path = find_config("envs", name)
    return GameFile(path.stem, path)


@cache
def methods() -> tuple[Method, ...]:
    """All methods whose files can be read."""
    return tuple(each for each in map(method, names("algs")) if not trouble(each))


@cache
def game_files() -> tuple[GameFile, ...]:
    """All games whose files can be read."""
    return tuple(each for each in map(game_file, names("envs")) if not trouble(each))


def trouble(each: Method | GameFile) -> str:
    """Why a file cannot be read; empty if it can."""
    try:
        _ = each.keys if isinstance(each, Method) else each.args
    except (UserError, ValueError, TypeError) as error:
        return str(error)
    return ""
