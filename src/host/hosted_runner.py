"""Our offline runner as EPyMARL's loop drives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from .. import build
from ..components.drawn import DrawnBatch
from ..components.episode_buffer import EpisodeBatch
from ..controllers import Controller
from ..envs.game import IntArray
from ..errors import UserError
from ..evaluation.play import headline_of
from ..provenance import provenance
from ..run import due
from ..runners.offline_runner import OfflineRunner
from ..settings import Settings
from ..utils import checkpoint
from ..utils.files import named_path
from .contract import HostArgs, HostLogger
from .names import plain_config


class HostedOfflineRunner(OfflineRunner):
    """Makes EPyMARL's loop do exactly what our own does: ``t_max`` updates, each on the batch just drawn.

    The loop inserts each batch into a buffer and samples from it, so the buffer is made as large as a
    batch.  It would test first after one update and make one update too many: the first call returns no
    episodes, so that the first test is of the untrained team, and the call after the last update ends
    the run, with a last test if none was due, and the model's save.  It would save at odd times: it is
    told when.

    Args:
        args: EPyMARL's arguments, shared with its loop; ``buffer_size`` and ``hosted_by`` are set, on the way
            ``save_model`` and ``save_model_interval``, and at the end ``t_max``.
        logger: EPyMARL's.

    Attributes:
        config: the same configuration in our words.
        t_max: where the last stage ends; the learner tells it.
        batch_size: the number of test episodes, all of which one call plays.
        make_ready: makes the policy fit to be played; the learner tells how.
        drawn: the batch of this round as it was drawn; None before the first.

    Raises:
        UserError: the data set or the checkpoint is missing, damaged, or of another game.
    """

    def __init__(self, args: HostArgs, logger: HostLogger) -> None:
        if args.checkpoint_path:
            args.checkpoint_path, args.load_step = _for_their_loop(args.checkpoint_path, args.load_step)
        self.config = plain_config(vars(args))
        settings = Settings.of(self.config)
        super().__init__(settings, build.build_env(settings), logger.console_logger, args.device)
        self.made_by = {**provenance(self.config, self.game), **self.made_from()}
        self.host_args, self.logger, self.t_max, self.curve = args, logger, settings.t_max, list[list[float]]()
        args.hosted_by, args.buffer_size, self.batch_size = self, args.batch_size, args.test_nepisode
        args.save_model, args.save_model_interval = False, 0
        self._begun, self._tested_at, self.log_train_stats_t = False, -1, 0
        self.make_ready: Callable[[int], None] = lambda t_env: None
        self.drawn: DrawnBatch | None = None

    def get_env_info(self) -> dict[str, Any]:
        return self.env.get_env_info()

    def setup(self, scheme: Mapping[str, Any], groups: Mapping[str, int], preprocess: Any, mac: Controller) -> None:
        """Takes the controller; EPyMARL's layout of batches is ours."""
        self.use(mac)

    def run(self, test_mode: bool = False) -> EpisodeBatch:
        """The next batch, all of whose entries up to the horizon exist; in test mode an evaluation."""
        if test_mode:
            if self._tested_at != self.t_env:  # with evaluate=True, EPyMARL asks once for every episode
                self._tested_at = self.t_env
                self._test()
            return self.empty_batch(0)
        begun, self._begun, self.host_args.save_model = self._begun, True, False
        if self.t_env >= self.t_max or self.args.evaluate:
            return self._end()
        if not begun:
            return self.empty_batch(0)
        drawn = super().run()
        assert isinstance(drawn, DrawnBatch)
        self.drawn, batch = drawn, DrawnBatch(self.episodes, drawn.place)  # the loop looks into that one
        self.host_args.save_model = self.args.save_model and due(self.t_env, self.t_env - 1,
                                                                 self.args.saving_interval)
        return self._whole(batch)

    def _test(self) -> None:
        if not self.args.evaluate:
            self.make_ready(self.t_env)
        results = self.evaluate(self._show if self.args.evaluate and self.args.render else None)
        self.curve.append([self.t_env, headline_of(self.game, results)])
        for key, value in self.stats_of(results).items():
            self.logger.log_stat(key, value, self.t_env)

    def _show(self, state: IntArray) -> None:
        self.console.info("\n%s", self.game.show(state))

    def _end(self) -> EpisodeBatch:
        """Tests and has the loop save and stop; no episodes."""
        self.run(test_mode=True)
        self.host_args.save_model = self.args.save_model and not self.args.evaluate
        self.host_args.t_max = self.t_env - 1
        return self.empty_batch(0)

    def _whole(self, batch: EpisodeBatch) -> EpisodeBatch:
        """The batch with empty entries up to the horizon: EPyMARL's buffer keeps what was there before."""
        length = self.game.episode_limit + 1
        data = {}
        for key, value in batch.data.transition_data.items():
            data[key] = value.new_zeros(len(value), length, *value.shape[2:])
            data[key][:, : batch.max_seq_length] = value
        info = self.info
        return EpisodeBatch(info.scheme, info.groups, batch.batch_size, length,
                            SimpleNamespace(transition_data=data, episode_data={}), info.preprocess, self.device)

    def save_replay(self) -> None:
        self.env.save_replay()


def _for_their_loop(path: str, load_step: int) -> tuple[str, int]:
    """A run's model folder and the step in it: EPyMARL ends quietly or with a traceback where either is something else.

    Raises:
        UserError: there is no checkpoint, or it is one that EPyMARL has no words for.
    """
    found = checkpoint.find(path, load_step)
    if found != named_path(path):
        return path, load_step
    step = int(found.name) if found.name.isdecimal() else -1
    if step < 0 or (step == 0 and len(checkpoint.find_all(str(found.parent))) > 1):  # 0 means the newest
        raise UserError(f"checkpoint_path={path} cannot be named inside EPyMARL, which takes a run's model folder and "
                        "a load_step of at least 1; play it with epymarl-cpa evaluate, without --epymarl.")
    return str(found.parent), step
