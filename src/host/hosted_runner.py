"""Our offline runner as EPyMARL's loop drives it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ..components.episode_buffer import EpisodeBatch
from ..envs.game import IntArray
from ..run import due
from ..runners.offline_runner import OfflineRunner
from ..utils import checkpoint
from .names import own_env_args


class HostedOfflineRunner(OfflineRunner):
    """Makes EPyMARL's loop do exactly what our own does: ``t_max`` updates, each on the batch just drawn.

    The loop inserts each batch into a buffer and samples from it, so the buffer is made as large as a
    batch.  It would test first after one update and make one update too many: the first call returns no
    episodes, so that the first test is of the untrained team, and the call after the last update ends
    the run, with a last test if none was due, and the model's save.  It would save at odd times: it is
    told when.

    Args:
        args: EPyMARL's arguments, shared with its loop; ``buffer_size``, ``episode_limit``, ``game_spec``
            and ``hosted_by`` are set, on the way ``save_model`` and ``save_model_interval``, and at the end
            ``t_max``.
        logger: EPyMARL's.

    Attributes:
        batch_size: the number of test episodes, all of which one call plays.

    Raises:
        UserError: the data set or the checkpoint is missing, damaged, or of another game.
    """

    def __init__(self, args: Any, logger: Any) -> None:
        if args.checkpoint_path:
            checkpoint.find(args.checkpoint_path, args.load_step)  # EPyMARL ends quietly if there is none
        args.env_args = own_env_args(args.env, args.env_args)
        super().__init__(args, logger)
        args.hosted_by, args.buffer_size, self.batch_size = self, args.batch_size, args.test_nepisode
        self._save, self._interval = args.save_model, args.save_model_interval
        args.save_model, args.save_model_interval = False, 0
        self._begun, self._tested_at, self.log_train_stats_t = False, -1, 0

    def run(self, test_mode: bool = False) -> EpisodeBatch | None:
        """The next batch, all of whose entries up to the horizon exist; in test mode an evaluation."""
        if test_mode:
            if self._tested_at != self.t_env:  # with evaluate=True, EPyMARL asks once for every episode
                self._tested_at = self.t_env
                self.evaluate(self._show if self.args.evaluate and self.args.render else None)
            return None
        begun, self._begun, self.args.save_model = self._begun, True, False
        if self.t_env >= self.args.t_max or self.args.evaluate:
            return self._end()
        if not begun:
            return self.empty_batch(0)
        batch = super().run()
        assert batch is not None
        self.args.save_model = self._save and due(self.t_env, self.t_env - 1, self._interval)
        return self._whole(batch)

    def _show(self, state: IntArray) -> None:
        self.logger.console_logger.info("\n%s", self.game.draw(state))

    def _end(self) -> EpisodeBatch:
        """Tests and has the loop save and stop; no episodes."""
        self.run(test_mode=True)
        self.args.save_model = self._save and not self.args.evaluate
        self.args.t_max = self.t_env - 1
        return self.empty_batch(0)

    def _whole(self, batch: EpisodeBatch) -> EpisodeBatch:
        """The batch with empty entries up to the horizon: EPyMARL's buffer keeps what was there before."""
        length = self.game.episode_limit + 1
        data = {}
        for key, value in batch.data.transition_data.items():
            data[key] = value.new_zeros(len(value), length, *value.shape[2:])
            data[key][:, : batch.max_seq_length] = value
        return EpisodeBatch(self.scheme, self.groups, batch.batch_size, length,
                            SimpleNamespace(transition_data=data, episode_data={}), self.preprocess,
                            self.args.device)
