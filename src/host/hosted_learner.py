"""Our controllers and learners as EPyMARL builds and drives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from .. import build
from ..components.drawn import DrawnBatch
from ..components.env_info import EnvInfo
from ..components.episode_buffer import EpisodeBatch
from ..controllers import Controller
from ..conventions.experience import EpisodeSource
from ..errors import Diverged
from ..utils import checkpoint
from ..utils.generators import generators, set_generators
from ..utils.manifest import check_fits, read_manifest, write_manifest
from ..utils.tensor_files import save_tensors
from .contract import HostArgs, HostLogger


class Hosting(Protocol):
    """The runner of ours that tells the other parts what EPyMARL's arguments mean."""

    config: dict[str, Any]
    info: EnvInfo
    t_max: int
    recorded: EpisodeSource | None
    make_ready: Callable[[int], None]
    drawn: DrawnBatch | None


def hosted_mac(scheme: Mapping[str, Any], groups: Mapping[str, int], args: HostArgs) -> Controller:
    """The controller of ours that EPyMARL's arguments ask for, in its constructor's words."""
    runner: Hosting = args.hosted_by
    build.check_episodes(runner.config, runner.info)
    return build.build_mac(runner.config, runner.info)


class HostedLearner:
    """Our learner for a loop that asks for an update after every call of the runner.

    At a ``t_env`` that it has learned at it does nothing: the loop goes round once more than there are
    updates, which is when the offline runner ends the run.  What it saves is a checkpoint of ours,
    which can teach students, be exported, and be evaluated and continued outside EPyMARL.

    Args:
        mac: a controller of ours.
        scheme: EPyMARL's layout of batches, which is ours.
        logger: EPyMARL's.
        args: EPyMARL's arguments, shared with its loop; ``t_max`` is moved to the end of the last stage.
    """

    def __init__(self, mac: Controller, scheme: Mapping[str, Any], logger: HostLogger, args: HostArgs) -> None:
        self.runner, self.logger, self.host_args, self.learned_at = args.hosted_by, logger, args, -1
        self.learner = build.build_learner(self.runner.config, mac, self.runner.info, logger.console_logger)
        if (recorded := self.runner.recorded) is not None:
            self.learner.use_data(recorded)
        self.runner.make_ready = self.learner.make_ready
        self._reach_end()

    def _reach_end(self) -> None:
        self.runner.t_max = self.host_args.t_max = self.learner.t_max

    def train(self, batch: EpisodeBatch, t_env: int, episode_num: int) -> None:
        if t_env == self.learned_at:
            return
        self.learned_at = t_env
        # The loop's copy holds the same episodes; of these it is known that they are recorded ones.
        drawn = self.runner.drawn
        for key, value in self.learner.train(batch if drawn is None else drawn, t_env, episode_num).items():
            self.logger.log_stat(key, value, t_env)

    def cuda(self) -> None:
        self.learner.cuda()

    def save_models(self, path: str) -> None:
        """Writes the learner's files, the runner's state and their manifest.

        Raises:
            Diverged: an update was not finite, and has not told, or the networks are not.
        """
        runner = self.runner
        self.learner.verify()
        if not self.learner.is_finite():
            raise Diverged(f"training diverged: the networks are not finite at t_env {runner.t_env}; lower lr, or "
                           "scale the rewards with reward_scale.")
        self.learner.make_ready(runner.t_env)
        state = {"runner": runner.state_dict(), "episode": 0, "curve": runner.curve, **generators()}
        self.learner.save_models(path)
        save_tensors(state, Path(path) / "run.th")
        facts = {"game": runner.game.spec(), "config": runner.config, "made_by": runner.made_by, **runner.facts(),
                 **self.learner.facts()}
        write_manifest(Path(path), runner.t_env, facts)
        checkpoint.prune(Path(path).parent, runner.args.kept)

    def load_models(self, path: str) -> None:
        """Loads a checkpoint of ours, with the runner's state if the run goes on.

        Raises:
            UserError: it is damaged, of another game or of other networks.
        """
        folder, runner = Path(path), self.runner
        check_fits(read_manifest(folder), folder, runner.game.spec(), runner.config)
        evaluate = runner.args.evaluate
        checkpoint.load_into(self.learner, folder, evaluate=evaluate)
        self._reach_end()
        if not evaluate:
            state = checkpoint.load_run_state(folder)
            with checkpoint.taking_up(folder):
                runner.load_state_dict(state["runner"])
                runner.curve = state["curve"]
                if runner.curve and runner.curve[-1][0] == runner.t_env:
                    runner.curve.pop()  # the loop evaluates the same team again
                set_generators(state)
