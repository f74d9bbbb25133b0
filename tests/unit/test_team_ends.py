"""Played episodes are over when every agent has terminated or been truncated, in whatever mixture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import Env, register, spaces
from pettingzoo import ParallelEnv  # type: ignore[import-untyped]

from epymarl_cpa.envs import Game, make_game
from epymarl_cpa.envs.team_ends import TeamEnds
from epymarl_cpa.errors import UserError

Flags = tuple[list[bool], list[bool]]
#: flags of two agents by step: terminated and truncated; whether the episode truly ends with the last of them
ENDS: dict[str, tuple[list[Flags], bool]] = {
    "both end": ([([0, 0], [0, 0]), ([1, 1], [0, 0])], True),  # type: ignore[list-item]
    "both are cut": ([([0, 0], [0, 0]), ([0, 0], [1, 1])], False),  # type: ignore[list-item]
    "one each": ([([0, 0], [0, 0]), ([1, 0], [0, 1])], False),  # type: ignore[list-item]
    "flag at the death only": ([([1, 0], [0, 0]), ([0, 0], [0, 0]), ([0, 0], [0, 1])], False),  # type: ignore[list-item]
    "flag that stays": ([([1, 0], [0, 0]), ([1, 0], [0, 0]), ([1, 1], [0, 0])], True),  # type: ignore[list-item]
    "cut, then the other ends": ([([0, 0], [1, 0]), ([0, 1], [1, 0])], True)}  # type: ignore[list-item]


@pytest.mark.parametrize("case", ENDS)
def test_flags(case: str) -> None:
    marks, ended = ENDS[case]
    ends = TeamEnds(2)
    found = [ends.step(*flags) for flags in marks]
    assert found == [(False, False)] * (len(marks) - 1) + [(ended, not ended)]
    assert TeamEnds(2).step(True, np.array([False, True])) == (True, False)  # one for all beside one for each


class Lists(Env[Any, Any]):
    """Two agents that are paid 1 at each step, with flags for each."""

    def __init__(self, case: str, limit: int = 9) -> None:
        self.observation_space = spaces.Tuple([spaces.Box(0, 9, (1,))] * 2)
        self.action_space = spaces.Tuple([spaces.Discrete(2)] * 2)
        self.marks, self.max_steps = ENDS[case][0] if case in ENDS else [([False], [False] * 3)], limit

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.t = 0
        return (np.zeros(1, np.float32),) * 2, {}

    def step(self, action: Any) -> Any:
        self.t += 1
        return (np.full(1, self.t, np.float32),) * 2, [1.0, 1.0], *self.marks[self.t - 1], {}


class Stays(ParallelEnv[str, Any, int]):  # type: ignore[misc]
    """The same; agents that have ended stay listed, must be sent actions, and get -100."""

    metadata = {"name": "stays"}  # noqa: RUF012 (PettingZoo's own way)

    def __init__(self, case: str) -> None:
        self.possible_agents, self.max_cycles, self.marks = ["a", "b"], 9, ENDS[case][0]

    def observation_space(self, agent: str) -> Any:
        return spaces.Box(0, 9, (1,))

    def action_space(self, agent: str) -> Any:
        return spaces.Discrete(2)

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.agents, self.t, self.dead = list("ab"), 0, [False, False]
        return dict.fromkeys("ab", np.zeros(1, np.float32)), {"a": {}, "b": {}}

    def step(self, actions: dict[str, int]) -> Any:
        assert set(actions) == {"a", "b"}
        paid = {name: -100.0 if gone else 1.0 for name, gone in zip("ab", self.dead, strict=True)}
        ended, cut = (dict(zip("ab", flags, strict=True)) for flags in self.marks[self.t])
        self.dead = [gone or bool(ended[name] or cut[name]) for name, gone in zip("ab", self.dead, strict=True)]
        self.t += 1
        return dict.fromkeys("ab", np.full(1, self.t, np.float32)), paid, ended, cut, {"a": {}, "b": {}}


register("cpa-test/Lists-v0", Lists, disable_env_checker=True)


def story(game: Game) -> list[Any]:
    """The steps of one episode."""
    rng = np.random.default_rng(0)
    state, steps = game.initial(1, rng), []
    while not (steps and steps[-1].done[0]):
        steps.append(game.transition(state, np.zeros((1, 2), np.int64), rng))
        state = steps[-1].state
    return steps


@pytest.mark.parametrize("case", ENDS)
def test_gymma(case: str) -> None:
    steps = story(make_game("gymma", key="cpa-test/Lists-v0", kwargs={"case": case}))
    assert len(steps) == len(ENDS[case][0]) and bool(steps[-1].terminated[0]) == ENDS[case][1]
    assert sum(float(step.reward[0]) for step in steps) == 2 * len(steps)


def test_gymma_refuses_flags_of_others() -> None:
    with pytest.raises(UserError, match="it must be one flag, or a list of 2, one for each agent"):
        story(make_game("gymma", key="cpa-test/Lists-v0", kwargs={"case": "three flags"}))


@pytest.mark.parametrize("case", ENDS)
def test_pettingzoo(case: str) -> None:
    steps = story(make_game("pettingzoo", key=f"{__name__}:Stays", kwargs={"case": case}))
    marks, ended = ENDS[case]
    assert len(steps) == len(marks) and bool(steps[-1].terminated[0]) == ended
    lives = [1 + next(t for t, (one, two) in enumerate(marks) if one[i] or two[i]) for i in range(2)]
    assert sum(float(step.reward[0]) for step in steps) == sum(lives)
