"""The Sacred experiment behind the long line ``main.py --config=... --env-config=... with ...``."""

from __future__ import annotations

import copy
import logging
import math
import shlex
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .utils.sacred_error import Error  # first, since it says what Sacred needs

# isort: split
from docopt import DocoptExit, docopt
from sacred import SETTINGS, Experiment
from sacred.dependencies import PackageDependency

from . import __version__
from .build import rehearse
from .config import merge
from .envs.trust import named_again
from .errors import UserError, one_line
from .provenance import versions
from .records.artifacts import attach
from .records.experiment import Recorded, hidden, records_of
from .records.following import following
from .records.options import check_options
from .request import (
    RESUME,
    USAGE,
    Request,
    read_request,
    sacred_words,
    without_unset_seed,
    words_of,
)
from .run import Begun, run
from .utils.files import named_path, need_folder
from .utils.logging import get_logger
from .utils.process import handling, interrupt, program
from .utils.registry import nearest


def main(argv: Sequence[str]) -> int:
    """Runs the command line ``argv`` (with the program's name first).

    Returns:
        The exit status: 0 on success, 1 for a failure, 2 for a user's mistake (told in one
        sentence), 130 after SIGINT or SIGTERM.
    """
    experiment: Experiment | None = None
    try:
        with handling((signal.SIGTERM,), interrupt):
            experiment, line = build(argv)
            experiment.run_commandline(line)
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"Interrupted{_way_back(argv, experiment)}.", file=sys.stderr)
        return 130
    except SystemExit as end:  # Sacred has printed what went wrong
        return 2 if isinstance(end.__context__, Error) else int(end.code or 0)
    return 0


def _way_back(argv: Sequence[str], experiment: Experiment | None) -> str:
    """How an interrupted run goes on: what to say after what has happened to it."""
    stopped = experiment.current_run if experiment is not None else None
    records = records_of(stopped) if stopped is not None and stopped.status == "INTERRUPTED" else []
    folder = next((place for kind, place in records if kind == "Folder"), None) or \
        (stopped.info.get("model") if stopped is not None else None)
    if not folder or stopped is None:
        return ""
    options = [hidden(word) for word in words_of(argv)[0] if not word.startswith(("--config", "--env-config"))]
    words = [f"{RESUME}={folder}", *named_again(stopped.config["env"], stopped.config["env_args"])]
    return "; the run goes on with: " + shlex.join([*shlex.split(program(argv[0])), *options, "with", *words])


def build(argv: Sequence[str], rehearsed: bool = True) -> tuple[Experiment, list[str]]:
    """The experiment with its resolved defaults, and the command line left for Sacred.

    Args:
        argv: the command line with the program's name first.
        rehearsed: whether to look for what is wrong before anything is written, which takes a moment.

    Raises:
        UserError: a bad option, configuration key or value, a teacher or checkpoint that does not fit, or an
            unwritable results folder.
    """
    console = get_logger()
    asked = read_request(argv, console)
    chosen, unfinished = asked.config, asked.unfinished
    SETTINGS["CAPTURE_MODE"] = "sys"
    SETTINGS["CONFIG"]["READ_ONLY_CONFIG"] = False
    results = named_path(chosen["local_results_path"], "local_results_path")
    place = results / "sacred" / chosen["name"] / chosen["env_args"]["map_name"]
    experiment = Recorded(chosen["name"], base_dir=str(Path(__file__).parent), save_git_info=False)
    experiment.place, experiment.continued = place, unfinished.records if unfinished else ()
    experiment.logger = console
    # Sacred refuses changes to keys that it does not know yet, such as a recipe's optional ones.
    experiment.add_config(without_unset_seed(merge(chosen, without_unset_seed(asked.known))))
    experiment.main(_trial(argv[0], unfinished.begun if unfinished else None, asked))
    if _command(experiment, asked.options) == experiment.default_command:
        if rehearsed:
            _rehearse(chosen, unfinished.begun if unfinished else None)
        need_folder(place)
    made_with = {"epymarl-cpa": __version__, **versions(chosen)}
    for name in made_with.keys() - {"python"}:
        experiment.dependencies.add(PackageDependency(name, made_with[name]))
    return experiment, [argv[0], *asked.options, *sacred_words(asked.updates, chosen)]


def _trial(script: str, begun: Begun | None, asked: Request) -> Callable[..., float | None]:
    """What Sacred runs."""

    def trial(_run: Any, _config: Mapping[str, Any], _log: logging.Logger) -> float | None:
        """Train and evaluate, or only evaluate (the default)."""
        config, started = copy.deepcopy(dict(_config)), time.monotonic()
        try:
            result = run(config, _run, _log, begun, records_of(_run))
            _run.info["result"] = result
            attach(_run, config, result, time.monotonic() - started, asked.alg, asked.env, asked.updates)
            _tell_next(_log, following(script, config, asked.env, asked.updates, _model_of(_run)))
        except UserError as error:
            _run._get_captured_output()
            _run.captured_out += f"Error: {error}\n"
            raise Error(str(error)) from None
        except MemoryError as error:
            raise Error(f"the memory of this machine does not suffice ({one_line(error)}); choose smaller "
                        "networks, batches or data.") from None
        finally:
            _run._get_captured_output()  # Sacred itself takes the last words of a run only if nothing went wrong
        value: float | None = result.get("headline", result.get("return"))
        return value if value is not None and math.isfinite(value) else None

    return trial


def _model_of(run: Any) -> str:
    """The folder of a run's models; empty if none was saved."""
    return str(Path(run.info["model"]).parent) if run.info.get("model") else ""


def _tell_next(console: logging.Logger, commands: Sequence[str]) -> None:
    if commands:
        console.info("next:\n%s", "\n".join(f"  {command}" for command in commands))


def _rehearse(config: Mapping[str, Any], begun: Begun | None) -> None:
    """Raises:
        UserError: a setting, the teacher or the checkpoint does not fit.
    """
    quiet = logging.getLogger("epymarl_cpa.rehearsal")
    quiet.setLevel("CRITICAL")
    goes_on = {"checkpoint_path": str(begun.folder), "load_step": 0} if begun and begun.folder else {}
    rehearse({**config, **goes_on}, quiet)


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
    check_options(parsed)
    if "=" in command:
        raise UserError(f"'{command}' must come after the word 'with': {USAGE}")
    commands = dict(experiment.gather_commands())
    if command not in commands:
        raise UserError(f"unknown command '{command}'{nearest(command, commands)}; "
                        f"the choices are: {', '.join(commands)}.")
    return command
