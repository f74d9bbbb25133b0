"""From settings to a team: the one place where games, controllers and learners are made.

Runs, exports, figures, tests and the guest in EPyMARL all come here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from logging import Logger
from pathlib import Path
from typing import Any

import torch as th

from .components.env_info import EnvInfo
from .components.episode_buffer import EpisodeBatch
from .controllers import REGISTRY as MACS
from .controllers import Controller
from .data import check_named
from .envs import Game, make_game, own_args
from .envs.game import IntArray
from .envs.multi_agent_env import MultiAgentEnv
from .learners import REGISTRY as LEARNERS
from .learners.base import Stage, stages_of
from .learners.staged import StagedLearner
from .observers import REGISTRY as OBSERVERS
from .settings import UNSET, Settings, settings_of
from .utils import checkpoint

Config = Mapping[str, Any]


def build_game(config: Config) -> Game:
    """The game of a configuration.

    Raises:
        UserError: it does not exist, or refuses an argument.
    """
    return make_game(config["env"], **own_args(config["env_args"]))


def build_env(args: Settings) -> MultiAgentEnv:
    """The game in EPyMARL's contract; errors as :func:`build_game`."""
    return MultiAgentEnv(args.env, **{"seed": args.seed, **args.env_args}, common_reward=args.common_reward,
                         reward_scalarisation=args.reward_scalarisation)


def build_mac(config: Config, info: EnvInfo) -> Controller:
    """The controller, its networks drawn from torch's generator.

    Raises:
        UserError: settings that contradict one another.
    """
    mac = MACS[config["mac"]]
    return mac(info, settings_of(mac).of(config))


def build_learner(config: Config, mac: Controller, info: EnvInfo, console: Logger) -> StagedLearner:
    """The learners of all stages.

    Raises:
        UserError: settings that contradict one another or the game, or a teacher that cannot be loaded.
    """
    return StagedLearner(mac, [stage.learner(mac.part(stage.name), info, console,
                                             settings_of(stage.learner).of(config), stage)
                               for stage in stages(config)])


def stages(config: Config) -> list[Stage]:
    """The stages of a configuration's method, with their lengths."""
    learner = LEARNERS[config["learner"]]
    return stages_of(learner, settings_of(learner).of(config))


class Team:
    """A trained controller and its game, from a checkpoint.

    Args:
        path: a run's model folder, or one checkpoint in it.

    Attributes:
        folder: of the checkpoint.
        game, info, mac: rules, sizes, controller.
        config: the run's configuration.
        t_env: when the checkpoint was written.

    Raises:
        UserError: there is no whole checkpoint, or its environment cannot be made here.
    """

    def __init__(self, path: str) -> None:
        self.folder, manifest = checkpoint.find_whole(path, 0, "the model folder",
                                                      logging.getLogger("epymarl_cpa").warning)
        with checkpoint.taking_up(self.folder):
            own = settings_of(MACS[manifest["config"]["mac"]]).keys()
            came_later = {name: key.before for name, key in own.items() if key.before is not UNSET}
            self.config: dict[str, Any] = {**came_later, **manifest["config"]}
            self.t_env: int = manifest["t_env"]
            self.game = build_game(self.config)
            self.info = EnvInfo.of(self.game)
            self.mac = build_mac(self.config, self.info)
        checkpoint.load_into(self.mac, self.folder)

    def seen(self, state: IntArray, batch: EpisodeBatch, step: int = 0) -> None:
        """Writes what a state of the game ``[1, K]`` shows at a step of a batch of one episode."""
        batch.update({"state": self.game.global_state(state), "obs": self.game.observe(state),
                      "avail_actions": self.game.available(state)}, ts=step)

    def empty_batch(self) -> EpisodeBatch:
        """Room for one episode."""
        return self.info.batch(1)


def device_of(args: Settings, console: Logger) -> str:
    """Where networks and batches live."""
    if args.use_cuda and not th.cuda.is_available():
        console.warning("use_cuda=true, but no GPU is available: running on the CPU")
        return "cpu"
    return "cuda" if args.use_cuda else "cpu"


def rehearse(config: Config, console: Logger) -> None:
    """Makes all that a run consists of, but its data, and forgets it: what is wrong is told before anything is written.

    Raises:
        UserError: a setting, the teacher or the checkpoint does not fit.
    """
    config = {**config, "seed": config["seed"] or 0}
    args = Settings.of(config)
    for name in (*args.observers, *(["tensorboard"] if args.use_tensorboard else [])):
        OBSERVERS[name].check()
    env = build_env(args)
    try:
        info = EnvInfo.of(env.game, args.common_reward)
        learner = build_learner(config, build_mac(config, info), info, console)
        if args.checkpoint_path:
            folder, manifest = checkpoint.find_whole(args.checkpoint_path, args.load_step)
            checkpoint.check(manifest, folder, env.game.spec(), config)
            checkpoint.load_into(learner, folder, evaluate=args.evaluate)
        if args.runner == "offline" and not args.evaluate:
            check_named(args.dataset, env.game, args.recipes, Path(args.datasets_path).expanduser())
    finally:
        env.close()
