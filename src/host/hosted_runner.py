"""Our offline runner as EPyMARL's loop drives it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ..components.episode_buffer import EpisodeBatch
from ..runners.offline_runner import OfflineRunner


class HostedOfflineRunner(OfflineRunner):
    """Makes EPyMARL's loop do exactly what our own does: ``t_max`` updates, each on the batch just drawn.

    The loop inserts each batch into a buffer and samples from it, so the buffer is made as large as a
    batch.  It would test first after one update and make one update too many: the first call returns no
    episodes, so that the first test is of the untrained team, and the call after the last update ends
    the run, with a last test if none was due, and the model's save.

    Args:
        args: EPyMARL's arguments, shared with its loop; ``buffer_size``, ``episode_limit`` and ``game_spec``
            are set, and at the end ``t_max``, ``save_model`` and ``save_model_interval``.
        logger: EPyMARL's.

    Attributes:
        batch_size: the number of test episodes, all of which one call plays.

    Raises:
        UserError: the data set is missing, damaged, or of another game.
    """

    def __init__(self, args: Any, logger: Any) -> None:
        super().__init__(args, logger)
        args.buffer_size, self.batch_size = args.batch_size, args.test_nepisode
        self._save = args.save_model
        if not args.save_model_interval:  # only at the end, where the loop would save at every step
            args.save_model = False
        self._begun, self._tested_at, self.log_train_stats_t = False, -1, 0

    def run(self, test_mode: bool = False) -> EpisodeBatch | None:
        """The next batch, all of whose entries up to the horizon exist; in test mode an evaluation."""
        if test_mode:
            if not self.args.evaluate or self._tested_at < 0:  # evaluate=True asks once for every episode
                self._tested_at = self.t_env
                self.evaluate()
            return None
        begun, self._begun = self._begun, True
        if not begun and self.t_env == 0:
            return self.empty_batch(0)
        if self.t_env >= self.args.t_max:
            return self._end()
        batch = super().run()
        assert batch is not None
        return self._whole(batch)

    def _end(self) -> EpisodeBatch:
        """Tests and has the loop save and stop; no episodes."""
        if self._tested_at != self.t_env:
            self.run(test_mode=True)
        self.args.save_model, self.args.save_model_interval = self._save, 0
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
