"""Speed of play: test episodes of trained teams, and the games alone, all episodes at once against one at a time."""

from __future__ import annotations

import time

import numpy as np

from ...envs import Game
from ...envs.episode import Episode
from ...utils.progress import counted
from .plan import Plan
from .results import Row, Table
from .timing import digits, interleaved
from .trials import trial_of

TEAMS = {"AR": ("cpa_ar",), "PA": ("cpa_pa", "test_greedy=true"), "PA with diversity": ("cpa_pa",), "BC": ("bc",)}
TEST = "Seconds of processor time for a test of {episodes} episodes, all at once, by teams that have not learned: " \
       "the networks have their usual sizes. `with diversity`: the pool's law is measured, too."
ALONE = "Steps of the environment a second of processor time, with uniformly random actions; the time of choosing " \
        "them, of states and of observations is in it."


def measure(plan: Plan) -> list[Table]:
    """Tests, then games."""
    episodes = 20 if plan.quick else 500
    numbered = zip(counted(range(len(plan.games)), "playing", "games"), plan.games, strict=True)
    both = [(_tests(plan, env, episodes), _game(plan, env, episodes)) for _, env in numbered]
    return [Table(f"A test of {episodes} episodes", [test for test, _ in both], TEST.format(episodes=episodes)),
            Table("The games alone", [game for _, game in both], ALONE)]


def _tests(plan: Plan, env: str, episodes: int) -> Row:
    trials = {name: trial_of(plan, method, env, f"test_nepisode={episodes}", *words)
              for name, (method, *words) in TEAMS.items()}
    for trial in trials.values():
        trial.learner.mac.enter(trial.learner.stages[-1].name)  # as at the end of a run
    calls = {name: trial.runner.evaluate for name, trial in trials.items()}
    found = interleaved(calls, 1 if plan.quick else 3, 1, 1, plan.device)
    return {"game": env, **{f"{name} s": digits(timing.seconds, 3) for name, timing in found.items()}}


def _game(plan: Plan, env: str, episodes: int) -> Row:
    game = trial_of(plan, "bc", env).runner.game
    batched(game, 10)  # caches of the rules
    rounds = []
    for _ in range(1 if plan.quick else 3):
        steps, seconds = batched(game, episodes)
        slow_steps, slow_seconds = one_at_a_time(game, max(1, episodes // 10))
        rounds.append((steps / seconds, slow_steps / slow_seconds))
    fast, slow = np.median(rounds, 0)
    return {"game": env, "all at once": float(round(fast)), "one at a time": float(round(slow)),
            "ratio": digits(float(np.median([a / b for a, b in rounds])), 3)}


def batched(game: Game, episodes: int) -> tuple[int, float]:
    """Plays the episodes together; returns environment steps and seconds of the processor."""
    rng = np.random.default_rng(0)
    started, steps = time.process_time(), 0
    state = game.initial(episodes, rng)
    while len(state):
        game.global_state(state)
        game.observe(state)
        step = game.transition(state, game.random_actions(state, rng), rng)
        steps += len(state)
        state = step.state[~step.done]
    return steps, max(time.process_time() - started, 1e-9)


def one_at_a_time(game: Game, episodes: int) -> tuple[int, float]:
    """Plays them one after the other, as all adapters do; returns environment steps and seconds of the processor."""
    episode, rng = Episode(game, seed=0), np.random.default_rng(0)
    started, steps = time.process_time(), 0
    for _ in range(episodes):
        episode.reset()
        while not episode.done:
            mask = episode.masks()
            episode.step((rng.random(mask.shape) * mask).argmax(1))
            episode.global_state(), episode.observations()
            steps += 1
    return steps, max(time.process_time() - started, 1e-9)
