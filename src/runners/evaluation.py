"""Evaluation: all episodes of a game at once, on a generator of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..components.episode_buffer import EpisodeBatch
from ..envs.game import Game

EVALUATION_STREAM = 1_000_003  # keeps these episodes apart from everything else drawn from the seed


def evaluate(game: Game, mac: Any, new_batch: Any, episodes: int, seed: int, t_env: int,
             watch: Any = None) -> Mapping[str, np.ndarray]:
    """Plays ``episodes`` episodes with the controller, always the same start and luck for a seed.

    Args:
        game: the rules.
        mac: chooses actions with ``select_actions`` (one call per step for all episodes).
        new_batch: makes an empty :class:`EpisodeBatch` of a given number of episodes.
        episodes: how many.
        seed: of the game's randomness.
        t_env: passed on to the controller.
        watch: if given, called with the state ``[K]`` of the first episode before every step.

    Returns:
        ``return`` (undiscounted), ``ep_length``, and the game's last info values, each ``[episodes]``.
    """
    rng = np.random.default_rng([seed, EVALUATION_STREAM])
    batch: EpisodeBatch = new_batch(episodes)
    mac.init_hidden(batch_size=episodes)
    state = game.initial(episodes, rng)
    running = np.arange(episodes)
    out = {key: np.zeros(episodes) for key in ("return", "ep_length", *game.info_keys)}
    for t in range(game.episode_limit):
        if watch is not None and running[0] == 0:
            watch(state[0])
        batch.update({"state": game.global_state(state), "avail_actions": game.available(state),
                      "obs": game.observe(state)}, bs=running, ts=t)
        actions = mac.select_actions(batch, t_ep=t, t_env=t_env, bs=running, test_mode=True).cpu().numpy()
        batch.update({"actions": actions[..., None]}, bs=running, ts=t, mark_filled=False)
        step = game.transition(state, actions, rng)
        out["return"][running] += step.reward
        out["ep_length"][running] += 1
        for key in game.info_keys:
            out[key][running] = step.info[key]
        if watch is not None and running[0] == 0 and step.done[0]:
            watch(step.state[0])
        state, running = step.state[~step.done], running[~step.done]
        if not len(running):
            break
    return out


def log_evaluation(logger: Any, results: Mapping[str, np.ndarray], optimum: float, t_env: int) -> None:
    """Logs means under EPyMARL's names, plus the regret against the exact optimum."""
    for key, values in results.items():
        logger.log_stat(f"test_{key}_mean", values.mean(), t_env)
    logger.log_stat("test_return_std", results["return"].std(), t_env)
    logger.log_stat("test_regret_mean", optimum - results["return"].mean(), t_env)
