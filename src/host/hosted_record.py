"""Recording inside EPyMARL: its own controllers and environments, or ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..components.episode_buffer import EpisodeBatch
from ..errors import UserError
from ..runners.record_plan import Plan
from ..runners.record_play import Player
from ..runners.recorder import Recorder
from ..utils import checkpoint
from .names import own_config, own_env, spec_of


class HostedRecordRunner:
    """Records with EPyMARL's environments and controllers, in its loop's first call; then the loop ends.

    Args:
        args: EPyMARL's arguments, shared with its loop; ``buffer_size`` and ``save_model`` are set, and at
            the end ``t_max``.
        logger: EPyMARL's.

    Attributes:
        batch_size: such that the loop asks for one test, which plays nothing.

    Raises:
        UserError: a setting is wrong, or what was recorded under that name before has others.
    """

    def __init__(self, args: Any, logger: Any) -> None:
        self.plan = Plan(args)
        self.args, self.logger = args, logger
        args.buffer_size, args.save_model, self.batch_size = 1, False, args.test_nepisode
        self.t_env, self.log_train_stats_t = 0, 0
        self.env = self.make_env()
        self.recorder = Recorder(self.plan, spec_of(args, self.env), logger.console_logger)

    def make_env(self) -> Any:
        """The environment that EPyMARL's registry has under the name."""
        import envs  # type: ignore[import-not-found]  # EPyMARL's

        args = self.args
        if args.env == "sc2":
            envs.register_smac()
        elif args.env == "sc2v2":
            envs.register_smacv2()
        return envs.REGISTRY[args.env](**args.env_args, common_reward=args.common_reward,
                                       reward_scalarisation=args.reward_scalarisation)

    def get_env_info(self) -> dict[str, Any]:
        info: dict[str, Any] = self.env.get_env_info()
        return info

    def setup(self, scheme: Any, groups: Any, preprocess: Any, mac: Any) -> None:
        """Takes the batch layout and the controller."""
        self.mac = mac

        def batch(episodes: int) -> EpisodeBatch:
            return EpisodeBatch(scheme, groups, episodes, self.env.episode_limit + 1, preprocess=preprocess,
                                device=self.args.device)
        self._batch = batch

    def run(self, test_mode: bool = False) -> EpisodeBatch | None:
        """Records everything, and returns no episodes; in test mode does nothing.

        Raises:
            UserError: a checkpoint does not fit, or the disk is full.
            KeyboardInterrupt: SIGINT or SIGTERM came; what was played is on the disk.
        """
        if test_mode:
            return None
        player = Player(self.env, self._batch(1), self.args.reward_scalarisation)
        self.recorder.record(player, self.mac, self.load)
        self.args.t_max = self.t_env - 1
        return self._batch(0)

    def load(self, mac: Any, model: Path) -> None:
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
        env = own_env(self.args)
        self.args.episode_limit, self.args.game_spec = env.episode_limit, env.game.spec()  # learners need them
        return env

    def load(self, mac: Any, model: Path) -> None:
        """Gives a controller of ours the weights in a checkpoint of ours.

        Raises:
            UserError: it is damaged, of another game or of other networks.
        """
        manifest = checkpoint.read_manifest(model)
        checkpoint.check(manifest, model, self.env.game.spec(), own_config(vars(self.args)))
        checkpoint.load_into(mac, model)
