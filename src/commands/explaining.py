"""``explain``: what a key, a method or a game means, told by the declarations that the program itself reads."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ..config.files import names
from ..errors import UserError
from ..settings import CORE
from ..settings.schema import nearest_key
from .about_files import about_game, about_method
from .about_keys import ARGS, about_key, about_key_of_part, keys_of_parts, may_be_key
from .catalogue import game_file, game_files, method, methods
from .helping import verb_help
from .verbs import VERBS


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
    found = [*about_key(name)] if may_be_key(name) else []
    if name in names("algs"):
        found += [*_apart(found), *about_method(method(name))]
    if name in names("envs"):
        found += [*_apart(found), *about_game(game_file(name))]
    if name.endswith((".yaml", ".yml")):
        found += _file(name)
    if name in VERBS:
        found += [*_apart(found), verb_help(name)]
    found = found or [*about_key_of_part(name)]
    if not found:
        keys = known_keys()
        raise UserError(f"nothing is called '{name}'{nearest_key(name, [*keys, *names('algs'), *names('envs')])}; "
                        "'list' shows methods and games, 'explain METHOD' a method's keys, 'explain GAME' the "
                        "arguments of a game (env_args.KEY).")
    return found


def known_keys() -> list[str]:
    """All keys that some method has, and the arguments of all games."""
    keys = dict.fromkeys([*CORE, *(key for each in methods() for key in each.keys),
                          *(key for declared in keys_of_parts().values() for key in declared)])
    args = {f"{ARGS}{arg}" for each in game_files() for arg in each.args}
    return [*keys, *sorted(args)]


def _apart(found: Sequence[str]) -> list[str]:
    return [""] if found else []


def _file(name: str) -> list[str]:
    """About a YAML file of the user's own, of a game or of a method.

    Raises:
        UserError: it is neither, or cannot be read.
    """
    own = game_file(name)  # it says so if there is no such file
    from ..config.reading import read_yaml

    return [*about_game(own)] if "env" in read_yaml(own.path) else [*about_method(method(name))]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
