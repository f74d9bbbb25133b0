"""What agents see where they see only their own surroundings."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recall
import torch as th
from helpers import settings

from epymarl_cpa import build
from epymarl_cpa.envs import Game, make_game
from epymarl_cpa.envs.bridge import STARTS
from epymarl_cpa.envs.game import IntArray
from epymarl_cpa.envs.multi_agent_env import MultiAgentEnv
from epymarl_cpa.envs.parallel import parallel_env
from epymarl_cpa.envs.sensor import NOOP, SCANS, Sensor
from epymarl_cpa.errors import UserError
from epymarl_cpa.runners.offline_runner import OfflineRunner
from epymarl_cpa.settings import Settings


def test_an_island_sees_its_own_backlog() -> None:
    game, rng = make_game("aloha", observation="local"), np.random.default_rng(0)
    state = game.initial(3, rng)
    state = game.transition(state, rng.integers(0, 2, (3, 10)), rng).state
    assert game.obs_dim == 1
    assert np.array_equal(game.observe(state)[..., 0], game.global_state(state))


def test_a_sensor_sees_the_targets_it_can_scan() -> None:
    game = make_game("sensor", observation="local")
    assert isinstance(game, Sensor)
    state = game.initial(50, np.random.default_rng(0))
    seen = game.observe(state)
    assert seen.shape == (50, 15, 8)
    for row in range(50):
        targets = {tuple(game.cells[cell]) for cell in state[row, 1:]}
        for agent in range(15):
            place = np.array([2 * (agent // game.cols), 2 * (agent % game.cols)])
            expected = [tuple(place + SCANS[a]) in targets for a in range(NOOP)]
            assert seen[row, agent].tolist() == expected


@pytest.mark.parametrize("start", ["adjacent", "separate"])
def test_on_the_bridge_the_own_position_is_enough_for_agents_that_remember(start: str) -> None:
    """Each plays a list of moves by the number of positions it has seen; by the last one alone nobody could."""
    game, rng = make_game("bridge", start=start, observation="local"), np.random.default_rng(0)
    assert game.obs_dim == 2 and game.observe(game.initial(1, rng))[0].tolist() == STARTS[start].tolist()
    state, moves, over = game.initial(1, rng), [], False
    while not over:
        moves.append(game.optimal_actions(state)[0][0])  # type: ignore[index]
        step = game.transition(state, moves[-1][None], rng)
        state, over = step.state, bool(step.done[0])
    state, total = game.initial(1, rng), 0.0
    for joint in moves:
        step = game.transition(state, joint[None], rng)
        state, total = step.state, total + float(step.reward[0])
    assert abs(total - game.optimum()) < 1e-12  # type: ignore[operator]
    assert not by_position(game, game.initial(1, rng), {})


def by_position(game: Game, state: IntArray, known: dict[tuple[int, ...], int]) -> bool:
    """Whether some optimal way goes on so that every agent always does the same in the same cell."""
    for joint in game.optimal_actions(state)[0]:  # type: ignore[index]
        cells = [(agent, *state[0, 1 + 2 * agent:3 + 2 * agent].tolist()) for agent in range(2)]
        rules = {**dict(zip(cells, joint.tolist(), strict=True)), **known}
        if all(rules[cell] == action for cell, action in zip(cells, joint.tolist(), strict=True)):
            step = game.transition(state, joint[None], np.random.default_rng(0))
            if step.done[0] or by_position(game, step.state, rules):
                return True
    return False


@pytest.mark.parametrize("name", ["aloha", "bridge", "sensor"])
def test_adapters_announce_the_smaller_observation(name: str) -> None:
    game = make_game(name, observation="local")
    env = MultiAgentEnv(name, seed=0, observation="local")
    env.reset()
    assert env.get_obs_size() == game.obs_dim == len(env.get_obs()[0]) < env.get_state_size()
    observations, _ = parallel_env(name, observation="local").reset(seed=0)
    assert all(view["observation"].shape == (game.obs_dim,) for view in observations.values())


def test_another_word_is_refused() -> None:
    with pytest.raises(UserError, match=r"env_args\.observation must be state or local, not 'far'"):
        make_game("aloha", observation="far")


def test_data_without_observations_are_refused_where_these_do_not_follow_from_the_state(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where an observation is as long as the state."""
    with recall.known(tmp_path) as file:
        args = settings(Settings, "bc", file, "policy_input=obs", "seed=0", f"datasets_path={tmp_path}")
        sighted, blind = (OfflineRunner(args, build.build_env(args), logging.getLogger("test")) for _ in range(2))
    batch = sighted.episodes(th.arange(3))
    assert th.equal(batch["obs"], batch["state"][:, :, None].expand(-1, -1, 2, -1))

    def view(self: Any, seen: Any) -> Any:
        raise UserError("what the agents see does not follow from the state")

    monkeypatch.setattr(recall.Recall, "view", view)
    with pytest.raises(UserError, match="what the agents see does not follow from the state"):
        blind.episodes(th.arange(3))
