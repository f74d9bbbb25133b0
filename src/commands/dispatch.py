"""The program in all its forms: verbs, the long line of EPyMARL's shape, Sacred's commands, a guest in EPyMARL."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence

from ..errors import UserError, clipped
from ..utils.garbage import starting
from ..utils.process import ending_at_once, print_any_name, program, told_if_interrupted
from ..utils.registry import nearest
from .helping import COMMANDS, GUEST, asks_for_help, program_help, verb_help
from .verbs import VERBS


def entry(argv: Sequence[str]) -> int:
    """Runs a command line.

    Args:
        argv: with the program's name first.

    Returns:
        The exit status: 0 on success, 1 for a failure, 2 for a user's mistake (told in one sentence), 130 after
        SIGINT or SIGTERM.
    """
    print_any_name()
    try:
        return _run(argv)
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, say `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(argv: Sequence[str]) -> int:
    words = list(argv[1:])
    if any(word.split("=")[0] == GUEST for word in words):
        return _main_of("host.launcher")(argv)
    if words[:1] == ["help"] and words[1:2] and words[1] in VERBS:
        words = [words[1], "--help"]
    if not words or words[0] in ("-h", "--help") or words == ["help"]:
        print(program_help(program(argv[0])))
        return 0 if words else 2
    if words[0] in VERBS:
        return _do(words[0], words[1:], argv[0])
    _check_word(words[0])
    from .training import long_line

    return long_line([argv[0], *words])


def _do(name: str, words: Sequence[str], program_name: str) -> int:
    """Does what a verb says.

    Raises:
        UserError: it needs other words.
    """
    verb = VERBS[name]
    if verb.module == "host.launcher":
        if asks_for_help(words):
            print(verb_help(name))
            return 0
        if len(words) != 1:
            raise UserError(f"epymarl-cpa {name} needs the folder of an EPyMARL checkout and nothing else.")
        return _main_of(verb.module)([program_name, name, *words])
    if verb.module == "commands.training":
        from .training import do

        return do(name, program_name, words)
    return told_if_interrupted(lambda: _main_of(verb.module)([*verb.first, *words]))


def _main_of(module: str) -> Callable[[Sequence[str]], int]:
    """The function ``main`` of a module of this package."""
    with starting(), ending_at_once():  # importing may take seconds, in which nothing is lost
        main: Callable[[Sequence[str]], int] = importlib.import_module(f"...{module}", __name__).main
    return main


def _check_word(word: str) -> None:
    """Refuses a first word that is no verb, no option, no command of Sacred's and no setting.

    Raises:
        UserError: naming what resembles it.
    """
    known = [*VERBS, *COMMANDS]
    if word.startswith("-") or "=" in word or word in (*known, "with", "help"):
        return
    resembling = nearest(word, VERBS) or nearest(word, COMMANDS)
    raise UserError(f"unknown command '{clipped(word)}'{resembling}; the choices are: {', '.join(VERBS)}; "
                    f"and Sacred's: {', '.join(COMMANDS)}.")
