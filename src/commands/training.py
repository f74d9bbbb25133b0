"""``train``, ``evaluate`` and ``resume``: short forms of the long line, and the long line itself."""

from __future__ import annotations

from collections.abc import Sequence

from ..config.early import check_early
from ..config.reading import take_option
from ..errors import UserError, clipped
from ..records.options import OPTIONS, VALUED
from ..utils.bounded import is_there
from ..utils.files import named_path
from ..utils.garbage import starting
from ..utils.process import ending_at_once
from .helping import COMMANDS, asks_for_help, verb_help

NOTES = {
    "train": "The same as --config=METHOD --env-config=GAME [OPTIONS] with KEY=VALUE ...; 'list' shows methods and\n"
             "games, 'explain KEY' what a key means.",
    "evaluate": "MODEL is the folder of a run's models, as the run printed it, or one checkpoint in it.  The game and\n"
                "all settings are those of the run, but for what is given here.",
    "resume": "'last' is the newest run under results that is not at its end; FOLDER is that of its record or of its\n"
              "models.  The run goes on with the same bits, in the same record."}


def do(verb: str, program: str, words: Sequence[str]) -> int:
    """Does ``train``, ``evaluate`` or ``resume``; returns the exit status.

    Args:
        verb: which.
        program: name of the program.
        words: after the verb.

    Raises:
        UserError: what must be there is missing, or anything that can be told without training is wrong.
    """
    if asks_for_help(words):
        options = "\n".join(f"  {short}, {long:<24}  {what}" for short, long, what in OPTIONS)
        print(f"{verb_help(verb)}\n\n{NOTES[verb]}\n\nSacred's options:\n{options}")
        return 0
    return long_line([program, *LINES[verb](list(words))])


def long_line(argv: Sequence[str]) -> int:
    """Runs the long line; names, keys and values that are wrong are told before anything large is imported.

    Raises:
        UserError: something is wrong with them.
    """
    with starting():
        check_line(argv)
        with ending_at_once():  # importing all that it needs takes seconds, in which nothing is lost
            from .. import cli
        return cli.main(argv)


def check_line(argv: Sequence[str]) -> None:
    """What can be told of a long line at once.

    Raises:
        UserError: an unknown method, game or key, or a bad value.
    """
    words = list(argv[1:])
    place = words.index("with") if "with" in words else len(words)
    options, updates = words[:place], [word for word in words[place + 1:] if not word.startswith("-")]
    if any(word.startswith("resume=") for word in words) or asks_for_help(options) or "help" in options:
        return
    alg, env = take_option(options, "--config"), take_option(options, "--env-config")
    if alg and env:
        check_early(alg, env, updates)


def _train(words: list[str]) -> list[str]:
    """``METHOD GAME`` and what follows as the long line; a line that is long already stays."""
    if any(word.startswith(("--config", "--env-config")) for word in words):
        return words
    names = [word for word in words[:2] if not word.startswith("-") and "=" not in word and word != "with"]
    if len(names) < 2:
        raise UserError("train needs a method and a game, in this order, before anything else: train cpa_ar sensor; "
                        "'list methods' and 'list games' show the choices.")
    return _line([f"--config={names[0]}", f"--env-config={names[1]}"], words[2:])


def _evaluate(words: list[str]) -> list[str]:
    if not words or words[0].startswith("-") or "=" in words[0]:
        raise UserError("evaluate needs the folder of a run's models, as the run printed it: "
                        "evaluate results/models/<run>")
    if not is_there(named_path(words[0])):
        raise UserError(f"there is no model {clipped(words[0])}; give the folder that a run printed as its model.")
    return _line([f"--evaluate={words[0]}"], words[1:])


def _resume(words: list[str]) -> list[str]:
    named = bool(words) and not words[0].startswith("-") and "=" not in words[0] and words[0] != "with"
    return _line([], words[named:], [f"resume={words[0] if named else 'last'}"])


def _line(options: list[str], words: Sequence[str], updates: Sequence[str] = ()) -> list[str]:
    """Options and commands of Sacred's before ``with``, settings after it."""
    settings = list(updates)
    for before, word in zip(["", *words], words, strict=False):
        if word.startswith("-") or before in VALUED or word in COMMANDS:
            options.append(word)
        elif word != "with":
            settings.append(word)
    return [*options, *(["with", *settings] if settings else [])]


LINES = {"train": _train, "evaluate": _evaluate, "resume": _resume}
