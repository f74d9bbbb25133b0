"""``explain``: what a key, a method or a game means, told by the declarations that the program itself reads."""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from ..config.declared import PACKAGES, registered, settings_declared
from ..config.files import FOLDER, names
from ..errors import UserError
from ..settings import CORE, Key
from ..settings.schema import OF_FRAMEWORK, env_args_of, in_words, nearest_key
from ..utils.bounded import read_text
from .catalogue import (
    GameFile,
    Method,
    about,
    defaults,
    game_file,
    game_files,
    given,
    head_of,
    method,
    methods,
    remarks,
)
from .helping import verb_help
from .listing import mixture_of
from .tables import paragraph, table
from .verbs import VERBS

ARGS = "env_args."
INDENT = "  "


def main(argv: Sequence[str]) -> int:
    """Prints what the words mean; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="epymarl-cpa explain",
        description="Say what a key of a configuration means, or what a method or a game is and how it is set.")
    parser.add_argument("name", nargs="+", help="a key (alpha, env_args.rows), a method (cpa_pa), a game (sensor)")
    try:
        print("\n\n".join("\n".join(explain(name)) for name in parser.parse_args(argv).name))
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    return 0


def explain(name: str) -> list[str]:
    """Lines about everything that has a name.

    Raises:
        UserError: nothing has; it names what resembles it.
    """
    name = name.partition("=")[0] if not name.endswith((".yaml", ".yml")) else name
    found = [*_key(name)] if _may_be_key(name) else []
    if name in names("algs"):
        found += [*_apart(found), *_method(method(name))]
    if name in names("envs"):
        found += [*_apart(found), *_game(game_file(name))]
    if name.endswith((".yaml", ".yml")):
        found += _file(name)
    if name in VERBS:
        found += [*_apart(found), verb_help(name)]
    found = found or [*_key_of_part(name)]
    if not found:
        keys = known_keys()
        raise UserError(f"nothing is called '{name}'{nearest_key(name, [*keys, *names('algs'), *names('envs')])}; "
                        "'list' shows methods and games, 'explain METHOD' a method's keys, 'explain GAME' the "
                        "arguments of a game (env_args.KEY).")
    return found


def known_keys() -> list[str]:
    """All keys that some method has, and the arguments of all games."""
    keys = dict.fromkeys([*CORE, *(key for each in methods() for key in each.keys),
                          *(key for declared in _parts().values() for key in declared)])
    args = {f"{ARGS}{arg}" for each in game_files() for arg in each.args}
    return [*keys, *sorted(args)]


def _apart(found: Sequence[str]) -> list[str]:
    return [""] if found else []


# ----------------------------------------------------------------------------------------------- keys
def _key(name: str) -> Iterator[str]:
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


def _may_be_key(name: str) -> bool:
    """Whether all runs have a key of that name, or some method's file gives it a value; told without resolving them."""
    root = name.partition(".")[0]
    return root in CORE or any(re.search(rf"^{re.escape(root)}:", read_text(FOLDER / "algs" / f"{each}.yaml"), re.M)
                               for each in names("algs"))


@cache
def _parts() -> dict[str, dict[str, Key]]:
    """The keys of all controllers and learners, also of those that no method's file names."""
    return {f"{kind}={name}": settings_declared(kind, name).keys() for kind in PACKAGES for name in registered(kind)}


def _key_of_part(name: str) -> Iterator[str]:
    """About a key that only parts read which no method's file names, and which are chosen on the command line."""
    for part, keys in _parts().items():
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
        yield "default", _value(defaults()[name])
    yield "decides", f"{key.decides.value} ({key.decides.name.lower()})"
    yield "read by", "every run" if len(readers) == len(methods()) else _listed(each.name for each in readers)
    alike: dict[str, list[str]] = {}
    for each in readers:
        alike.setdefault(_set_by(each, name), []).append(each.name)
    if set_ := [f"{values} ({_listed(users)})" for values, users in alike.items() if values]:
        yield "set by methods", "; ".join(set_)
    games = [f"{each.name} {_value(each.content[name])}" for each in game_files()
             if name in each.content and name not in ("recipes", "env_args")]
    if games:
        yield "set by games", _listed(games)


def _set_by(each: Method, name: str) -> str:
    """A method's own value of a key, and those for single games; empty if it has none."""
    games: dict[str, list[str]] = {}
    for game, values in each.per_env.items():
        if name in values:
            games.setdefault(_value(values[name]), []).append(game)
    own = [_value(each.own[name])] if name in each.own else []
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
            ("default", _listed(f"{each.name} {_value(_default(each, cls, name))}" for each in files)),
            ("decides", "what is learned: it is another game")], indent=INDENT)


