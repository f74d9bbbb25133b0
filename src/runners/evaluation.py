"""Evaluation: all episodes of a game at once, on generators of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..components.episode_buffer import EpisodeBatch
from ..envs.game import Game, IntArray

Values = NDArray[np.float64]
Watch = Callable[[IntArray], None]

EVALUATION_STREAM = 1_000_003  # keeps these episodes apart from everything else drawn from the seed


def evaluate(game: Game, mac: Any, batch: EpisodeBatch, seed: int, t_env: int, watch: Watch | None = None,
             ) -> dict[str, Values]:
    """Plays a batch of episodes with the controller, always the same start and luck for a seed.

    Args:
        game: the rules.
        mac: chooses actions with ``select_actions`` (one call per step for all episodes); one that
            draws them has ``seed_tests()``, which starts its luck in tests afresh.
        batch: empty; states, masks and actions are written into it.
        seed: of the game's randomness.
        t_env: passed on to the controller.
        watch: if given, called with each state ``[K]`` of the first episode.

    Returns:
        ``return`` (undiscounted), ``ep_length``, and the game's last info values, each ``[episodes]``.
    """
    rng = np.random.default_rng([seed, EVALUATION_STREAM])
    if hasattr(mac, "seed_tests"):
        mac.seed_tests()
    episodes = batch.batch_size
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


def log_evaluation(logger: Any, results: Mapping[str, Values], optimum: float, t_env: int, args: Any) -> None:
    """Logs means under EPyMARL's names, plus the regret against the exact optimum."""
    stats = {f"{key}_mean": float(values.mean()) for key, values in results.items() if key != "return"}
    stats |= return_stats(results["return"], args)
    stats["regret_mean"] = optimum - float(results["return"].mean())
    for key, value in stats.items():
        logger.log_stat(f"test_{key}", value, t_env)


def return_stats(team: Values, args: Any) -> dict[str, float]:
    """Mean and standard deviation of the team's returns ``[E]``, under EPyMARL's names.

    Without ``common_reward`` those of the agents' shares and of their total come as well, which is
    where EPyMARL's plots look for them.
    """
    series = {"return": team}
    if not args.common_reward:
        share = team / args.n_agents if args.reward_scalarisation == "sum" else team
        series |= {f"agent_{agent}_return": share for agent in range(args.n_agents)}
        series["total_return"] = share * args.n_agents
    return {f"{key}_{name}": float(of(values)) for key, values in series.items()
            for name, of in (("mean", np.mean), ("std", np.std))}
