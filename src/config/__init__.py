"""From YAML files and the command line to one checked configuration.

Later sources win: ``default.yaml``, the environment's YAML, the algorithm's YAML, the algorithm's
section for this environment (``per_env``), then ``key=value`` words.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from .. import envs
from ..errors import UserError
from ..utils.registry import nearest
from .schema import CORE, Key, check, check_env_args

FOLDER = Path(__file__).parent


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)  # type: ignore[no-untyped-call]
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key '{key}' is given twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        UserError: unreadable, not YAML, a duplicate key, or not a mapping.
    """
    try:
        with open(path, encoding="utf-8") as file:
            content = yaml.load(file, Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error}).") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} must hold a mapping of keys to values.")
    return content


def find(kind: str, name: str) -> Path:
    """The file of ``--config`` (kind ``algs``) or ``--env-config`` (``envs``): a name of ours, or a path."""
    own = FOLDER / kind / f"{name}.yaml"
    if own.exists():
        return own
    path = Path(name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    if path.exists():
        return path
    choices = sorted(file.stem for file in (FOLDER / kind).glob("*.yaml"))
    option = "--config" if kind == "algs" else "--env-config"
    raise UserError(f"unknown {option}={name}{nearest(name, choices)}; the choices are: {', '.join(choices)}, "
                    "or the path of a YAML file.")


def parse_words(words: Iterable[str]) -> dict[str, Any]:
    """``key=value`` and ``key.sub=value`` words as a nested mapping; values are read as YAML.

    Raises:
        UserError: a word without ``=``.
    """
    updates: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise UserError(f"'{word}' is not of the form key=value.")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            value = text
        if isinstance(value, str) and value.lower() in ("none", "true", "false"):
            value = {"none": None, "true": True, "false": False}[value.lower()]
        if isinstance(value, str):
            try:
                value = float(value)  # YAML reads 1e-3 as text
            except ValueError:
                pass
        place = updates
        *parents, last = key.split(".")
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return updates


def merge(base: Mapping[str, Any], updates: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``updates``, mappings merged key by key; neither is modified."""
    merged = dict(base)
    for key, value in updates.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(value, Mapping) and isinstance(old, Mapping) else value
    return merged


def resolve(alg: str, env: str, words: Iterable[str] = ()) -> dict[str, Any]:
    """The whole configuration of a run, checked.

    Args:
        alg, env: values of ``--config`` and ``--env-config``.
        words: ``key=value`` overrides.

    Raises:
        UserError: anything unknown, missing, of the wrong type or out of range.
    """
    from ..controllers import REGISTRY as MACS  # here, since they declare keys with this package's schema
    from ..learners import REGISTRY as LEARNERS

    env_file, alg_file = read_yaml(find("envs", env)), read_yaml(find("algs", alg))
    per_env = alg_file.pop("per_env", {})
    config = merge(merge(read_yaml(FOLDER / "default.yaml"), env_file), alg_file)
    config = merge(config, per_env.get(config["env"], {}))
    updates = parse_words(words)
    keys = keys_of(config, updates, MACS, LEARNERS)
    for key, value in updates.items():
        if key not in keys:
            raise UserError(f"unknown config key '{key}'{nearest(key, keys)}.")
        if isinstance(value, Mapping) and not isinstance(config.get(key), Mapping):
            raise UserError(f"config key '{key}' has no keys below it.")
    config = check(merge(config, updates), keys)
    cls = envs.REGISTRY[config["env"]]
    config["env_args"] = check_env_args(config["env"], cls, config["env_args"])
    config["env_args"].setdefault("map_name", config["env"])
    return config


def keys_of(config: Mapping[str, Any], updates: Mapping[str, Any], macs: Mapping[str, Any],
            learners: Mapping[str, Any]) -> dict[str, Key]:
    """The keys of this run: the core's, its learner's and its controller's."""
    chosen = {**config, **{k: v for k, v in updates.items() if k in ("mac", "learner")}}
    parts = (macs[str(chosen["mac"])], learners[str(chosen["learner"])])
    return {**CORE, **{key: entry for part in parts for key, entry in getattr(part, "KEYS", {}).items()}}


def load_env(name: str, words: Iterable[str] = ()) -> tuple[envs.Game, dict[str, Any]]:
    """The game of an environment's YAML file, and its recipes.

    Args:
        name: value of ``--env-config``.
        words: ``env_args.key=value`` overrides.
    """
    file = merge(read_yaml(find("envs", name)), parse_words(words))
    extra = set(parse_words(words)) - {"env_args"}
    if extra:
        raise UserError(f"only env_args.<key>=<value> can be set here, not '{sorted(extra)[0]}'.")
    env_args = check_env_args(file["env"], envs.REGISTRY[file["env"]], file.get("env_args", {}))
    env_args.pop("map_name", None)
    return envs.make_game(file["env"], **env_args), file.get("recipes", {})
