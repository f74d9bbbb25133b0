"""From what files and the command line say to one checked configuration."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from .. import envs
from ..controllers import REGISTRY as MACS
from ..envs.trust import check_key
from ..errors import UserError
from ..learners import REGISTRY as LEARNERS
from ..modules.encoders import REGISTRY as ENCODERS
from ..observers import REGISTRY as OBSERVERS
from ..runners import REGISTRY as RUNNERS
from ..settings import CORE, UNSET, Key, check, check_env_args, settings_of
from .declared import joined
from .effects import check_effects, check_idle
from .files import FOLDER, find_config, pair_of, read_env_file
from .gathering import Gathered, differing, gather
from .reading import merge, parse_overrides, read_yaml

if TYPE_CHECKING:
    from ..controllers import Controller
    from ..learners import Learner


def resolve(alg: str, env: str, overrides: Iterable[str] = ()) -> dict[str, Any]:
    """The whole configuration of a run, checked.

    Args:
        alg, env: values of ``--config`` and ``--env-config``.
        overrides: ``key=value`` words.

    Raises:
        UserError: anything unknown, missing, given twice, of the wrong type or out of range.
    """
    gathered = gather(alg, env, overrides)
    config, updates, env_file = gathered.config, gathered.updates, gathered.env_file
    _check_fit(config)
    _check_pair(alg, config, updates)
    config = check(config, keys_of(config), lambda name: _place(name, gathered))
    game = envs.REGISTRY[config["env"]]
    _check_key(config["env"], config["env_args"], gathered.sources, updates)
    try:
        env_args = check_env_args(config["env"], game, config["env_args"])
    except UserError:
        if config["env"] == env_file["env"]:
            raise
        raise UserError(f"env={config['env']} is not the game of --env-config={env}, and takes other arguments; choose "
                        "the game by --env-config.") from None
    config["env_args"] = {"map_name": game.label(env_args), **env_args}
    _check_parts(config, gathered.changed)
    return config


def resolve_again(config: Mapping[str, Any], overrides: Iterable[str] = ()) -> dict[str, Any]:
    """The configuration of an earlier run, perhaps of an earlier version, with changes, checked as a new one.

    A key that came later has the value at which nothing has changed, else that of ``default.yaml``.

    Raises:
        UserError: as :func:`resolve`.
    """
    updates = parse_overrides(overrides)
    default, changed = read_yaml(FOLDER / "default.yaml"), merge(config, updates)
    later = {name: key.before for name, key in keys_of({**default, **changed}).items() if key.before is not UNSET}
    whole = {**default, **later, **changed}
    _check_fit(whole)
    whole = check(whole, keys_of(whole))
    game = envs.REGISTRY[whole["env"]]
    env_args = check_env_args(whole["env"], game, whole["env_args"])
    whole["env_args"] = {"map_name": game.label(env_args), **env_args}
    _check_parts(whole, differing(updates, config))
    return whole


def _place(name: str, gathered: Gathered) -> str:
    """The file of somebody's that gives a key its value; empty if the command line or this package does."""
    if name in gathered.updates:
        return ""
    value = gathered.config.get(name)
    first = next((path for path, known in gathered.sources.items() if name in known and known[name] == value), None)
    return "" if first is None or first.resolve().is_relative_to(FOLDER.resolve()) else str(first)


def _check_key(env: str, env_args: Mapping[str, Any], sources: Mapping[Path, Mapping[str, Any]],
               updates: Mapping[str, Any]) -> None:
    """Refuses an environment of another package that only a file of somebody's names.

    Args:
        env, env_args: as resolved.
        sources: files and what was known when they had been read, the last one last.
        updates: what the command line says.

    Raises:
        UserError: neither the command line nor a file of this package names it.
    """
    key = env_args.get("key")
    if "key" in _env_args_of(updates):
        return
    first = next((path for path, known in sources.items() if _env_args_of(known).get("key") == key), None)
    if first is not None and not first.resolve().is_relative_to(FOLDER.resolve()):
        check_key(env, env_args, str(first), f"add env_args.key={key} to the command")


def _env_args_of(content: Mapping[str, Any]) -> Mapping[str, Any]:
    found = content.get("env_args")
    return found if isinstance(found, Mapping) else {}


def _check_fit(config: Mapping[str, Any]) -> None:
    """Refuses a controller that the learner cannot train, before keys are missed or unknown for its sake.

    Raises:
        UserError: naming those that it can train.
    """
    needed = mac_of(LEARNERS[str(config["learner"])])
    if not issubclass(MACS[str(config["mac"])], needed):
        fitting = sorted(name for name, cls in MACS.items() if issubclass(cls, needed) and cls.learns)
        raise UserError(f"learner={config['learner']} cannot train mac={config['mac']}; it needs "
                        f"mac={' or mac='.join(fitting)}.")


