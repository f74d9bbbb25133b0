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
from .config import keys_of
from .controllers import REGISTRY as MACS
from .controllers import Controller, are_kin
from .data import check_asked
from .envs import REGISTRY, Game, make_game, own_args
from .envs.game import IntArray
from .envs.multi_agent_env import MultiAgentEnv
from .envs.trust import check_files
from .errors import UserError
from .learners import REGISTRY as LEARNERS
from .learners.base import Stage, stages_of
from .learners.staged import StagedLearner
from .observers import REGISTRY as OBSERVERS
from .runners import REGISTRY as RUNNERS
from .settings import UNSET, Settings, check_env_args, settings_of
from .utils import checkpoint
from .utils.bounded import check_memory
from .utils.files import named_path
from .utils.manifest import SHAPE, check_fits
from .utils.progress import check_library

Config = Mapping[str, Any]
ADAM = 4  # numbers for each weight: itself, its gradient, and what the optimiser keeps of it


def build_game(config: Config) -> Game:
    """The game of a configuration.

    Raises:
        UserError: it does not exist, or refuses an argument.
    """
    game = make_game(config["env"], **own_args(config["env_args"]))
    game.reward_scalarisation = config.get("reward_scalarisation", game.reward_scalarisation)
    return game


def build_env(args: Settings) -> MultiAgentEnv:
    """The game in EPyMARL's contract; errors as :func:`build_game`."""
    return MultiAgentEnv(args.env, **{"seed": args.seed, **args.env_args}, common_reward=args.common_reward,
                         reward_scalarisation=args.reward_scalarisation)


def build_mac(config: Config, info: EnvInfo) -> Controller:
    """The controller, its networks drawn from torch's generator.

    Raises:
        UserError: settings that contradict one another.
    """
    width, seen = config["hidden_dim"], info.state_shape + info.n_agents * (info.obs_shape + info.n_actions)
    weights = width * (config["n_layers"] * width + seen)
    check_memory(f"hidden_dim={width} with n_layers={config['n_layers']}: even one network", 4 * ADAM * weights)
    mac = MACS[config["mac"]]
    return mac(info, settings_of(mac).of(config))


def check_episodes(config: Config, info: EnvInfo) -> None:
    """Refuses more episodes at once than this machine can hold, before a run makes them.

    Raises:
        UserError: naming the key.
    """
    runner = config["runner"]
    for key in RUNNERS[runner].keeps if runner in RUNNERS else ():  # of EPyMARL's own runners nothing is known
        check_memory(f"{key}={config[key]} episodes of {config['env']}", config[key] * info.episode_bytes)
    layers = 8 * (info.episode_limit + 1) * info.n_agents * config["hidden_dim"] * config["n_layers"]
    check_memory(f"batch_size={config['batch_size']} episodes of {config['env']}",
                 config["batch_size"] * (info.episode_bytes + layers))


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


def check_end(manifest: Mapping[str, Any], folder: Path, args: Settings, learner: StagedLearner) -> None:
    """Refuses a checkpoint that a run of this length would begin after its end.

    Raises:
        UserError: with both times.
    """
    same_clock = args.runner == manifest["config"].get("runner")
    if not args.evaluate and same_clock and manifest["t_env"] > learner.t_max:
        raise UserError(f"{folder} is at t_env {manifest['t_env']}, after the end of this run at {learner.t_max}; set "
                        "a larger t_max, go on from an earlier checkpoint, or only evaluate it with evaluate=true.")


def check_networks(manifest: Mapping[str, Any], folder: Path, game: Game, config: Config) -> None:
    """Refuses a checkpoint of another game or of other networks than those of this run.

    Controllers may differ if they only choose differently: what was learned from data by ``greedy_mac`` goes on online
    with ``q_mac``.

    Raises:
        UserError: naming the first difference.
    """
    alike = are_kin(str(manifest["config"].get("mac")), str(config["mac"]))
    check_fits(manifest, folder, game.spec(), config, [key for key in SHAPE if key != "mac" or not alike])


