"""What agents see where they see only their own surroundings."""

from __future__ import annotations

import numpy as np
import pytest

from epymarl_cpa.envs import make_game
from epymarl_cpa.envs.multi_agent_env import MultiAgentEnv
from epymarl_cpa.envs.parallel import parallel_env
from epymarl_cpa.envs.sensor import NOOP, SCANS, Sensor
from epymarl_cpa.errors import UserError


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


@pytest.mark.parametrize("name", ["aloha", "sensor"])
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