def _check_parts(config: Mapping[str, Any], changed: Iterable[str]) -> None:
    """Refuses parts whose settings contradict one another, and changed keys that none of them reads.

    Raises:
        UserError: naming what was written.
    """
    runner, mac, learner = RUNNERS[config["runner"]], MACS[config["mac"]], LEARNERS[config["learner"]]
    for part in (mac, learner):
        settings_of(part).of(config)  # refuses contradictions
    for name in config["observers"]:
        OBSERVERS[name]
    ENCODERS[config["agent"]]
    check_effects(config)
    check_idle(config, changed, [need for part in (mac, learner) for need in settings_of(part).all_needs()])
    if not runner.learns_offline and config["buffer_size"] < config["batch_size"]:
        raise UserError(f"runner={config['runner']} could never train: buffer_size={config['buffer_size']} must be "
                        f"at least batch_size={config['batch_size']}.")


def _check_pair(alg: str, config: Mapping[str, Any], updates: Mapping[str, Any]) -> None:
    """Refuses a controller or learner that was chosen apart from its file, where keys would be missed or left over.

    Keys that the user wrote are left to the check of all keys.

    Raises:
        UserError: naming the keys, and the files made for such a pair.
    """
    chosen = [f"{part}={config[part]}" for part in ("mac", "learner") if part in updates]
    keys = keys_of(config)
    lacking = [name for name in keys if name not in config]
    idle = [name for name in config if name not in keys and name not in updates]
    if not chosen or not (lacking or idle):
        return
    fitting = [path.stem for path in sorted((FOLDER / "algs").glob("*.yaml"))
               if pair_of(path) == (config["mac"], config["learner"])]
    pair = " with ".join(chosen)
    said = [f"{_listed(lacking)} missing: {pair} needs what --config={alg} does not set"] if lacking else []
    said += [f"{pair} does not read {', '.join(idle)}, which --config={alg} sets"] if idle else []
    remedy = f"take --config={' or --config='.join(fitting)} instead" if fitting else \
        "give them on the command line, too" if not idle else "write a YAML file for this pair"
    raise UserError(f"{'; '.join(said)}; {remedy}.")


def _listed(names: Sequence[str]) -> str:
    """The beginning of a sentence about keys."""
    said = ", ".join(f"'{name}'" for name in names)
    return f"config key {said} is" if len(names) == 1 else f"config keys {said} are"


def mac_of(learner: type[Learner]) -> type[Controller]:
    """The controllers that a learner can train: the class of its annotation ``mac``."""
    for cls in learner.__mro__:
        if "mac" in inspect.get_annotations(cls):
            needed: type[Controller] = get_type_hints(cls)["mac"]
            return needed
    from ..controllers import Controller  # here: it needs torch

    return Controller


def keys_of(config: Mapping[str, Any]) -> dict[str, Key]:
    """The keys that a configuration may hold: the core's, its controller's and its learner's.

    Raises:
        UserError: there is no such learner or controller, or two of them declare a key differently.
    """
    parts = (MACS[str(config["mac"])], LEARNERS[str(config["learner"])])
    return joined({part.__name__: settings_of(part) for part in parts})


def read_env(name: str, overrides: Iterable[str] = ()) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The game's name, its checked arguments and its recipes, from an environment's YAML file.

    Args:
        name: value of ``--env-config``.
        overrides: ``env_args.key=value`` words.

    Raises:
        UserError: anything unknown, given twice or of the wrong type.
    """
    updates = parse_overrides(overrides)
    for key in updates:
        if key != "env_args":
            raise UserError(f"only env_args.<key>=<value> can be set here, not '{key}'.")
    own = read_env_file(name)
    file = merge(own, updates)
    env_args = CORE["env_args"].check("env_args", file.get("env_args", {}))
    recipes = CORE["recipes"].check("recipes", file.get("recipes", {}))
    envs.REGISTRY[file["env"]]
    _check_key(file["env"], env_args, {find_config("envs", name): own}, updates)
    return file["env"], check_env_args(file["env"], envs.REGISTRY[file["env"]], env_args), recipes


def load_env(name: str, overrides: Iterable[str] = ()) -> tuple[envs.Game, dict[str, Any]]:
    """The game of an environment's YAML file, and its recipes; arguments and errors as for :func:`read_env`."""
    env, env_args, recipes = read_env(name, overrides)
    return envs.make_game(env, **envs.own_args(env_args)), recipes
