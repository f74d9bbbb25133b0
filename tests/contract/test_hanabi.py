"""The real Hanabi of PettingZoo and OpenSpiel."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import pytest
from outcome import Outcome

from epymarl_cpa.build import Team
from epymarl_cpa.envs import make_game
from epymarl_cpa.envs.hanabi import MODULE
from epymarl_cpa.errors import UserError

THERE = all(find_spec(package) for package in ("pyspiel", "shimmy"))
needs_it = pytest.mark.skipif(not THERE, reason="needs open_spiel and shimmy")
Run = Callable[..., Outcome]


@needs_it
def test_players_act_in_turn_by_the_rules() -> None:
    """Our episodes are those of the environment alone, with one return for the team."""
    from pettingzoo.classic import hanabi_v5  # type: ignore[import-untyped]

    game, raw = make_game("hanabi", kwargs={"players": 3}), hanabi_v5.env(players=3)
    rng = np.random.default_rng(0)
    for seed in range(4):
        raw.reset(seed=int(np.random.default_rng(seed).integers(2**31, size=1)[0]))
        state, total, turns = game.initial(1, np.random.default_rng(seed)), 0.0, 0
        while len(state):
            mask, turn = game.available(state)[0], turns % 3
            assert raw.agent_selection == f"player_{turn}"
            np.testing.assert_array_equal(mask[turn], raw.observe(f"player_{turn}")["action_mask"].astype(bool))
            assert [row.nonzero()[0].tolist() for i, row in enumerate(mask) if i != turn] == [[0], [0]]
            for player in range(3):
                seen = raw.observe(f"player_{player}")["observation"]
                np.testing.assert_allclose(game.observe(state)[0, player], seen)
            actions = game.random_actions(state, rng)
            raw.step(int(actions[0, turn]))
            step = game.transition(state, actions, rng)
            assert step.reward[0] == raw.rewards["player_0"]
            total, turns = total + step.reward[0], turns + 1
            state = step.state[~step.done]
        assert all(raw.terminations.values()) and step.terminated.all() and 0 <= total <= 25
    assert game.pays_team() and turns > 5


@needs_it
def test_learning_from_its_data(tiny_run: Run) -> None:
    words = ("t_max=2", "test_interval=1", "test_nepisode=2", "recipes.random.episodes=4", "env_args.time_limit=8",
             "env_args.kwargs={players: 2, colors: 2, ranks: 2, hand_size: 2}", "hidden_dim=8")
    outcome = tiny_run(*words, alg="bc", env="hanabi")
    assert len(outcome.series()["test_return_mean"]) == 3 and outcome.models is not None
    assert Team(str(outcome.models)).game.name == "hanabi"  # no key is to be named: there is none


@needs_it
def test_what_cannot_be_played() -> None:
    with pytest.raises(UserError, match=r"hanabi cannot be built with .*players"):
        make_game("hanabi", kwargs={"players": 9})
    with pytest.raises(UserError, match=r"act in turn.*\(Hanabi by --env-config=hanabi\)"):
        make_game("pettingzoo", key=MODULE, time_limit=5)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pyspiel", "shimmy", MODULE):  # as if they were not installed
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=r"open_spiel and shimmy.*epymarl-cpa\[hanabi\]"):
        make_game("hanabi")
