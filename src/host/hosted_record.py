"""Recording inside EPyMARL: its own controllers and environments, or ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import build
from ..components.env_info import EnvInfo
from ..components.episode_buffer import EpisodeBatch, Preprocess, Scheme
from ..envs.multi_agent_env import MultiAgentEnv
from ..errors import UserError
from ..recording.plan import RecordingPlan
from ..recording.player import Player
from ..recording.recorder import Recorder
from ..settings import Settings
from ..utils import checkpoint
from ..utils.manifest import check_fits, read_manifest
from .contract import HostActor, HostArgs, HostLogger
from .names import plain_config, spec_of


class HostedRecordRunner:
    """Records with EPyMARL's environments and controllers, in its loop's first call; then the loop ends.

    Args:
        args: EPyMARL's arguments, shared with its loop; ``buffer_size`` and ``save_model`` are set, and at
            the end ``t_max``.
        logger: EPyMARL's.

    Attributes:
        batch_size: such that the loop asks for one test, which plays nothing.
        recorded: nothing that a learner could begin with.

    Raises:
        UserError: a setting is wrong, or what was recorded under that name before has others.
    """

    recorded = None

    def __init__(self, args: HostArgs, logger: HostLogger) -> None:
        self.plan = RecordingPlan(args)
        self.host_args, self.logger = args, logger
        args.buffer_size, args.save_model, self.batch_size = 1, False, args.test_nepisode
        self.t_env, self.log_train_stats_t = 0, 0
        self.env = self.make_env()
        rules = self.env.game.rules() if isinstance(self.env, MultiAgentEnv) else ""
        self.recorder = Recorder(self.plan, spec_of(args, self.env), logger.console_logger, rules)

    def make_env(self) -> Any:
        """The environment that EPyMARL's registry has under the name."""
        import envs  # type: ignore[import-not-found]  # EPyMARL's

        args = self.host_args
        if args.env == "sc2":
            envs.register_smac()
        elif args.env == "sc2v2":
            envs.register_smacv2()
        return envs.REGISTRY[args.env](**args.env_args, common_reward=args.common_reward,
                                       reward_scalarisation=args.reward_scalarisation)

    def get_env_info(self) -> dict[str, Any]:
        info: dict[str, Any] = self.env.get_env_info()
        return info

    def setup(self, scheme: Scheme, groups: Mapping[str, int], preprocess: Preprocess, mac: HostActor) -> None:
        """Takes the batch layout and the controller."""
        self.mac = mac

        def batch(episodes: int) -> EpisodeBatch:
            return EpisodeBatch(scheme, groups, episodes, self.env.episode_limit + 1, preprocess=preprocess,
                                device=self.host_args.device)
        self._batch = batch

    def run(self, test_mode: bool = False) -> EpisodeBatch | None:
        """Records everything, and returns no episodes; in test mode does nothing.

        Raises:
            UserError: a checkpoint does not fit, or the disk is full.
            KeyboardInterrupt: SIGINT or SIGTERM came; what was played is on the disk.
        """
        if test_mode:
            return None
        player = Player(self.env, self._batch(1), self.host_args.reward_scalarisation)
        self.recorder.record(player, self.mac, self.load)
        self.host_args.t_max = self.t_env - 1
        return self._batch(0)

    def load(self, mac: HostActor, model: Path) -> None:
        """Gives a controller of EPyMARL's the weights in a folder.

        Raises:
            UserError: they are not there, or of other networks.
        """
        try:
            mac.load_models(str(model))
        except Exception as error:  # torch raises some dozen kinds for damaged and unfitting files
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
            raise UserError(f"{model} does not fit the networks of this run ({reason}); record with the "
                            "configuration that it was trained with.") from None

    def save_replay(self) -> None:
        self.env.save_replay()

    def close_env(self) -> None:
        self.env.close()


class OwnRecordRunner(HostedRecordRunner):
    """The same with our environments and controllers."""

    def make_env(self) -> Any:
        self.config = plain_config(vars(self.host_args))
        settings = Settings.of(self.config)
        env = build.build_env(settings)
        self.info = EnvInfo.of(env.game, settings.common_reward)
        self.args, self.game, self.t_max, self.host_args.hosted_by = settings, env.game, 0, self
        return env

    def load(self, mac: HostActor, model: Path) -> None:
        """Gives a controller of ours the weights in a checkpoint of ours.

        Raises:
            UserError: it is damaged, of another game or of other networks.
        """
        manifest = read_manifest(model)
        check_fits(manifest, model, self.env.game.spec(), self.config)
        checkpoint.load_into(mac, model)
