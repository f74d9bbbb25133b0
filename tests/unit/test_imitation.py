"""What independent imitation does, against slow literal counts."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from epymarl_cpa.data import OfflineDataset
from epymarl_cpa.data.chunks import join
from epymarl_cpa.data.generate import generate
from epymarl_cpa.data.imitation import Imitation
from epymarl_cpa.envs import Game, make_game
from epymarl_cpa.envs.game import IntArray
from epymarl_cpa.view.story import story
from epymarl_cpa.view.verdict import joint_name, verdict


def xor(*joint: str, state: float = 0.0) -> OfflineDataset:
    """Episodes of one step; ``AB`` and ``BA`` win."""
    n = len(joint)
    actions, reward = np.zeros((n, 2, 2), dtype=np.int64), np.zeros((n, 2), dtype=np.float32)
    actions[:, 0] = [["AB".index(letter) for letter in word] for word in joint]
    reward[:, 0] = [word in ("AB", "BA") for word in joint]
    states = np.tile(np.array([state, 1, 0, 1], dtype=np.float32), (n, 2, 1))
    return OfflineDataset(states, actions, np.ones((n, 2, 2, 2), np.bool_), reward, np.tile([True, False], (n, 1)),
                          np.ones((n, 2), np.bool_), np.full(n, -1), {})


def made(name: str, recipe: dict[str, float], episodes: int) -> tuple[OfflineDataset, Game]:
    game = make_game(name)
    return generate(game, {"episodes": episodes, "mixture": recipe}, 0), game


def test_three_joint_actions_of_xor_make_agents_play_the_one_that_loses() -> None:
    data = xor(*["AA", "AB", "BA"] * 20)
    imitation = Imitation(data, make_game("xor"))
    table, = imitation.frequent(5)
    assert table.visits == 60 and table.greedy.tolist() == [0, 0] and table.harmed
    assert table.never == imitation.never == pytest.approx(1 / 9)  # BB, of two agents that play B in a third
    assert table.mismatch == pytest.approx(5 / 9) and table.exact  # AA and BB
    assert (table.reward_recorded, table.reward_drawn) == (pytest.approx(2 / 3), pytest.approx(4 / 9))
    assert table.optimal is not None and table.optimal.tolist() == [False, True, True]
    assert imitation.harmed == 1.0
    said = verdict(imitation, [table], "AB", blind=False)
    assert said["tone"] == "bad" and said["headline"] == "Independent agents would play A A: a mismatch"
    why = " ".join(said["why"]).replace("\N{NO-BREAK SPACE}", " ")
    assert "agent 0 A (66.7 %), agent 1 A (66.7 %)" in why and "55.6 % of the joint actions are mismatches" in why


def test_one_way_to_win_is_sound_and_a_missing_favourite_is_told_without_rules() -> None:
    one = Imitation(xor("AB", "AB"))
    table, = one.frequent(1)
    assert one.never == 0 == one.harmed and not table.harmed
    assert verdict(one, [table], "AB", blind=False)["tone"] == "good"
    three = Imitation(xor("AB", "AB", "BA", "BA", "BB"))
    table, = three.frequent(1)
    assert table.greedy.tolist() == [1, 1] and table.reward_drawn is None and table.mismatch is None
    two = Imitation(xor("AB", "AB", "BA"))  # the favourites A and B are a joint action that won
    assert not two.frequent(1)[0].harmed and two.never == pytest.approx(2 / 9 * 2)


@pytest.mark.parametrize(("name", "recipe"), [("bridge", {"crossing": 0.5, "random": 0.5}), ("sensor", {"eager": 1.0})])
def test_shares_are_those_of_literal_counts(name: str, recipe: dict[str, float]) -> None:
    data, _ = made(name, recipe, 12)
    imitation = Imitation(data)
    places = list(zip(*np.nonzero(data.steps), strict=True))
    states = Counter(data.state[place].tobytes() for place in places)
    never = 0.0
    for state, visits in states.items():
        here = [tuple(data.actions[place].tolist()) for place in places if data.state[place].tobytes() == state]
        own = [Counter(column) for column in zip(*here, strict=True)]
        never += visits * (1 - sum(np.prod([own[i][a] / visits for i, a in enumerate(joint)]) for joint in {*here}))
    assert imitation.n_states == len(states) and imitation.never == pytest.approx(never / len(places))
    tables = imitation.frequent(3)
    assert [table.visits for table in tables] == sorted(states.values(), reverse=True)[:3]
    for table in tables:
        at = [(e, t) for e, t in places if (data.state[e, t] == table.seen).all()]
        first = [(e, t) for e, t in at if (data.actions[e, t] == table.joint[0]).all()]
        assert len(first) == table.counts[0] and table.counts.sum() == table.visits == len(at)
        to_go = np.mean([data.reward[e, t:][data.steps[e, t:]].sum(dtype=np.float64) for e, t in first])
        assert table.to_go[0] == pytest.approx(to_go) and table.time == min(t for _, t in at)
        assert any((data.state[table.episode, table.time] == table.seen).all() for _ in at)


def test_expected_reward_is_that_of_all_joint_actions() -> None:
    data, game = made("aloha", {"maximal": 1.0}, 40)
    table = Imitation(data, game).frequent(1)[0]
    start, rng = game.initial(1, np.random.default_rng(0)), np.random.default_rng(0)
    assert (game.global_state(start) == table.seen).all()
    every = np.array([*itertools.product(range(2), repeat=10)])
    chance = np.array([np.prod([table.marginals[i, a] for i, a in enumerate(joint)]) for joint in every])
    wanted = chance @ game.transition(np.repeat(start, 1024, 0), every, rng).reward
    assert table.exact and table.reward_drawn == pytest.approx(wanted) and wanted < 0 < table.reward_recorded


def test_states_that_come_once_tell_nothing() -> None:
    parts = [xor("AB" if k % 2 else "BA", state=k) for k in range(6)] + [xor("AB", "AB", state=9)]
    imitation = Imitation(join(parts, "x"))
    said = verdict(imitation, imitation.frequent(9), "AB", blind=False)
    assert imitation.never == 0 and said["tone"] == "warn" and said["headline"].startswith("States hardly recur")


def test_many_agents_are_told_in_few_words() -> None:
    names = ("-", "w")
    assert joint_name(np.zeros(9, dtype=np.int64), names) == "(- by all)"
    assert joint_name(np.array([0, 1, 0, 0, 0, 0, 1]), names) == "(1 w, 6 w, others -)"
    assert joint_name(np.array([1, 0]), names) == "w -"


@pytest.mark.parametrize("name", ["aloha", "bridge", "permutation", "sensor", "xor"])
def test_a_story_is_what_was_played(name: str) -> None:
    """With what no vector shows: how many messages were sent and collided."""
    game, rng = make_game(name), np.random.default_rng(3)
    state = game.initial(4, rng)
    if name == "sensor":
        state[:, 1:].sort(1)
    played: list[IntArray] = [state]
    joint: list[IntArray] = []
    for _ in range(min(6, game.episode_limit)):
        joint.append(game.random_actions(state, rng))
        state = game.transition(state, joint[-1], rng).state
        played.append(state)
    states = np.stack(played, 1)
    seen = game.global_state(states.reshape(-1, states.shape[2])).reshape(*states.shape[:2], -1)
    actions = np.stack([*joint, joint[-1]], 1)
    found = story(game, seen, actions, np.full(4, len(joint)))
    assert found is not None
    if name == "sensor":  # targets have no names
        found, states = np.sort(found, 2), np.sort(states, 2)
    assert (found == states).all()
