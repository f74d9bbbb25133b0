"""The Sacred experiment behind ``main.py``."""

from __future__ import annotations

import copy
import logging
import os
import signal
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

with warnings.catch_warnings():
    # Sacred 0.8 still imports pkg_resources, which announces its own end at length.
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
    from sacred import SETTINGS, Experiment
    from sacred.observers import FileStorageObserver
    from sacred.utils import SacredError

from .config import parse_words, resolve
from .errors import UserError
from .run import run
from .utils.logging import get_logger

USAGE = "python src/main.py --config=<algorithm> --env-config=<environment> [sacred options] [with key=value ...]"


class Error(SacredError):
    """A user's mistake, which Sacred prints without a traceback."""

    def __init__(self, message: str) -> None:
        super().__init__(message, print_traceback=False, print_usage=False)


def main(argv: Sequence[str]) -> int:
    """Runs the command line ``argv`` (with the program's name first).

    Returns:
        The exit status: 0 on success, 2 for a user's mistake (told in one sentence).
    """
    try:
        experiment, line = build(argv)
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        experiment.run_commandline(line)
    except KeyboardInterrupt:
        return 130
    except SystemExit as end:  # Sacred has printed what went wrong
        return end.code if isinstance(end.code, int) else 1
    return 0


def entry() -> int:
    """The console script ``epymarl-cpa``."""
    return main(sys.argv)


def _interrupt(signum: int, frame: Any) -> None:
    raise KeyboardInterrupt


def build(argv: Sequence[str]) -> tuple[Experiment, list[str]]:
    """The experiment with its resolved defaults, and the command line left for Sacred.

    Raises:
        UserError: a bad option, configuration key or value, or an unwritable results folder.
    """
    rest = list(argv[1:])
    alg, env = _take(rest, "--config"), _take(rest, "--env-config")
    if {"-h", "--help", "help"} & set(rest[:1]) and not (alg and env):
        alg, env = alg or "cpa_ar", env or "xor"
    if not alg or not env:
        raise UserError(f"--config and --env-config are both needed: {USAGE}")
    options, words = (rest[: rest.index("with")], rest[rest.index("with") + 1:]) if "with" in rest else (rest, [])
    loose = [word for word in options if "=" in word and not word.startswith("-")]
    if loose:
        raise UserError(f"'{loose[0]}' must come after the word 'with': {USAGE}")
    defaults, chosen = resolve(alg, env), resolve(alg, env, words)
    SETTINGS["CAPTURE_MODE"] = "sys"
    SETTINGS["CONFIG"]["READ_ONLY_CONFIG"] = False
    experiment = Experiment(chosen["name"], base_dir=str(Path(__file__).parent), save_git_info=False)
    experiment.logger = get_logger()
    experiment.add_config(_without_unset_seed(defaults))
    command = next((option for option in options if not option.startswith("-")), None)
    folder = Path(chosen["local_results_path"])
    if command is None:
        _need_writable(folder)
    place = folder / "sacred" / chosen["name"] / str(chosen["env_args"]["map_name"])
    experiment.observers.append(FileStorageObserver(str(place)))

    @experiment.main
    def trial(_run: Any, _config: Mapping[str, Any], _log: logging.Logger) -> dict[str, float]:
        try:
            return run(copy.deepcopy(dict(_config)), _run, _log)
        except UserError as error:
            raise Error(str(error)) from None

    return experiment, [argv[0], *options, *_sacred_words(words, chosen)]


def _take(words: list[str], option: str) -> str | None:
    """Removes ``option=value`` or ``option value`` from ``words`` and returns the value."""
    for i, word in enumerate(words):
        if word.startswith(f"{option}="):
            del words[i]
            return word.partition("=")[2]
        if word == option and i + 1 < len(words):
            value = words[i + 1]
            del words[i:i + 2]
            return value
    return None


def _sacred_words(words: Sequence[str], config: Mapping[str, Any]) -> list[str]:
    """``with`` words whose values Sacred reads as exactly the checked ones."""

    def leaves(updates: Mapping[str, Any], values: Any, path: str) -> list[str]:
        found: list[str] = []
        for key, value in updates.items():
            inner = values[key]
            found += (leaves(value, inner, f"{path}{key}.") if isinstance(value, Mapping) and value
                      else [f"{path}{key}={inner!r}"])
        return found

    updates = parse_words(words)
    if "seed" in updates and updates["seed"] is None:
        del updates["seed"]
    updated = leaves(updates, config, "")
    return ["with", *updated] if updated else []


def _without_unset_seed(config: dict[str, Any]) -> dict[str, Any]:
    """Sacred draws and records a seed where the configuration has none."""
    return {key: value for key, value in config.items() if key != "seed" or value is not None}


def _need_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "permission denied")
    except OSError as error:
        raise UserError(f"the results folder {folder} cannot be written ({error.strerror}); "
                        "choose another with local_results_path=<folder>.") from None
