"""Speed of evaluation: all episodes at once against one at a time, in one run.

``python -m epymarl_cpa.experiments.benchmark`` prints environment steps per second for every game,
with uniformly random actions, the time of choosing them included in both.
"""

from __future__ import annotations

import time

import numpy as np

from ...config import FOLDER, load_env
from ...envs import Game
from ...envs.episode import Episode


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


def one_at_a_time(game: Game, episodes: int) -> tuple[int, float]:
    """Plays them one after the other, as all adapters do; returns environment steps and seconds."""
    episode, rng = Episode(game, seed=0), np.random.default_rng(0)
    started, steps = time.perf_counter(), 0
    for _ in range(episodes):
        episode.reset()
        while not episode.done:
            mask = episode.masks()
            episode.step((rng.random(mask.shape) * mask).argmax(1))
            episode.global_state(), episode.observations()
            steps += 1
    return steps, time.perf_counter() - started


def main(episodes: int = 500) -> None:
    """Prints the table."""
    print(f"{episodes} episodes each\n\n| game | batched, s | batched, steps/s | one at a time, steps/s | ratio |\n"
          "|---|---|---|---|---|")
    for name in sorted(file.stem for file in (FOLDER / "envs").glob("*.yaml")):
        game = load_env(name)[0]
        if not game.pure:  # of another package, whose speed is its own
            continue
        batched(game, 10)  # caches of the rules
        steps, seconds = batched(game, episodes)
        slow_steps, slow_seconds = one_at_a_time(game, max(1, episodes // 10))
        fast, slow = steps / seconds, slow_steps / slow_seconds
        print(f"| {name} | {seconds:.3f} | {fast:,.0f} | {slow:,.0f} | {fast / slow:.0f} |")


