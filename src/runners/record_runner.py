"""The recording runner: writes the episodes of any policies of ours as a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..components.episode_buffer import EpisodeBatch
from ..utils import checkpoint
from . import REGISTRY
from .base import Runner
from .record_plan import Plan
from .record_play import Player
from .recorder import Recorder


@REGISTRY.register("record")
class RecordRunner(Runner):
    """Plays with the controllers of a run's checkpoints, or the untrained one, and learns nothing.

    Args:
        args: the run's configuration; ``episode_limit`` and ``game_spec`` are added to it.
        logger: takes messages.

    Raises:
        UserError: a setting is wrong, or what was recorded under that name before has others.
    """

    learns_offline = True  # no replay buffer is needed

    def __init__(self, args: Any, logger: Any) -> None:
        plan = Plan(args)
        super().__init__(args, logger)
        self.recorder = Recorder(plan, self.game.spec(), logger.console_logger)

    def record(self) -> dict[str, Any]:
        """Records everything; returns the number of ``episodes`` and their mean ``return``.

        Raises:
            UserError: a checkpoint does not fit, or the disk is full.
            KeyboardInterrupt: SIGINT or SIGTERM came; what was played is on the disk.
        """
        try:
            player = Player(self.env, self.empty_batch(1), self.args.reward_scalarisation)
            data = self.recorder.record(player, self.mac, self._load)
        finally:
            self.close_env()
        return {"episodes": data.n_episodes, "return": float(data.returns.mean())}

    def _load(self, mac: Any, model: Path) -> None:
        checkpoint.check(checkpoint.read_manifest(model), model, self.game.spec(), vars(self.args))
        checkpoint.load_into(mac, model)

    def run(self, test_mode: bool = False) -> EpisodeBatch | None:
        """Nothing is trained or tested."""
        return None

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the parts on the disk are all that a continued recording needs."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes nothing."""
