"""The online runner: plays one episode at a time with the controller and records it."""

from __future__ import annotations

from collections.abc import Mapping
from logging import Logger
from typing import Any

import numpy as np

from ..components.episode_buffer import EpisodeBatch
from ..envs.multi_agent_env import MultiAgentEnv
from ..evaluation.play import agent_keys, return_stats
from ..settings import Settings
from . import REGISTRY
from .base import Runner

TRAINING_STREAM = 1_000_004  # keeps these episodes apart from everything else drawn from the seed


@REGISTRY.register("episode")
class EpisodeRunner(Runner):
    """EPyMARL's episode runner; evaluation is batched as in the offline runner.

    What a game draws in an episode depends on the seed and the episode's number only, so that a
    continued run meets the episodes that an uninterrupted one would have met.

    Attributes:
        t_env: number of environment steps played for training.
        episodes: number of episodes played for training.
    """

    learns_offline = False
    keeps = ("test_nepisode", "buffer_size")

    def __init__(self, args: Settings, env: MultiAgentEnv, console: Logger, device: str = "cpu") -> None:
        super().__init__(args, env, console, device)
        self.episodes, self.log_train_stats_t = 0, -args.runner_log_interval - 1
        self._recent: dict[str, list[float]] = {}
        self._seed = args.env_args.get("seed", args.seed)

    def run(self) -> EpisodeBatch:
        """Plays and records one episode."""
        batch = self.empty_batch(1)
        sequence = np.random.SeedSequence([self._seed, TRAINING_STREAM, self.episodes])
        self.env.reset(seed=int(sequence.generate_state(1)[0]))
        self.mac.init_hidden(batch_size=1)
        total, t, over = 0.0, 0, False
        own = np.zeros(self.game.n_agents)
        info: dict[str, float] = {}
        while True:
            batch.update({"state": [self.env.get_state()], "avail_actions": [self.env.get_avail_actions()],
                          "obs": [self.env.get_obs()]}, ts=t)
            # The action at the last state is recorded too, as in EPyMARL, but never played.
            actions = self.mac.select_actions(batch, t_ep=t, t_env=self.t_env, test_mode=False)
            batch.update({"actions": actions[..., None]}, ts=t, mark_filled=False)
            if over:
                break
            _, reward, terminated, truncated, info = self.env.step(actions[0].cpu().numpy())
            batch.update({"reward": [reward], "terminated": [(terminated and not info.get("episode_limit", False),)]},
                         ts=t, mark_filled=False)
            total += float(np.mean(reward) if self.args.reward_scalarisation == "mean" else np.sum(reward))
            own += reward
            over = terminated or truncated
            t += 1
        self.t_env, self.episodes = self.t_env + t, self.episodes + 1
        facts = {key: value for key, value in info.items() if key != "episode_limit"}
        if not self.args.common_reward:
            facts |= dict(zip(agent_keys(len(own)), own.tolist(), strict=True))
        for key, value in {"return": total, "ep_length": float(t), **facts}.items():
            self._recent.setdefault(key, []).append(value)
        return batch

    def take_statistics(self) -> Mapping[str, float]:
        """Means over the episodes since the last time, every ``runner_log_interval``."""
        if self.t_env - self.log_train_stats_t < self.args.runner_log_interval:
            return {}
        own = [np.array(self._recent.pop(key)) for key in agent_keys(self.game.n_agents) if key in self._recent]
        stats = return_stats(np.array(self._recent.pop("return")), self.shares, own)
        stats |= {f"{key}_mean": float(np.mean(values)) for key, values in self._recent.items()}
        self._recent.clear()
        self.log_train_stats_t = self.t_env
        return stats

    def state_dict(self) -> dict[str, Any]:
        """Counters, and statistics that were not logged yet."""
        return {"t_env": self.t_env, "episodes": self.episodes, "log_train_stats_t": self.log_train_stats_t,
                "recent": {key: list(values) for key, values in self._recent.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.t_env, self.episodes, self.log_train_stats_t = (
            state[key] for key in ("t_env", "episodes", "log_train_stats_t"))
        self._recent = state["recent"]
