"""What a command line asks for: a new run, one that goes on, or the evaluation of a trained model."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .config import FOLDER, parse_overrides, read_yaml, resolve, resolve_again, take_option
from .envs.trust import check_files, check_key
from .errors import UserError
from .recording.parts import seed_of
from .records import resume
from .records.options import parted
from .settings import CORE
from .utils import checkpoint
from .utils.files import named_path

USAGE = "python src/main.py --config=<algorithm> --env-config=<environment> [sacred options] [with key=value ...]"
RESUME = "resume"
EVALUATE = "--evaluate"


@dataclass(frozen=True)
class Request:
    """What a command line asks for.

    Attributes:
        config: the whole configuration; its seed may be open.
        known: the same before what was given on the command line, for Sacred to tell what was changed; of a run that
            goes on the whole.
        updates: the words that change it.
        options: Sacred's words.
        unfinished: the run that goes on, if not a new one is asked for.
        alg, env: values of ``--config`` and ``--env-config``; empty for a run that goes on, and for a model that is
            only evaluated.
    """

    config: dict[str, Any]
    known: dict[str, Any]
    updates: list[str]
    options: list[str]
    unfinished: resume.Unfinished | None = None
    alg: str = ""
    env: str = ""


def words_of(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Sacred's options and command, and the words after ``with``."""
    rest = list(argv[1:])
    options = rest[: rest.index("with")] if "with" in rest else rest
    more, later = parted(rest[len(options) + 1:])
    early = [word for word in options if word.startswith(f"{RESUME}=")]
    return [word for word in options if word not in early] + more, early + later


def read_request(argv: Sequence[str], console: logging.Logger) -> Request:
    """Raises:
        UserError: a bad option, configuration key or value, or there is no run to resume.
    """
    options, words = words_of(argv)
    alg, env = take_option(options, "--config"), take_option(options, "--env-config")
    if {"-h", "--help", "help"} & set(options):
        alg, env = alg or "cpa_ar", env or "xor"
    model = take_option(options, EVALUATE)
    if model is not None:
        if alg or env:
            raise UserError(f"{EVALUATE}={model} plays by the configuration of that run; leave out --config and "
                            "--env-config.")
        return _evaluation(model, words, options, console)
    goes_on = take_option(words, RESUME)
    if goes_on is not None:
        if bool(alg) != bool(env):
            raise UserError(f"with {RESUME}=, give both --config and --env-config, or neither.")
        return _go_on(goes_on, alg, env, words, options, console)
    if not alg or not env:
        raise UserError(f"--config and --env-config are both needed: {USAGE}; a stopped run goes on with: "
                        f"python src/main.py with {RESUME}=last")
    defaults, chosen = resolve(alg, env), resolve(alg, env, words)
    if chosen["seed"] is None and chosen["checkpoint_path"]:
        chosen["seed"] = checkpoint.find_whole(chosen["checkpoint_path"], chosen["load_step"])[1]["config"].get("seed")
    if chosen["seed"] is None and chosen["runner"] == "record":
        chosen["seed"] = seed_of(chosen["record_to"])
    return Request(chosen, defaults, words, options, alg=alg, env=env)


def _evaluation(model: str, words: list[str], options: list[str], console: logging.Logger) -> Request:
    """What is asked for where a model is evaluated by the configuration that it was trained with."""
    given = parse_overrides(words)
    step = CORE["load_step"].check("load_step", given.get("load_step", 0))
    found, manifest = checkpoint.find_whole(model, step, "model", console.warning)
    default = read_yaml(FOLDER / "default.yaml")
    own = {**manifest["config"], "evaluate": True, "checkpoint_path": model,
           **{key: default[key] for key in ("load_step", "local_results_path")}}
    with checkpoint.taking_up(found):
        chosen, known = resolve_again(own, words), resolve_again(own)
    check_trusted(chosen, given, str(found))
    return Request(chosen, known, words, options)


def _go_on(goes_on: str, alg: str | None, env: str | None, words: list[str], options: list[str],
           console: logging.Logger) -> Request:
    """What is asked for where a run is resumed, perhaps with changed settings."""
    given = parse_overrides(words)
    named = resolve(alg, env) if alg and env else None
    where = f"{named['name']}/{named['env_args']['map_name']}" if named else "*/*"
    results = named_path(str(given.get("local_results_path", "results")), "local_results_path")
    unfinished = resume.find(goes_on, results, console.warning, where, bool(given))
    chosen = resolve_again(unfinished.config, words)
    if "local_results_path" not in given and \
            named_path(chosen["local_results_path"]).resolve() != unfinished.results.resolve():
        chosen["local_results_path"] = str(unfinished.results)  # it has been moved, and says nothing of where to write
    check_trusted(chosen, given, f"{RESUME}={goes_on}")
    if named and (named["learner"], named["env"]) != (chosen["learner"], chosen["env"]):
        raise UserError(f"{RESUME}={goes_on} is a run of {chosen['name']} on {chosen['env']}, not of {alg} on {env}; "
                        "leave out --config and --env-config.")
    return Request(chosen, chosen, [], options, unfinished)


def check_trusted(config: Mapping[str, Any], given: Mapping[str, Any], source: str) -> None:
    """Refuses to import or read what only the record of a run names.

    Args:
        config: of the run.
        given: what the command line says.
        source: what to call the record.

    Raises:
        UserError: it says how to name it.
    """
    env_args = config["env_args"]
    named = given.get("env_args", {})
    if "key" not in named:
        check_key(config["env"], env_args, source, f"add env_args.key={env_args.get('key')} to the command")
    if "problem" not in named:
        check_files(config["env"], env_args, source)


def sacred_words(words: Sequence[str], config: Mapping[str, Any]) -> list[str]:
    """``with`` words whose values Sacred reads as exactly the checked ones."""
    updated = [f"{key}={config[key]!r}" for key in parse_overrides(words) if config[key] is not None or key != "seed"]
    return ["with", *updated] if updated else []


def without_unset_seed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Sacred draws and records a seed where the configuration has none."""
    return {key: value for key, value in config.items() if key != "seed" or value is not None}
