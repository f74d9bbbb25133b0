"""Evaluation: all episodes of a game at once, on generators of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..components.episode_buffer import EpisodeBatch
from ..controllers.base import Controller
from ..envs.game import Game, IntArray
from ..utils.progress import counted

Values = NDArray[np.float64]
Show = Callable[[IntArray], None]

EXACT = "exact_return"  # the key of the exact expected return, one value, beside those of the episodes
EVALUATION_STREAM = 1_000_003  # keeps these episodes apart from everything else drawn from the seed


def evaluate(game: Game, mac: Controller, batch: EpisodeBatch, seed: int, t_env: int, watch: Show | None = None,
             ) -> dict[str, Values]:
    """Plays a batch of episodes with the controller, always the same for a seed.

    Args:
        game: the rules.
        mac: chooses actions, in one call per step for all episodes.
        batch: empty; states, masks and actions are written into it.
        seed: of the game's randomness.
        t_env: passed on to the controller.
        watch: if given, called with each state ``[K]`` of the first episode.

    Returns:
        ``return`` (undiscounted), ``ep_length``, and the game's last info values, each ``[episodes]``, 0 in episodes
        at whose end an environment of another package gave none; where the agents have rewards of their own,
        ``agent_<i>_return``, too.
    """
    rng = np.random.default_rng([seed, EVALUATION_STREAM])
    mac.seed_tests()
    episodes = batch.batch_size
    mac.init_hidden(batch_size=episodes)
    state = game.initial(episodes, rng)
    running = np.arange(episodes)
    out = {key: np.zeros(episodes) for key in ("return", "ep_length", *game.info_keys)}
    own: Values | None = None
    foreign: dict[str, Values] = {}
    for t in counted(range(game.episode_limit), f"playing {episodes} episodes"):
        if watch is not None and running[0] == 0:
            watch(state[0])
        batch.update({"state": game.global_state(state), "avail_actions": game.available(state),
                      "obs": game.observe(state)}, bs=running, ts=t)
        actions = mac.select_actions(batch, t_ep=t, t_env=t_env, bs=running, test_mode=True).cpu().numpy()
        batch.update({"actions": actions[..., None]}, bs=running, ts=t, mark_filled=False)
        step = game.transition(state, actions, rng)
        out["return"][running] += step.reward
        if step.rewards is not None:
            own = np.zeros((game.n_agents, episodes)) if own is None else own
            own[:, running] += step.rewards.T
        out["ep_length"][running] += 1
        for key in game.info_keys:
            out[key][running] = step.info[key]
        for key in step.info.keys() - set(game.info_keys):
            foreign.setdefault(key, np.zeros(episodes))[running] = step.info[key]
        if watch is not None and running[0] == 0 and step.done[0]:
            watch(step.state[0])
        state, running = step.state[~step.done], running[~step.done]
        if not len(running):
            break
    out |= dict(sorted(foreign.items()))
    return out if own is None else out | {key: own[agent] for agent, key in enumerate(agent_keys(game.n_agents))}


def agent_keys(n_agents: int) -> list[str]:
    """Names of the agents' own returns."""
    return [f"agent_{agent}_return" for agent in range(n_agents)]


class RewardShares(NamedTuple):
    """How a team's reward relates to its agents': settings ``common_reward`` and ``reward_scalarisation``."""

    n_agents: int
    common_reward: bool
    scalarisation: str


def headline_of(game: Game, results: Mapping[str, Values]) -> float:
    """The mean of what results of the game are quoted in; the exact return where there is one.

    Args:
        game: that was played.
        results: as of :func:`evaluate`, with ``exact_return`` where it could be computed.
    """
    exact = game.headline == "return" and EXACT in results
    return float(results[EXACT if exact else game.headline].mean())


def evaluation_stats(results: Mapping[str, Values], optimum: float | None, shares: RewardShares) -> dict[str, float]:
    """Means under EPyMARL's names, plus the regret against the exact optimum, if it is known.

    Args:
        results: as of :func:`evaluate`.
        optimum: of the return.
        shares: whether and how the agents' own rewards are told.
    """
    keys = agent_keys(shares.n_agents)
    own = [results[key] for key in keys if key in results]
    stats = {f"{key}_mean": float(values.mean()) for key, values in results.items() if key not in ("return", *keys)}
    stats |= return_stats(results["return"], shares, own)
    if optimum is not None:
        stats["regret_mean"] = optimum - float(results[EXACT if EXACT in results else "return"].mean())
    return {f"test_{key}": value for key, value in stats.items()}


def return_stats(team: Values, shares: RewardShares, own: Sequence[Values] = ()) -> dict[str, float]:
    """Mean and standard deviation of the team's returns ``[E]``, under EPyMARL's names.

    Without ``common_reward`` those of the agents' own returns (N times ``[E]``; equal shares, where they have
    none) and of their total come as well, which is where EPyMARL's plots look for them.
    """
    series = {"return": team}
    if not shares.common_reward:
        n_agents = shares.n_agents
        share = team / n_agents if shares.scalarisation == "sum" else team
        series |= dict(zip(agent_keys(n_agents), own or [share] * n_agents, strict=True))
        series["total_return"] = np.sum(own, 0) if own else share * n_agents
    return {f"{key}_{name}": float(of(values)) for key, values in series.items()
            for name, of in (("mean", np.mean), ("std", np.std))}
