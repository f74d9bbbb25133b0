"""Which entries of a batch are steps to learn from, and what they hold."""

from __future__ import annotations

from typing import Any

import pytest
import torch as th

from epymarl_cpa.components.episode_buffer import EpisodeBatch
from epymarl_cpa.components.transitions import Transitions, played_steps, transitions

N, A, S, T = 2, 3, 1, 5


def episodes(*kinds: tuple[int, bool, bool], agents: int = 1) -> EpisodeBatch:
    """One episode per (steps, whether it truly ended, whether its last state was recorded).

    State and actions tell the time: the state is t, agent i plays (t + i) mod A; the reward is 10 + t.
    """
    scheme: dict[str, dict[str, Any]] = {
        "state": {"vshape": S}, "actions": {"vshape": (1,), "group": "agents", "dtype": th.long},
        "avail_actions": {"vshape": (A,), "group": "agents", "dtype": th.int}, "reward": {"vshape": (agents,)},
        "terminated": {"vshape": (1,), "dtype": th.uint8}}
    batch = EpisodeBatch(scheme, {"agents": N}, len(kinds), T + 1)
    for row, (steps, ended, last) in enumerate(kinds):
        for t in range(steps + last):
            actions = [[(t + i) % A] for i in range(N)]
            batch.update({"state": [[t]], "actions": [actions], "avail_actions": th.ones(1, N, A)}, bs=row, ts=t)
        for t in range(steps):
            batch.update({"reward": [[10.0 + t] * agents], "terminated": [[ended and t == steps - 1]]}, bs=row, ts=t,
                         mark_filled=False)
    return batch


def steps_of(batch: EpisodeBatch, **how: Any) -> Transitions:
    """Its steps, with the states as they were recorded."""
    return transitions(batch, batch["state"], **how)


def epymarl_mask(batch: EpisodeBatch) -> th.Tensor:
    """The mask in EPyMARL's learners."""
    mask = batch["filled"][:, :-1, 0].float()
    mask[:, 1:] = mask[:, 1:] * (1 - batch["terminated"][:, :-1, 0].float())[:, :-1]
    return mask


def test_the_five_step_example() -> None:
    """Ended after 3 of 5 steps: 1, 1, 1, 0, 0, as in EPyMARL."""
    batch = episodes((3, True, True))
    assert played_steps(batch)[0].tolist() == [True, True, True, False, False]
    assert epymarl_mask(batch)[0].tolist() == [1, 1, 1, 0, 0]


@pytest.mark.parametrize("kind", [(5, True, True), (5, False, True), (1, True, True), (4, True, True)])
def test_ends_and_full_length_agree_with_epymarl(kind: tuple[int, bool, bool]) -> None:
    batch = episodes(kind)
    assert th.equal(played_steps(batch).float(), epymarl_mask(batch))
    assert played_steps(batch).sum() == kind[0]


def test_a_cut_off_episode_lends_no_bogus_step() -> None:
    """Cut off after 3 of 5 steps: EPyMARL's mask counts the last state as a fourth, rewardless step."""
    batch = episodes((3, False, True))
    assert epymarl_mask(batch)[0].tolist() == [1, 1, 1, 1, 0]
    assert played_steps(batch)[0].tolist() == [True, True, True, False, False]
    assert steps_of(batch).done.tolist() == [0, 0, 0], "and its last step is bootstrapped"


def test_without_its_last_state_only_a_true_end_tells_the_outcome() -> None:
    assert played_steps(episodes((3, True, False)))[0].tolist() == [True, True, True, False, False]
    assert played_steps(episodes((3, False, False)))[0].tolist() == [True, True, False, False, False]


def test_nothing_after_the_end_is_played() -> None:
    """Recordings of others may go on filling, even with further ends."""
    batch = episodes((5, False, True))
    batch["terminated"][0, 1] = batch["terminated"][0, 3] = 1
    assert played_steps(batch)[0].tolist() == [True, True, False, False, False]


def test_contents() -> None:
    step = steps_of(episodes((3, True, True), (5, False, True)))
    assert step.time.tolist() == [0, 1, 2, 0, 1, 2, 3, 4]
    assert step.state[:, 0].tolist() == [0, 1, 2, 0, 1, 2, 3, 4]
    assert step.next_state[:, 0].tolist() == [1, 2, 3, 1, 2, 3, 4, 5]
    assert step.reward.tolist() == [10, 11, 12, 10, 11, 12, 13, 14]
    assert step.done.tolist() == [0, 0, 1, 0, 0, 0, 0, 0]
    assert step.next_played.tolist() == [1, 1, 0, 1, 1, 1, 1, 0]
    assert step.actions.tolist() == [[t % A, (t + 1) % A] for t in step.time.tolist()]
    assert step.next_actions.tolist() == [[(t + 1) % A, (t + 2) % A] for t in step.time.tolist()]
    assert step.available.dtype == step.next_available.dtype == th.bool
    assert step.available.shape == (8, N, A)
    assert step.reward.dtype == step.done.dtype == th.float32


def test_rewards_are_raised_then_scaled() -> None:
    batch = episodes((2, True, True))
    batch["reward"][0, 0] = -7.0
    assert steps_of(batch, reward_scale=2.0, reward_min=-1.0).reward.tolist() == [-2, 22]
    assert steps_of(batch).reward.tolist() == [-7, 11]


def test_shares_make_the_team_reward() -> None:
    batch = episodes((2, True, True), agents=N)
    assert steps_of(batch, share_sum=True).reward.tolist() == [20, 22]
    assert steps_of(batch, share_sum=False).reward.tolist() == [10, 11]