def _args(each: GameFile) -> dict[str, Key]:
    return {**env_args_of(each.cls), **OF_FRAMEWORK}


def _default(each: GameFile, cls: type, name: str) -> Any:
    """The value that a game's file gives an argument, else the one that its class does."""
    entry = inspect.signature(cls).parameters.get(name)
    given = None if entry is None or entry.default is entry.empty else entry.default
    return each.args.get(name, each.name if name == "map_name" else given)


# -------------------------------------------------------------------------------------------- methods
def _method(each: Method) -> Iterator[str]:
    """About a method: how it acts, its keys, and what it sets for all runs and for single games."""
    said = remarks(each.path)
    yield from paragraph(f"{each.name}: {' '.join(head_of(each.path)) or about(each.path)}")
    bases = [path.stem for path, _ in each.chain[:-1]]
    yield from table([("acts", each.acts), ("parts", _assigned(each.config, ("learner", "mac", "runner"))),
                      *([("extends", ", ".join(bases))] if bases else []),
                      ("try", f"epymarl-cpa train {given(each.path)} xor")], indent=INDENT)
    own = [(name, _value(each.config[name]), _remarked(key.doc, said.get(name)))
           for name, key in each.keys.items() if name not in CORE and name in each.config]
    if own:
        yield from ["", "Its own keys, with their values:", *table(own, indent=INDENT)]
    others = [(name, _value(value), _remarked(CORE[name].doc, said.get(name))) for name, value in each.own.items()
              if name in CORE and value != defaults()[name] and name not in ("name", "mac", "learner", "runner")]
    if others:
        yield from ["", "What it sets otherwise than default.yaml:", *table(others, indent=INDENT)]
    if each.per_env:
        yield from ["", "For single games:",
                    *table([(game, _assigned(values, values)) for game, values in each.per_env.items()], indent=INDENT)]


def _remarked(meaning: str, remark: str | None) -> str:
    return f"{meaning} (here: {remark})" if remark else meaning


# ---------------------------------------------------------------------------------------------- games
def _game(each: GameFile) -> Iterator[str]:
    """About a game: its rules as its class tells them, its arguments, what it sets, and its data."""
    yield from paragraph(f"{each.name}: {' '.join(head_of(each.path)) or about(each.path)}")
    yield from table([("agents x actions", each.sizes), ("needs", each.needs),
                      ("try", f"epymarl-cpa train cpa_ar {given(each.path)}")], indent=INDENT)
    yield from ["", *paragraph(_rules(each.cls), INDENT)]
    args = [(name, _value(_default(each, each.cls, name)), in_words(key), key.doc)
            for name, key in env_args_of(each.cls).items()]
    yield from ["", f"Its arguments ({ARGS}KEY=VALUE), with their values:", *table(args, indent=INDENT)]
    said = remarks(each.path)
    keys = [(name, _value(value), _remarked(CORE[name].doc, said.get(name)))
            for name, value in each.content.items() if name in CORE and name not in ("env", "env_args", "recipes")]
    if keys:
        yield from ["", "What it sets otherwise than default.yaml:", *table(keys, indent=INDENT)]
    recipes = each.content.get("recipes") or {}
    yield from ["", "Its data sets (dataset=NAME):",
                *table([(name, f"{recipe.get('episodes')} episodes", mixture_of(recipe))
                        for name, recipe in recipes.items()], indent=INDENT)]


def _rules(cls: type) -> str:
    """What the docstring of a game says before its arguments, without markup."""
    text = inspect.cleandoc(cls.__doc__ or "").partition("\nArgs:")[0]
    return re.sub(r"``|:\w+:`[.~]*(\w+)`", r"\1", " ".join(text.split()))


# ---------------------------------------------------------------------------------------------- files
def _file(name: str) -> list[str]:
    """About a YAML file of the user's own, of a game or of a method.

    Raises:
        UserError: it is neither, or cannot be read.
    """
    own = game_file(name)  # it says so if there is no such file
    from ..config.reading import read_yaml

    return [*_game(own)] if "env" in read_yaml(own.path) else [*_method(method(name))]


# ---------------------------------------------------------------------------------------------- words
def _value(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return '""' if value == "" else str(value)


def _assigned(values: Mapping[str, Any], keys: Any) -> str:
    return " ".join(f"{key}={_value(values[key])}" for key in keys)


def _listed(words: Any) -> str:
    return ", ".join(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
