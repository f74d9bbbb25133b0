"""Small things that several tests build."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import Any, TypeVar

import numpy as np
import pytest
import torch as th

from epymarl_cpa import build
from epymarl_cpa.components.env_info import EnvInfo
from epymarl_cpa.components.episode_buffer import EpisodeBatch
from epymarl_cpa.config import FOLDER, read_yaml, resolve
from epymarl_cpa.envs import REGISTRY, Game, ours
from epymarl_cpa.envs.external import ExternalGame
from epymarl_cpa.settings import Settings

Kind = TypeVar("Kind", bound=Settings)

#: what the environment files say, by their names
ENV_FILES = {file.stem: read_yaml(file) for file in sorted((FOLDER / "envs").glob("*.yaml"))}
#: those of the games with rules of our own
OUR_ENVS = [name for name, content in ENV_FILES.items() if content["env"] in ours()]
#: those of any game that other packages play
EXTERNAL_ENVS = [name for name, content in ENV_FILES.items() if content["env"] == name not in OUR_ENVS]
#: those of one task of another package, with teams that are recorded
TASK_ENVS = [name for name in ENV_FILES if name not in (*OUR_ENVS, *EXTERNAL_ENVS)]


def env_args(env: str) -> dict[str, Any]:
    """The arguments of the game that an environment file gives, without what only labels and seeds."""
    return {key: value for key, value in (ENV_FILES[env].get("env_args") or {}).items()
            if key not in ("map_name", "seed")}


LONG, SHORT = 100, 20  # steps of episodes that are cut, and what is left of them


def is_long(env: str) -> bool:
    """Whether an environment's episodes take so long that tests play the beginning only."""
    return int(env_args(env).get("episode_limit", 0)) > LONG


#: our games, each with the arguments of its file: name and arguments
OUR_GAMES = [(ENV_FILES[env]["env"], {**env_args(env), **({"episode_limit": SHORT} if is_long(env) else {})})
             for env in OUR_ENVS]


def few_episodes(env: str) -> list[str]:
    """Words that make the recipes of an environment small, and its episodes, if they are very long."""
    shorter = [f"env_args.episode_limit={SHORT}"] if is_long(env) else []
    return [*(f"recipes.{name}.episodes=40" for name in ENV_FILES[env]["recipes"]), *shorter]


def easy_recipe(env: str) -> str:
    """A recipe whose data have something to learn from for every method: all actions occur."""
    return "poor" if "poor" in ENV_FILES[env]["recipes"] else next(iter(ENV_FILES[env]["recipes"]))


def needing_its_package(env: str, value: Any = None) -> Any:
    """A parameter (by default the name) that is skipped where the environment's package is not installed."""
    game = REGISTRY[ENV_FILES[env]["env"]]
    assert issubclass(game, ExternalGame)
    package = str(game.module_of_key(ENV_FILES[env]["env_args"].get("key", ""))).partition(".")[0]
    missing = pytest.mark.skipif(find_spec(package) is None, reason=f"needs {package}")
    return pytest.param(env if value is None else value, marks=missing)


def settings(kind: type[Kind], alg: str, env: str, *words: str) -> Kind:
    """Settings of a kind, from the names of YAML files and ``key=value`` overrides."""
    return kind.of(resolve(alg, env, [*words]))


class Built:
    """Controller and learner of a configuration, without runner and files.

    Args:
        alg, env: names of YAML files.
        words: ``key=value`` overrides.
    """

    def __init__(self, alg: str, env: str, *words: str) -> None:
        config = resolve(alg, env, [*words])
        self.config = {**config, "seed": config["seed"] or 0}
        self.game: Game = build.build_game(self.config)
        self.info = EnvInfo.of(self.game)
        th.manual_seed(self.config["seed"])
        self.mac: Any = build.build_mac(self.config, self.info)
        self.run = build.build_learner(self.config, self.mac, self.info, logging.getLogger("test"))
        self.learner: Any = self.run.learners[-1]

    def batch(self, episodes: int) -> EpisodeBatch:
        """An empty batch ``[episodes, T + 1, ...]``."""
        return self.info.batch(episodes)

    def played(self, episodes: int, seed: int = 0) -> EpisodeBatch:
        """Episodes of uniformly random available actions."""
        rng, game, batch = np.random.default_rng(seed), self.game, self.batch(episodes)
        state, running = game.initial(episodes, rng), np.arange(episodes)
        for t in range(game.episode_limit + 1):
            mask = game.available(state)
            actions = (rng.random(mask.shape) * mask).argmax(2)
            batch.update({"state": game.global_state(state), "avail_actions": mask, "obs": game.observe(state),
                          "actions": actions[..., None]}, bs=running, ts=t)
            if t == game.episode_limit:
                break
            step = game.transition(state, actions, rng)
            batch.update({"reward": step.reward[:, None], "terminated": step.terminated[:, None]}, bs=running, ts=t)
            last = running[step.done]
            if len(last) and t + 1 <= game.episode_limit:
                end = step.state[step.done]
                batch.update({"state": game.global_state(end), "avail_actions": game.available(end),
                              "obs": game.observe(end)}, bs=last, ts=t + 1)
            state, running = step.state[~step.done], running[~step.done]
            if not len(running):
                break
        return batch