class Team:
    """A trained controller and its game, from a checkpoint.

    Args:
        path: a run's model folder, or one checkpoint in it.
        key: the ``env_args.key`` of its environment, if that is of another package: what a model folder says is not
            enough to import and call it.

    Attributes:
        folder: of the checkpoint.
        game, info, mac: rules, sizes, controller.
        config: the run's configuration.
        t_env: when the checkpoint was written.

    Raises:
        UserError: there is no whole checkpoint, or its environment cannot be made here.
    """

    def __init__(self, path: str, key: str = "") -> None:
        self.folder, manifest = checkpoint.find_whole(path, 0, "the model folder",
                                                      logging.getLogger("epymarl_cpa").warning)
        with checkpoint.taking_up(self.folder):
            self.config: dict[str, Any] = _sound(manifest["config"], self.folder)
        self.t_env: int = manifest["t_env"]
        check_named(self.config, key, self.folder)
        self.game = build_game(self.config)
        self.info = EnvInfo.of(self.game)
        try:
            self.mac = build_mac(self.config, self.info)
        except KeyError as error:
            raise UserError(f"{self.folder} has no whole configuration: {error} is missing; take another "
                            "checkpoint.") from None
        checkpoint.load_into(self.mac, self.folder)

    def seen(self, state: IntArray, batch: EpisodeBatch, step: int = 0) -> None:
        """Writes what a state of the game ``[1, K]`` shows at a step of a batch of one episode."""
        batch.update({"state": self.game.global_state(state), "obs": self.game.observe(state),
                      "avail_actions": self.game.available(state)}, ts=step)

    def empty_batch(self) -> EpisodeBatch:
        """Room for one episode."""
        return self.info.batch(1)


def check_named(config: Config, key: str, folder: Path) -> None:
    """Refuses to import an environment of another package only because a model folder names it.

    Args:
        config: of the checkpoint.
        key: the ``env_args.key`` that the command names.
        folder: of the checkpoint.

    Raises:
        UserError: the command names none, or another one.
    """
    if REGISTRY[config["env"]].pure:
        check_files(config["env"], config["env_args"], str(folder))
        return
    own = config["env_args"].get("key")
    if own is None:  # a game of ours for one environment: the file names nothing
        return
    if not key:
        raise UserError(f"{folder} was trained on {own} of another package, which would be imported on its word alone; "
                        f"if you trust it, name it in the command, too: --key={own}")
    if key != own:
        raise UserError(f"{folder} was trained on {own}, not on --key={key}.")


def _sound(config: Config, folder: Path) -> dict[str, Any]:
    """The configuration in a checkpoint, with what came later than it, every value checked.

    Raises:
        UserError: it lacks what every one has, or a value is none that the key can have.
    """
    try:
        known = keys_of(config)
        later = {name: key.before for name, key in known.items() if key.before is not UNSET}
        checked = {name: known[name].check(name, value) for name, value in config.items() if name in known}
        env_args = check_env_args(checked["env"], REGISTRY[checked["env"]], checked["env_args"])
    except UserError as error:
        raise UserError(f"{folder} cannot be used here: {error}") from None
    except KeyError as error:
        raise UserError(f"{folder} has no whole configuration: {error} is missing; take another checkpoint.") from None
    return {**later, **config, **checked, "env_args": env_args}


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
    for name in args.watchers:
        OBSERVERS[name].check()
    if args.progress:
        check_library()
    env = build_env(args)
    try:
        info = EnvInfo.of(env.game, args.common_reward)
        check_episodes(config, info)
        learner = build_learner(config, build_mac(config, info), info, console)
        if args.checkpoint_path:
            folder, manifest = checkpoint.find_whole(args.checkpoint_path, args.load_step)
            check_networks(manifest, folder, env.game, config)
            check_end(manifest, folder, args, learner)
            checkpoint.load_into(learner, folder, evaluate=args.evaluate)
        if args.runner == "offline" and not args.evaluate:
            check_asked(args.dataset, env.game, args.recipes, named_path(args.datasets_path, "datasets_path"))
    finally:
        env.close()
