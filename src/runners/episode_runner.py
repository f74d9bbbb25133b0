"""The online runner: plays one episode at a time with the controller and records it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..components.episode_buffer import EpisodeBatch
from . import REGISTRY
from .base import Runner


@REGISTRY.register("episode")
class EpisodeRunner(Runner):
    """EPyMARL's episode runner; evaluation is batched as in the offline runner.

    Args:
        args: the run's configuration; ``episode_limit`` is added to it.
        logger: takes statistics.

    Attributes:
        t_env: number of environment steps played for training.
    """

    learns_offline = False

    def __init__(self, args: Any, logger: Any) -> None:
        super().__init__(args, logger)
        self.log_train_stats_t = -args.runner_log_interval - 1
        self._recent: dict[str, list[float]] = {"return": [], "ep_length": []}

    def run(self, test_mode: bool = False) -> EpisodeBatch | None:
        """Plays and records one episode; in test mode plays and logs an evaluation instead."""
        if test_mode:
            self.evaluate()
            return None
        batch = self.empty_batch(1)
        self.env.reset()
        self.mac.init_hidden(batch_size=1)
        total, terminated, t = 0.0, False, 0
        while True:
            batch.update({"state": [self.env.get_state()], "avail_actions": [self.env.get_avail_actions()],
                          "obs": [self.env.get_obs()]}, ts=t)
            # The action at the last state is recorded too, as in EPyMARL, but never played.
            actions = self.mac.select_actions(batch, t_ep=t, t_env=self.t_env, test_mode=False)
            batch.update({"actions": actions[..., None]}, ts=t, mark_filled=False)
            if terminated:
                break
            _, reward, terminated, truncated, info = self.env.step(actions[0].cpu().numpy())
            batch.update({"reward": [reward], "terminated": [(terminated and not info.get("episode_limit", False),)]},
                         ts=t, mark_filled=False)
            total += float(np.sum(reward))
            terminated = terminated or truncated
            t += 1
        self.t_env += t
        self._log_training(total, t)
        return batch

    def _log_training(self, total: float, length: int) -> None:
        self._recent["return"].append(total)
        self._recent["ep_length"].append(float(length))
        if self.t_env - self.log_train_stats_t >= self.args.runner_log_interval:
            self.logger.log_stat("return_std", float(np.std(self._recent["return"])), self.t_env)
            for key, values in self._recent.items():
                self.logger.log_stat(f"{key}_mean", float(np.mean(values)), self.t_env)
                values.clear()
            self.log_train_stats_t = self.t_env

    def state_dict(self) -> dict[str, Any]:
        """Counters; the environment itself starts afresh after loading."""
        return {"t_env": self.t_env, "log_train_stats_t": self.log_train_stats_t}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.t_env, self.log_train_stats_t = state["t_env"], state["log_train_stats_t"]
