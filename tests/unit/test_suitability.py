"""Opponents are no team, and large pictures no vectors: both are refused with a sentence that says what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo import ParallelEnv  # type: ignore[import-untyped]

from epymarl_cpa.data.fitting import check_team
from epymarl_cpa.data.generate import generate
from epymarl_cpa.envs import make_game
from epymarl_cpa.errors import UserError


class Pair(ParallelEnv[str, Any, int]):  # type: ignore[misc]
    """Two agents, one step; what they see, how they are called and how they are paid can be chosen."""

    metadata, max_cycles = {"name": "pair"}, 1

    def __init__(self, names: str = "x y", shape: tuple[int, ...] = (2,), state: tuple[int, ...] | None = None,
                 paid: tuple[float, float] = (1.0, -1.0)) -> None:
        self.possible_agents, self.shape, self.own, self.paid = names.split(), tuple(shape), state, paid

    def action_space(self, agent: str) -> Any:
        return spaces.Discrete(2)

    def observation_space(self, agent: str) -> Any:
        return spaces.Dict(seen=spaces.Box(0, 255, self.shape, np.uint8), more=spaces.Discrete(2))

    def _seen(self) -> Any:
        return {agent: {"seen": np.zeros(self.shape, np.uint8), "more": 1} for agent in self.possible_agents}

    def state(self) -> Any:
        if self.own is None:
            raise NotImplementedError
        return np.ones(self.own)

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.agents = list(self.possible_agents)
        return self._seen(), {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, int]) -> Any:
        there, self.agents = self.agents, []
        sign = 1 if actions[there[0]] else -1
        paid = {agent: sign * value for agent, value in zip(there, self.paid, strict=True)}
        ended = dict.fromkeys(there, True)
        return self._seen(), paid, ended, dict.fromkeys(there, False), {agent: {} for agent in there}


def pair(**kwargs: Any) -> Any:
    return make_game("pettingzoo", key=f"{__name__}:Pair", kwargs=kwargs)


@pytest.mark.parametrize("name", ["simple_tag_v3", "simple_crypto_v3", "simple_push_v3"])
def test_opponents_of_mpe(name: str) -> None:
    pytest.importorskip("mpe2")
    with pytest.raises(UserError, match=rf"'\w+' and '\w+' of mpe2\.{name} play against each other"):
        make_game("pettingzoo", key=f"mpe2.{name}")


def test_opponents_by_name_and_teams() -> None:
    with pytest.raises(UserError, match=r"'adversary_0' and 'agent_0' of .* play against each other, but here all"):
        pair(names="agent_0 adversary_0")
    assert pair(names="adversary_0 adversary_1").n_agents == 2


def test_opponents_by_their_rewards() -> None:
    recipe = {"episodes": 4, "mixture": {"random": 1.0}}
    with pytest.raises(UserError, match=r"the agents' rewards in .* cancel out at every step"):
        check_team(generate(pair(), recipe, 0), pair())
    for paid in ((1.0, -0.5), (0.0, 0.0), (1.0, 1.0)):
        game = pair(paid=paid)
        check_team(generate(game, recipe, 0), game)
    check_team(generate(make_game("xor"), recipe, 0), make_game("xor"))


def test_large_pictures() -> None:
    with pytest.raises(UserError, match=r"of 'x' in .* are pictures of 280 x 480 x 3, 403,200 values each, .* "
                                        r"resize_v1 of the package supersuit"):
        pair(shape=(280, 480, 3))
    assert pair(shape=(6, 6, 3)).obs_dim == 6 * 6 * 3 + 2
    assert pair(shape=(20_000,)).obs_dim == 20_002  # long vectors are none


def test_a_state_that_is_a_large_picture_is_left_out() -> None:
    assert pair(state=(280, 480, 3)).state_dim == 2 * pair().obs_dim
    assert pair(state=(6, 6)).state_dim == 36
