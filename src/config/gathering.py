"""What YAML files and the command line say of a run, put together but not checked.

Later sources win: ``default.yaml``, the environment's YAML, the algorithm's YAML and its section for
this environment (``per_env``), both after those of the algorithm that it ``extends``, then
``key=value`` overrides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..utils.registry import nearest
from .files import FOLDER, algorithms, find_config, names, read_env_file
from .reading import merge, parse_overrides, read_yaml


@dataclass(frozen=True)
class Gathered:
    """What all sources say.

    Attributes:
        config: the whole configuration.
        updates: what the command line says.
        env_file: what the environment's file says.
        sources: the files, and what was known when they had been read, the last one last.
    """

    config: dict[str, Any]
    updates: dict[str, Any]
    env_file: dict[str, Any]
    sources: dict[Path, dict[str, Any]]

    @property
    def changed(self) -> list[str]:
        """The keys to which the command line gives other values than the files."""
        return differing(self.updates, list(self.sources.values())[-1])


def gather(alg: str, env: str, overrides: Iterable[str] = ()) -> Gathered:
    """The configuration of a run, nothing in it checked; arguments as of :func:`.resolving.resolve`.

    Raises:
        UserError: there is no such file, it is none that can be read, or a word is not of the form ``key=value``.
    """
    env_file = read_env_file(env)
    config = merge(read_yaml(FOLDER / "default.yaml"), env_file)
    sources = {find_config("envs", env): env_file}
    for path, content in algorithms(find_config("algs", alg)):
        per_env = _per_env(path, content)
        config = merge(config, content)
        for name in dict.fromkeys((env_file["env"], Path(env).stem)):  # the game's, then that of the environment's file
            config = merge(config, per_env.get(name, {}))
        sources[path] = config
    updates = parse_overrides(overrides)
    return Gathered(merge(config, updates), updates, env_file, sources)


def differing(updates: Mapping[str, Any], known: Mapping[str, Any]) -> list[str]:
    """The keys of ``updates`` that are not known, or with other values."""
    return [name for name, value in updates.items() if name not in known or known[name] != value]


def _per_env(path: Path, alg_file: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Takes the section ``per_env`` out of an algorithm's YAML."""
    per_env = alg_file.pop("per_env", {})
    if not isinstance(per_env, dict) or not all(isinstance(section, dict) for section in per_env.values()):
        raise UserError(f"per_env in {path} must be a mapping from games to keys and values.")
    for game in per_env.keys() - set(names("envs")):
        from ..envs import REGISTRY as GAMES  # here: it takes a moment, and files have the names of games

        if game not in GAMES:
            raise UserError(f"per_env in {path} names the unknown game '{game}'{nearest(game, GAMES)}.")
    return per_env
