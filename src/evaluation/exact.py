"""The exact expected return of a team that draws nothing, where all that it can see can be listed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..components.env_info import EnvInfo
from ..components.episode_buffer import EpisodeBatch
from ..controllers.base import Controller
from ..envs.game import Game, IntArray

MOST_ROWS = 4096  # histories that are asked for at once


def can_be_exact(game: Game, mac: Controller) -> bool:
    """Whether the game can be unfolded for this team: the same sight must always lead to the same actions."""
    team = mac.acting
    if team.draws_in_tests or (team.args.policy_input == "state" and not team.sees_present_alone):
        return False
    return game.unfolding(team.args.policy_input == "state") is not None


def exact_return(game: Game, mac: Controller, batch: Callable[[int], EpisodeBatch] | None = None, t_env: int = 0,
                 ) -> float | None:
    """Follows all that a deterministic team can see, and asks it once for each of them what it does.

    Nothing is drawn, and what comes after is as it would be without this.

    Args:
        game: the rules.
        mac: chooses actions.
        batch: makes an empty batch of so many episodes; by default one on the CPU.
        t_env: passed on to the controller.

    Returns:
        None where the team draws, sees the state and what was before, or can see more than :data:`MOST_ROWS` things.
    """
    if not can_be_exact(game, mac):
        return None
    batch = batch or EnvInfo.of(game).batch
    seeing = mac.acting.args.policy_input == "state"
    unfolding = game.unfolding(seeing)
    assert unfolding is not None
    rows, total = unfolding.begin(), 0.0
    story = [rows.state]  # at each time up to now, ``[R, K]``
    for t in range(game.episode_limit):
        actions = _asked(game, mac, batch(len(rows.state)), story, t_env)
        paid, after = unfolding.step(rows, actions, MOST_ROWS)
        total += paid
        if t + 1 == game.episode_limit:
            break
        if after is None:
            return None
        rows, story = after, [*(state[after.parent] for state in story), after.state]
    return total


def _asked(game: Game, mac: Controller, batch: EpisodeBatch, story: list[IntArray], t_env: int) -> IntArray:
    """Joint actions ``[R, N]`` at the end of stories, states ``[R, K]`` at each time.

    All steps are played again from the first, so that a memory of whatever kind is that of its story.
    """
    rows = np.arange(len(story[0]))
    mac.seed_tests()
    mac.init_hidden(batch_size=len(rows))
    actions = np.zeros((0, 0), dtype=np.int64)
    for t, state in enumerate(story):
        batch.update({"state": game.global_state(state), "avail_actions": game.available(state),
                      "obs": game.observe(state)}, bs=rows, ts=t)
        actions = mac.select_actions(batch, t_ep=t, t_env=t_env, bs=rows, test_mode=True).cpu().numpy()
        batch.update({"actions": actions[..., None]}, bs=rows, ts=t, mark_filled=False)
    return actions
