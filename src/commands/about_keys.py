"""What ``explain`` says of a key: by the declarations that the program itself reads, with who sets and who reads it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from ..config.declared import PACKAGES, registered, settings_declared
from ..config.files import FOLDER, names
from ..settings import CORE, Key
from ..settings.env_args import OF_FRAMEWORK, env_args_of
from ..settings.schema import in_words
from ..utils.bounded import read_text
from .catalogue import GameFile, Method, defaults, game_files, methods
from .tables import paragraph, table
from .wording import in_yaml, listed

ARGS = "env_args."
INDENT = "  "


def about_key(name: str) -> Iterator[str]:
    """About a key of configurations; a key that methods declare with different meanings is told for each meaning."""
    if name.startswith(ARGS):
        yield from _argument(name.removeprefix(ARGS).partition(".")[0])
        return
    root = name.partition(".")[0] if name.partition(".")[0] in ("recipes", "env_args") else name
    meanings: dict[tuple[str, str], list[Method]] = {}
    for each in methods():
        if root in each.keys:
            meanings.setdefault((each.keys[root].doc, in_words(each.keys[root])), []).append(each)
    for number, ((meaning, _), readers) in enumerate(meanings.items()):
        yield from [""] if number else []
        yield from paragraph(f"{root}: {meaning}")
        yield from table(_facts(root, readers), indent=INDENT)


def may_be_key(name: str) -> bool:
    """Whether all runs have a key of that name, or some method's file gives it a value; told without resolving them."""
    root = name.partition(".")[0]
    return root in CORE or any(re.search(rf"^{re.escape(root)}:", read_text(FOLDER / "algs" / f"{each}.yaml"), re.M)
                               for each in names("algs"))


@cache
def keys_of_parts() -> dict[str, dict[str, Key]]:
    """The keys of all controllers and learners, also of those that no method's file names."""
    return {f"{kind}={name}": settings_declared(kind, name).keys() for kind in PACKAGES for name in registered(kind)}


def about_key_of_part(name: str) -> Iterator[str]:
    """About a key that only parts read which no method's file names, and which are chosen on the command line."""
    for part, keys in keys_of_parts().items():
        if name in keys:
            yield from paragraph(f"{name}: {keys[name].doc}")
            yield from table([("values", in_words(keys[name])), ("default", "none: it must be given"),
                              ("decides", f"{keys[name].decides.value} ({keys[name].decides.name.lower()})"),
                              ("read by", f"runs with {part}")], indent=INDENT)
            return


def _facts(name: str, readers: Sequence[Method]) -> Iterator[tuple[str, str]]:
    """What there is to say about a key beside its meaning."""
    key = readers[0].keys[name]
    yield "values", in_words(key)
    if name in defaults():
        yield "default", in_yaml(defaults()[name])
    yield "decides", f"{key.decides.value} ({key.decides.name.lower()})"
    yield "read by", "every run" if len(readers) == len(methods()) else listed(each.name for each in readers)
    alike: dict[str, list[str]] = {}
    for each in readers:
        alike.setdefault(_set_by(each, name), []).append(each.name)
    if set_ := [f"{values} ({listed(users)})" for values, users in alike.items() if values]:
        yield "set by methods", "; ".join(set_)
    games = [f"{each.name} {in_yaml(each.content[name])}" for each in game_files()
             if name in each.content and name not in ("recipes", "env_args")]
    if games:
        yield "set by games", listed(games)


def _set_by(each: Method, name: str) -> str:
    """A method's own value of a key, and those for single games; empty if it has none."""
    games: dict[str, list[str]] = {}
    for game, values in each.per_env.items():
        if name in values:
            games.setdefault(in_yaml(values[name]), []).append(game)
    own = [in_yaml(each.own[name])] if name in each.own else []
    return ", ".join([*own, *(f"{value} on {' '.join(users)}" for value, users in games.items())])


def _argument(name: str) -> Iterator[str]:
    """About an argument of environments, game by game."""
    by_class: dict[type, list[GameFile]] = {}
    for each in game_files():
        if name in _args(each):
            by_class.setdefault(each.cls, []).append(each)
    for number, (cls, files) in enumerate(by_class.items()):
        key = _args(files[0])[name]
        yield from [""] if number else []
        yield from paragraph(f"{ARGS}{name} of {files[0].content['env']}: {key.doc}")
        yield from table([
            ("values", in_words(key)),
            ("default", listed(f"{each.name} {in_yaml(default_of(each, cls, name))}" for each in files)),
            ("decides", "what is learned: it is another game")], indent=INDENT)


def _args(each: GameFile) -> dict[str, Key]:
    return {**env_args_of(each.cls), **OF_FRAMEWORK}


def default_of(each: GameFile, cls: type, name: str) -> Any:
    """The value that a game's file gives an argument, else the one that its class does."""
    entry = inspect.signature(cls).parameters.get(name)
    given = None if entry is None or entry.default is entry.empty else entry.default
    return each.args.get(name, each.name if name == "map_name" else given)
