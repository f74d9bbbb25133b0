"""The Sacred experiment behind ``main.py``."""

from __future__ import annotations

import copy
import logging
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .utils.sacred_error import Error  # first, since it says what Sacred needs

# isort: split
from docopt import DocoptExit, docopt
from sacred import SETTINGS, Experiment
from sacred.observers import FileStorageObserver

from . import __version__
from .config import merge, parse_overrides, resolve, take_option
from .errors import UserError
from .recording.parts import seed_of
from .run import run
from .utils import checkpoint
from .utils.logging import get_logger
from .utils.process import handling, interrupt
from .utils.registry import nearest

USAGE = "python src/main.py --config=<algorithm> --env-config=<environment> [sacred options] [with key=value ...]"


def main(argv: Sequence[str]) -> int:
    """Runs the command line ``argv`` (with the program's name first).

    Returns:
        The exit status: 0 on success, 1 for a failure, 2 for a user's mistake (told in one
        sentence), 130 after SIGINT or SIGTERM.
    """
    try:
        experiment, line = build(argv)
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    try:
        with handling((signal.SIGTERM,), interrupt):
            experiment.run_commandline(line)
    except KeyboardInterrupt:
        return 130
    except SystemExit as end:  # Sacred has printed what went wrong
        return 2 if isinstance(end.__context__, Error) else int(end.code or 0)
    return 0


def entry(argv: Sequence[str] | None = None) -> int:
    """The program in all its forms, which also knows how to be a guest of EPyMARL; returns as :func:`main`.

    Args:
        argv: the command line with the program's name first; by default that of this process.
    """
    from .host import launcher  # here: everybody else does without

    line = sys.argv if argv is None else argv
    return launcher.main(line) if launcher.is_asked(line) else main(line)


def build(argv: Sequence[str]) -> tuple[Experiment, list[str]]:
    """The experiment with its resolved defaults, and the command line left for Sacred.

    Raises:
        UserError: a bad option, configuration key or value, or an unwritable results folder.
    """
    rest = list(argv[1:])
    alg, env = take_option(rest, "--config"), take_option(rest, "--env-config")
    options = rest[: rest.index("with")] if "with" in rest else rest
    later = rest[len(options) + 1:]
    options, words = options + [w for w in later if w.startswith("-")], [w for w in later if not w.startswith("-")]
    if {"-h", "--help", "help"} & set(options):
        alg, env = alg or "cpa_ar", env or "xor"
    if not alg or not env:
        raise UserError(f"--config and --env-config are both needed: {USAGE}")
    defaults, chosen = resolve(alg, env), resolve(alg, env, words)
    if chosen["seed"] is None and chosen["checkpoint_path"]:
        folder = checkpoint.find(chosen["checkpoint_path"], chosen["load_step"])
        chosen["seed"] = checkpoint.read_manifest(folder)["config"]["seed"]
    if chosen["seed"] is None and chosen["runner"] == "record":
        chosen["seed"] = seed_of(chosen["record_to"])

    SETTINGS["CAPTURE_MODE"] = "sys"
    SETTINGS["CONFIG"]["READ_ONLY_CONFIG"] = False
    experiment = Experiment(chosen["name"], base_dir=str(Path(__file__).parent), save_git_info=False)
    experiment.logger = get_logger()
    experiment.add_package_dependency("epymarl-cpa", __version__)
    # Sacred refuses changes to keys that it does not know yet, such as a recipe's optional ones.
    experiment.add_config(_without_unset_seed(merge(chosen, _without_unset_seed(defaults))))

    @experiment.main  # type: ignore[untyped-decorator]
    def trial(_run: Any, _config: Mapping[str, Any], _log: logging.Logger) -> dict[str, float]:
        """Train and evaluate, or only evaluate (the default)."""
        try:
            return run(copy.deepcopy(dict(_config)), _run, _log)
        except UserError as error:
            raise Error(str(error)) from None
        except MemoryError as error:
            raise Error(f"the memory of this machine does not suffice ({' '.join(str(error).split())}); choose smaller "
                        "networks, batches or data.") from None

    place = Path(chosen["local_results_path"]).expanduser() / "sacred" / chosen["name"] / chosen["env_args"]["map_name"]
    if _command(experiment, options) == experiment.default_command:
        _need_writable(place)
    experiment.observers.append(FileStorageObserver(str(place)))
    return experiment, [argv[0], *options, *_sacred_words(words, chosen)]


def _command(experiment: Experiment, options: Sequence[str]) -> str | None:
    """Sacred's command in ``options``, or the default one; None if help is asked for.

    Raises:
        UserError: the options or the command do not exist.
    """
    try:
        parsed = docopt(experiment.get_usage()[2], list(options), default_help=False)
    except DocoptExit:
        raise UserError(f"'{' '.join(options)}' is not understood; --help lists the options, "
                        f"and settings follow the word 'with': {USAGE}") from None
    command: str = parsed["COMMAND"] or experiment.default_command
    if parsed["help"] or parsed["--help"]:
        return None
    if "=" in command:
        raise UserError(f"'{command}' must come after the word 'with': {USAGE}")
    commands = dict(experiment.gather_commands())
    if command not in commands:
        raise UserError(f"unknown command '{command}'{nearest(command, commands)}; "
                        f"the choices are: {', '.join(commands)}.")
    return command


def _sacred_words(words: Sequence[str], config: Mapping[str, Any]) -> list[str]:
    """``with`` words whose values Sacred reads as exactly the checked ones."""
    updated = [f"{key}={config[key]!r}" for key in parse_overrides(words) if config[key] is not None or key != "seed"]
    return ["with", *updated] if updated else []


def _without_unset_seed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Sacred draws and records a seed where the configuration has none."""
    return {key: value for key, value in config.items() if key != "seed" or value is not None}


def _need_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"the results folder {folder} cannot be written ({error.strerror}); "
                        "choose another with local_results_path=<folder>.") from None
