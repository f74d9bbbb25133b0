"""Flat arrays of steps, as in D4RL, become the data set that they mean."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from helpers import ENV_FILES

from epymarl_cpa import arrays_from_dataset, dataset_from_arrays
from epymarl_cpa.config import load_env
from epymarl_cpa.data import OfflineDataset
from epymarl_cpa.data.chunks import join
from epymarl_cpa.data.fitting import fitted
from epymarl_cpa.data.generate import generate
from epymarl_cpa.data.validate import check_game
from epymarl_cpa.errors import UserError

#: two agents with three actions; episodes of 2 steps (ended), 1 step (cut off), 2 steps (the recording stopped)
FLAT: dict[str, Any] = {
    "observations": np.arange(20.0).reshape(5, 2, 2), "actions": np.array([[0, 1], [2, 0], [1, 1], [0, 0], [2, 2]]),
    "rewards": np.array([0.5, 1, 2, 3, 4]), "terminals": np.array([0, 1, 0, 0, 0]),
    "timeouts": np.array([0, 0, 1, 0, 0])}


def test_episodes_are_cut_where_the_flags_say() -> None:
    data = dataset_from_arrays(**FLAT)
    assert data.steps.sum(1).tolist() == [2, 1, 2] and data.filled.sum(1).tolist() == [3, 2, 3]
    assert data.returns.tolist() == [1.5, 2, 7]
    assert data.terminated.tolist() == [[False, True, False], [False] * 3, [False] * 3]
    assert data.actions[0, :2].tolist() == [[0, 1], [2, 0]] and data.actions[2, :2].tolist() == [[0, 0], [2, 2]]
    assert data.avail_actions.shape == (3, 3, 2, 3) and data.avail_actions.all()
    assert data.meta["unrecorded"] == ["avail_actions"]


def test_agents_that_see_different_things_have_all_of_it_as_their_state() -> None:
    data = dataset_from_arrays(**FLAT)
    assert data.obs is not None
    assert data.obs[2, :2].tolist() == FLAT["observations"][3:].tolist()
    assert data.state[2, 1].tolist() == [16, 17, 18, 19]


def test_where_all_see_the_same_that_is_the_state() -> None:
    alike = np.repeat(np.arange(10.0).reshape(5, 1, 2), 2, axis=1)
    data = dataset_from_arrays(**{**FLAT, "observations": alike})
    assert data.obs is None and data.state[0, :2].tolist() == [[0, 1], [2, 3]]
    data = dataset_from_arrays(**{**FLAT, "observations": alike}, states=alike[:, 0])
    assert data.obs is None


def test_what_follows_the_last_step_of_an_episode_that_was_cut_off_is_known_or_told_to_be_unknown() -> None:
    data = dataset_from_arrays(**FLAT)
    assert data.no_next is not None
    assert np.argwhere(data.no_next).tolist() == [[1, 0], [2, 1]]  # not that of the true end
    after = FLAT["observations"] + 100
    data = dataset_from_arrays(**FLAT, next_observations=after)
    assert data.no_next is None and data.obs is not None
    assert data.obs[1, 1].tolist() == after[2].tolist() and data.state[2, 2].tolist() == after[4].ravel().tolist()


def test_an_episode_of_agents_with_flags_of_their_own_is_over_when_all_are() -> None:
    terminals = np.array([[1, 0], [0, 1], [0, 0], [0, 0], [1, 1]])
    timeouts = np.array([[0, 0], [0, 0], [1, 1], [0, 0], [0, 0]])
    data = dataset_from_arrays(**{**FLAT, "terminals": terminals, "timeouts": timeouts})
    assert data.steps.sum(1).tolist() == [2, 1, 2] and data.terminated.any(1).tolist() == [True, False, True]


def test_flags_of_the_team_and_of_each_agent_go_together() -> None:
    """Those of the team are those of every agent."""
    team, each = np.array([0, 1, 0, 0, 0]), np.array([[0, 0], [0, 0], [1, 1], [0, 0], [1, 0]])
    cut = dataset_from_arrays(**{**FLAT, "terminals": team, "timeouts": each})
    assert cut.steps.sum(1).tolist() == [2, 1, 2] and cut.terminated.any(1).tolist() == [True, False, False]
    ended = dataset_from_arrays(**{**FLAT, "terminals": each, "timeouts": team})
    assert ended.steps.sum(1).tolist() == [2, 1, 2] and ended.terminated.any(1).tolist() == [False, True, False]


def test_anything_may_stand_behind_a_true_end() -> None:
    """Nothing depends on it; what was finite is kept."""
    alike = np.repeat(np.arange(10.0).reshape(5, 1, 2), 2, axis=1)
    masks, after, next_masks = np.ones((5, 2, 3)), alike + 5, np.ones((5, 2, 3))
    after[1], next_masks[1, 0] = np.nan, 0
    given = {**FLAT, "observations": alike, "action_masks": masks, "next_action_masks": next_masks}
    data = dataset_from_arrays(**given, next_observations=after)
    assert data.obs is None and data.state[0, 2].tolist() == [0, 0] and data.avail_actions.all()
    assert data.state[1, 1].tolist() == [9, 10]
    data = dataset_from_arrays(**given, states=alike[:, 0], next_states=after[:, 0])
    assert data.obs is None and data.state[0, 2].tolist() == [0, 0]
    for row, key in ((2, "next_observations"), (2, "next_action_masks"), (0, "next_observations")):
        wrong = {"next_observations": alike + 5, "next_action_masks": np.ones((5, 2, 3))}
        wrong[key][row] = 0 if key == "next_action_masks" else np.inf
        with pytest.raises(UserError, match=key if key == "next_observations" else "an agent has no available action"):
            dataset_from_arrays(**{**given, **wrong})


def test_rewards_of_each_agent_are_kept_and_their_mean_is_the_teams() -> None:
    data = dataset_from_arrays(**{**FLAT, "rewards": np.array([[1, 3]] * 5)})
    assert data.agent_reward is not None and data.agent_reward[0, 0].tolist() == [1, 3] and data.reward[0, 0] == 2


def test_flags_and_actions_of_other_types_mean_the_same() -> None:
    data = dataset_from_arrays(**FLAT)
    lists = {key: array.tolist() for key, array in FLAT.items()}
    other = dataset_from_arrays(**{**lists, "terminals": FLAT["terminals"].astype(bool)[:, None],
                                   "actions": FLAT["actions"].astype(np.float64)[..., None]})
    assert other.digest == data.digest


@pytest.mark.parametrize("env", ["xor", "bridge", "sensor", "aloha", "dpomdp"])
def test_there_and_back(env: str) -> None:
    game, recipes = load_env(env)
    data = generate(game, {**next(iter(recipes.values())), "episodes": 12}, 3)
    flat = arrays_from_dataset(data)
    again = fitted(dataset_from_arrays(**flat), game)
    check_game(again, game)
    assert ENV_FILES[env]["env"] == game.name
    for key, array in arrays_from_dataset(again).items():
        assert np.array_equal(array, flat[key]), key


@pytest.mark.parametrize(("changed", "sentence"), [
    ({"rewards": [0, 1, np.nan, 0, 0]}, "arrays: key 'rewards', row 2: a value is not finite (NaN or infinite)."),
    ({"rewards": [0, 1]}, "arrays: key 'rewards' has the shape (2,), but 'observations' ask for (5,) or (5, 2)."),
    ({"actions": [[0, 1], [0, 0], [1, -1], [0, 0], [0, 0]]}, "key 'actions', row 2: an action is no whole number"),
    ({"actions": np.full((5, 2), 0.5)}, "key 'actions', row 0: an action is no whole number from 0."),
    ({"actions": np.zeros((5, 3))}, "key 'actions' has the shape (5, 3)"),
    ({"terminals": [0, 2, 0, 0, 0]}, "key 'terminals', row 1: a value is neither 0 nor 1."),
    ({"terminals": np.zeros((5, 3))}, "key 'terminals' has the shape (5, 3)"),
    ({"observations": np.zeros((5, 2))}, "key 'observations' must have 3 axes, not 2 (5, 2)"),
    ({"observations": np.zeros((0, 2, 2))}, "key 'observations' holds no step."),
    ({"observations": "all"}, "key 'observations' must hold numbers, not <U3."),
    ({"observations": [[[1], [2, 3]]]}, "key 'observations' is no array"),
    ({"n_actions": 2}, "key 'actions', row 1: an action is outside 0..1."),
    ({"n_actions": 2, "action_masks": np.ones((5, 2, 3))}, "n_actions=2, but key 'action_masks' is for 3 actions."),
    ({"action_masks": np.eye(3)[[0, 1, 2, 0, 1]][:, None].repeat(2, 1)}, "row 0: an agent took an action that was not"),
    ({"states": np.zeros((4, 1))}, "key 'states' has the shape (4, 1)"),
    ({"states": np.zeros((5, 1)), "next_states": np.zeros((5, 1))}, "give both or none."),
    ({"next_states": np.zeros((5, 1))}, "key 'next_states' needs 'states'."),
    ({"next_action_masks": np.ones((5, 2, 3))}, "key 'next_action_masks' needs 'action_masks'."),
    ({"action_masks": np.ones((5, 2, 3)), "next_action_masks": np.ones((5, 2, 4))},
     "key 'next_action_masks' has the shape (5, 2, 4)"),
    ({"next_observations": np.zeros((5, 2, 3))}, "key 'next_observations' has the shape (5, 2, 3)")])
def test_a_mistake_is_a_sentence(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError) as told:
        dataset_from_arrays(**{**FLAT, **changed})
    assert sentence in str(told.value)


def test_what_the_memory_does_not_hold_is_refused_before_it_is_made() -> None:
    """An episode far longer than all others, and numbers that stand for a missing action."""
    many = 200_000
    flat = {"observations": np.zeros((2 * many, 2, 1)), "actions": np.zeros((2 * many, 2), int),
            "rewards": np.zeros(2 * many), "terminals": np.repeat([0, 1], many)}
    with pytest.raises(UserError, match=r"200000 episodes with room for 200001 steps each, .* would take .* GB"):
        dataset_from_arrays(**flat)
    for number in (2**31 - 1, 2**16):
        actions = np.where(np.arange(5)[:, None] == 3, number, FLAT["actions"])
        with pytest.raises(UserError, match=r"key 'actions', row 3: an action is outside 0\.\.65535"):
            dataset_from_arrays(**{**FLAT, "actions": actions})
    for number in (10**12, 10**5000):
        with pytest.raises(UserError, match="n_actions is above 65536"):
            dataset_from_arrays(**FLAT, n_actions=number)
    assert dataset_from_arrays(**FLAT, n_actions=2**16).avail_actions.shape[3] == 2**16


def test_parts_that_the_memory_does_not_hold_together_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    part = dataset_from_arrays(**FLAT)
    size = part.episode_bytes * part.n_episodes
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 3 * size + 1}.get)
    assert join([part] * 3, "x").n_episodes == 9

    def parts() -> Iterator[OfflineDataset]:
        yield from [part] * 4
        raise AssertionError("read on")

    with pytest.raises(UserError, match="x, all of whose episodes have room for the 2 steps of the longest, would"):
        join(parts(), "x")


def test_what_is_seen_next_may_be_private_alone() -> None:
    """Observations repeat the states, but not those afterwards."""
    seen = np.arange(10.0).reshape(5, 2)
    both, after = seen[:, None].repeat(2, 1), seen[:, None].repeat(2, 1) + 100
    data = dataset_from_arrays(**{**FLAT, "observations": both, "states": seen, "next_states": seen + 1,
                                  "next_observations": after})
    assert data.obs is not None
    assert (data.obs[0, data.steps[0].sum()] == after[data.steps[0].sum() - 1]).all()


CUT = {"terminals": np.zeros(5), "timeouts": np.array([0, 1, 0, 0, 1]), "next_observations": FLAT["observations"] + 10}


def test_what_could_be_chosen_after_a_cut_is_what_is_said_of_it() -> None:
    masks = np.ones((5, 2, 3))
    masks[:2, 0, 2] = 0
    after = np.ones((5, 2, 3))
    after[[1, 4], 1, 0] = 0
    data = dataset_from_arrays(**{**FLAT, **CUT, "actions": np.ones((5, 2)), "action_masks": masks,
                                  "next_action_masks": after})
    assert data.no_next is None
    assert [data.avail_actions[e, n].all(-1).tolist() for e, n in ((0, 2), (1, 3))] == [[True, False]] * 2


def test_without_it_nothing_is_learned_from_what_follows_a_cut_unless_masks_never_change() -> None:
    masks = np.ones((5, 2, 3))
    masks[:, 0, 2] = 0
    given = {**FLAT, **CUT, "actions": np.ones((5, 2)), "action_masks": masks}
    same = dataset_from_arrays(**given)
    assert same.no_next is None and not same.avail_actions[0, 2, 0, 2]
    masks[0, 0, 2] = 1
    other = dataset_from_arrays(**{**given, "action_masks": masks})
    assert other.no_next is not None and other.no_next.sum() == 2
    assert dataset_from_arrays(**{**given, "action_masks": None, "n_actions": 3}).no_next is None
