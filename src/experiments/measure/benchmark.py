"""Speed of evaluation: all episodes at once against one at a time, in one run.

``python -m epymarl_cpa.experiments.benchmark`` prints environment steps per second for every game,
with uniformly random actions, the time of choosing them included in both.
"""

from __future__ import annotations

import time

import numpy as np

from ...envs import Game, make_game, ours
from ...envs.multi_agent_env import MultiAgentEnv


def batched(game: Game, episodes: int) -> tuple[int, float]:
    """Plays the episodes together; returns environment steps and seconds."""
    rng = np.random.default_rng(0)
    started, steps = time.perf_counter(), 0
    state = game.initial(episodes, rng)
    while len(state):
        game.global_state(state)
        game.observe(state)
        mask = game.available(state)
        step = game.transition(state, (rng.random(mask.shape) * mask).argmax(2), rng)
        steps += len(state)
        state = step.state[~step.done]
    return steps, time.perf_counter() - started


def one_at_a_time(name: str, episodes: int) -> tuple[int, float]:
    """Plays the episodes through the EPyMARL adapter; returns environment steps and seconds."""
    env, rng = MultiAgentEnv(name, seed=0), np.random.default_rng(0)
    started, steps = time.perf_counter(), 0
    for _ in range(episodes):
        env.reset()
        done = False
        while not done:
            mask = np.array(env.get_avail_actions())
            _, _, done, _, _ = env.step((rng.random(mask.shape) * mask).argmax(1))
            env.get_state()
            steps += 1
    return steps, time.perf_counter() - started


def main(episodes: int = 500) -> None:
    """Prints the table."""
    print(f"{episodes} episodes each\n\n| game | batched, s | batched, steps/s | one at a time, steps/s | ratio |\n"
          "|---|---|---|---|---|")
    for name in sorted(ours()):
        batched(make_game(name), 10)  # caches of the rules
        steps, seconds = batched(make_game(name), episodes)
        slow_steps, slow_seconds = one_at_a_time(name, max(1, episodes // 10))
        fast, slow = steps / seconds, slow_steps / slow_seconds
        print(f"| {name} | {seconds:.3f} | {fast:,.0f} | {slow:,.0f} | {fast / slow:.0f} |")


