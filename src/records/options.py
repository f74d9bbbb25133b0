"""Sacred's options, and their values, checked before Sacred reads them: it would end in a traceback."""

from __future__ import annotations

import importlib.util
import logging
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError

#: Sacred's options: short form, long form with its value, what it does
OPTIONS: Sequence[tuple[str, str, str]] = (
    ("-F", "--file_storage=DIR", "also record the run in a folder"),
    ("-m", "--mongo_db=DB", "record it in MongoDB"),
    ("-s", "--sql=DB_URL", "record it in an SQL database"),
    ("-t", "--tiny_db=DIR", "record it in a TinyDB"),
    ("-S", "--s3=PATH", "record it in an S3 bucket"),
    ("-n", "--name=NAME", "name of the run in its records"),
    ("-i", "--id=ID", "its number in its records"),
    ("-c", "--comment=TEXT", "a comment in its records"),
    ("-P", "--priority=N", "its priority in a queue"),
    ("-q", "--queue", "refused: nothing would start the run later"),
    ("-u", "--unobserved", "record nothing"),
    ("-p", "--print-config", "print the configuration first"),
    ("-l", "--loglevel=LEVEL", "how much the console says: DEBUG, INFO, WARNING, ..."),
    ("-C", "--capture=WAY", "how output is captured: no, sys or fd"),
    ("-b", "--beat-interval=SECONDS", "time between two updates of the records"),
    ("-d", "--debug", "show whole tracebacks"),
    ("-D", "--pdb", "start a debugger where the run fails"),
    ("-f", "--force", "no warnings about suspicious changes"),
    ("-e", "--enforce_clean", "refused: records hold a digest of the code, not a commit"),
    ("-h", "--help", "print this"))
#: those that take the next word as their value
VALUED = {flag for short, long, _ in OPTIONS if "=" in long for flag in (short, long.partition("=")[0])}
CAPTURES = ("no", "sys", "fd")
LONGEST = 100  # letters of a run's number
#: options that mean nothing here, and why
REFUSED = {"--queue": "nothing would start the run later; leave it out, and run a sweep for many runs",
           "--enforce_clean": "Sacred's records here hold a digest of the code that decides a run, not a commit; "
                              "leave it out"}


def parted(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Options, with the words that are their values, and all other words."""
    options, others = list[str](), list[str]()
    for before, word in zip(["", *words], words, strict=False):
        (options if word.startswith("-") or before in VALUED else others).append(word)
    return options, others


def check_options(given: Mapping[str, Any]) -> None:
    """Checks the options of a command line, by their long names.

    Raises:
        UserError: a value that Sacred cannot use, or an option that means nothing here.
    """
    for option, why in REFUSED.items():
        if given.get(option):
            raise UserError(f"{option} is not possible: {why}.")
    said = {option: str(value) for option, value in given.items() if value is not None and value is not False}
    if (level := said.get("--loglevel")) is not None and \
            not (re.fullmatch("[0-9]{1,9}", level) or level.upper() in logging.getLevelNamesMapping()):
        names = ", ".join(logging.getLevelNamesMapping())
        raise UserError(f"--loglevel={level} must be one of {names}, or a whole number.")
    if (way := said.get("--capture")) is not None and way not in CAPTURES:
        raise UserError(f"--capture={way} must be one of {', '.join(CAPTURES)}.")
    if (priority := said.get("--priority")) is not None and not re.fullmatch("[+-]?[0-9]{1,9}", priority):
        raise UserError(f"--priority={priority} must be a whole number.")
    if (beat := said.get("--beat-interval")) is not None and not _is_time(beat):
        raise UserError(f"--beat-interval={beat} must be a number of seconds above 0.")
    if (number := said.get("--id")) is not None and not re.fullmatch(rf"\w[\w.-]{{0,{LONGEST - 1}}}", number):
        raise UserError(f"--id={number} must be a number or a word of at most {LONGEST} letters, since it names the "
                        "folder of the record.")
    if "--s3" in said and importlib.util.find_spec("boto3") is None:
        raise UserError("--s3 needs the package boto3: pip install boto3.")
    if (place := said.get("--file_storage")) is not None and (place.strip() == "" or _is_file(place)):
        raise UserError(f"--file_storage={place} must name a folder, or one that can be made.")


def _is_time(text: str) -> bool:
    try:
        return 0 < float(text) < math.inf
    except ValueError:
        return False


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False
