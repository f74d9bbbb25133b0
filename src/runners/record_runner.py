"""The recording runner: writes the episodes of any policies of ours as a data set."""

from __future__ import annotations

from logging import Logger
from pathlib import Path
from typing import Any

from ..components.episode_buffer import EpisodeBatch
from ..controllers.base import Controller
from ..envs.multi_agent_env import MultiAgentEnv
from ..recording.plan import RecordingPlan
from ..recording.player import Player
from ..recording.recorder import Recorder
from ..settings import Settings
from ..utils import checkpoint
from ..utils.manifest import check_fits, read_manifest
from . import REGISTRY
from .base import Runner


@REGISTRY.register("record")
class RecordRunner(Runner):
    """Plays with the controllers of a run's checkpoints, or the untrained one, and learns nothing.

    Raises:
        UserError: a setting is wrong, or what was recorded under that name before has others.
    """

    learns_offline = True  # no replay buffer is needed
    keeps = ("test_nepisode", "record_episodes")

    def __init__(self, args: Settings, env: MultiAgentEnv, console: Logger, device: str = "cpu") -> None:
        super().__init__(args, env, console, device)
        self.recorder = Recorder(RecordingPlan(args), self.game.spec(), console, self.game.rules())

    @property
    def place(self) -> str:
        return str(self.recorder.plan.target)

    def record(self) -> dict[str, Any]:
        try:
            player = Player(self.env, self.empty_batch(1), self.args.reward_scalarisation)
            data = self.recorder.record(player, self.mac, self._load)
        finally:
            self.close_env()
        return {"episodes": data.n_episodes, "return": float(data.returns.mean())}

    def _load(self, mac: Controller, model: Path) -> None:
        check_fits(read_manifest(model), model, self.game.spec(), vars(self.args))
        checkpoint.load_into(mac, model)

    def run(self) -> EpisodeBatch:
        raise AssertionError("a recording trains nothing")

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the parts on the disk are all that a continued recording needs."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes nothing."""
