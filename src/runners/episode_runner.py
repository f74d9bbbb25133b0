"""The online runner: plays episodes with the controller, one at a time or several together, and records them."""

from __future__ import annotations

from collections.abc import Mapping
from logging import Logger
from typing import Any

import numpy as np

from ..components.episode_buffer import EpisodeBatch
from ..envs.game import IntArray, Step
from ..envs.multi_agent_env import MultiAgentEnv, equal_shares
from ..evaluation.play import Values, agent_keys, return_stats
from ..settings import Settings
from . import REGISTRY
from .base import Runner

TRAINING_STREAM = 1_000_004  # keeps these episodes apart from everything else drawn from the seed


@REGISTRY.register("episode")
class EpisodeRunner(Runner):
    """EPyMARL's episode runner, and with ``batch_size_run`` its parallel runner, though in this process: all episodes
    of a batch are steps of the same batched rules.  Evaluation is batched as in the offline runner.

    What a game draws in an episode (or in those played together) depends on the seed and the episode's number only
    (that of the first of them), so that a continued run meets the episodes that an uninterrupted one would have met.

    Attributes:
        t_env: number of environment steps played for training.
        episodes: number of episodes played for training.
    """

    learns_offline = False
    keeps = ("test_nepisode", "buffer_size", "batch_size_run")

    def __init__(self, args: Settings, env: MultiAgentEnv, console: Logger, device: str = "cpu") -> None:
        super().__init__(args, env, console, device)
        self.episodes, self.log_train_stats_t = 0, -args.runner_log_interval - 1
        self._recent: dict[str, list[float]] = {}
        self._seed = args.env_args.get("seed", args.seed)

    def run(self) -> EpisodeBatch:
        """Plays and records ``batch_size_run`` episodes."""
        return self._one() if self.args.batch_size_run == 1 else self._together(self.args.batch_size_run)

    def _seeds(self) -> np.random.SeedSequence:
        """What decides all that the game draws in the next episode, or in the next ones together."""
        return np.random.SeedSequence([self._seed, TRAINING_STREAM, self.episodes])

    def _one(self) -> EpisodeBatch:
        batch = self.empty_batch(1)
        self.env.reset(seed=int(self._seeds().generate_state(1)[0]))
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
        self._count(total, t, own, {key: value for key, value in info.items() if key != "episode_limit"})
        return batch

    def _together(self, episodes: int) -> EpisodeBatch:
        """Several episodes at once, each as :meth:`_one` records it, but without an action at its last state."""
        game, batch, rng = self.game, self.empty_batch(episodes), np.random.default_rng(self._seeds())
        state, running = game.initial(episodes, rng), np.arange(episodes)
        self.mac.init_hidden(batch_size=episodes)
        own, lengths = np.zeros((episodes, game.n_agents)), np.zeros(episodes, dtype=np.int64)
        totals: Values = np.zeros(episodes)
        facts: list[dict[str, float]] = [{} for _ in range(episodes)]
        self._see(batch, state, running, 0)
        for t in range(game.episode_limit):
            actions = self.mac.select_actions(batch, t_ep=t, t_env=self.t_env, bs=running, test_mode=False)
            step = game.transition(state, actions.cpu().numpy(), rng)
            rewards = self._rewards(step)
            batch.update({"actions": actions[..., None], "reward": rewards, "terminated": step.terminated[:, None]},
                         bs=running, ts=t, mark_filled=False)
            totals[running] += rewards.mean(1) if self.args.reward_scalarisation == "mean" else rewards.sum(1)
            own[running] += rewards
            lengths[running] += 1
            for row in step.done.nonzero()[0]:
                facts[running[row]] = {key: float(value[row]) for key, value in step.info.items()}
            self._see(batch, step.state, running, t + 1)
            state, running = step.state[~step.done], running[~step.done]
            if not len(running):
                break
        self.t_env, self.episodes = self.t_env + int(lengths.sum()), self.episodes + episodes
        for each in range(episodes):
            self._count(float(totals[each]), int(lengths[each]), own[each], facts[each])
        return batch

    def _see(self, batch: EpisodeBatch, state: IntArray, running: IntArray, t: int) -> None:
        game = self.game
        batch.update({"state": game.global_state(state), "avail_actions": game.available(state),
                      "obs": game.observe(state)}, bs=running, ts=t)

    def _rewards(self, step: Step) -> Values:
        """What is recorded of a step's rewards: the team's ``[B, 1]``, or without ``common_reward`` the agents' own
        ``[B, N]``."""
        if self.args.common_reward:
            return step.reward[:, None]
        if step.rewards is not None:
            return step.rewards
        return np.array([equal_shares(team, self.game.n_agents, self.args.reward_scalarisation)
                         for team in step.reward.tolist()])

    def _count(self, total: float, length: int, own: Values, facts: Mapping[str, float]) -> None:
        """Takes an episode into the statistics that come next."""
        shares = {} if self.args.common_reward else dict(zip(agent_keys(len(own)), own.tolist(), strict=True))
        for key, value in {"return": total, "ep_length": float(length), **facts, **shares}.items():
            self._recent.setdefault(key, []).append(value)

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
        """Takes up a state.

        Raises:
            TypeError: what was not logged yet is no list of numbers for each name.
        """
        recent = dict(state["recent"])
        if not all(isinstance(values, list) and all(isinstance(value, int | float) for value in values)
                   for values in recent.values()):
            raise TypeError("'recent' holds something else than numbers")
        self.t_env, self.episodes, self.log_train_stats_t = (
            state[key] for key in ("t_env", "episodes", "log_train_stats_t"))
        self._recent = recent
