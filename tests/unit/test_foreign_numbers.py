"""What environments of other packages say of an episode's end is logged by EPyMARL's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pettingzoo
import pytest
from gymnasium import spaces
from outcome import Outcome

from epymarl_cpa.envs.world import numbers_of


class Battle(gymnasium.Env[Any, Any]):
    """Two agents, three steps; the last info says who won, and half the episodes say how many fell."""

    def __init__(self) -> None:
        self.observation_space = spaces.Tuple([spaces.Box(0, 9, (1,), np.float32)] * 2)
        self.action_space = spaces.Tuple([spaces.Discrete(2)] * 2)
        self.number = -1

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.t, self.even = 0, int(seed or 0) % 2 == 0
        return self._seen(), {}

    def _seen(self) -> Any:
        return tuple(np.full(1, self.t, np.float32) for _ in range(2))

    def step(self, action: Any) -> Any:
        self.t += 1
        over = self.t == 3
        last = {"battle_won": True, "return": 77, "seed": 5, "id": "x", "map": "3m"}
        last |= {"fallen": 2} if self.even else {}
        return self._seen(), [1.0, 1.0], over, False, last if over else {"battle_won": False, "early": 1}


class Fight(pettingzoo.ParallelEnv[str, Any, int]):  # type: ignore[misc]
    """The same for PettingZoo: each agent has an info of its own."""

    metadata = {"name": "fight_v0"}  # noqa: RUF012
    max_cycles = 2

    def __init__(self) -> None:
        self.possible_agents = ["a", "b"]

    def observation_space(self, agent: str) -> Any:
        return spaces.Box(0, 9, (1,), np.float32)

    def action_space(self, agent: str) -> Any:
        return spaces.Discrete(2)

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.agents, self.t = list(self.possible_agents), 0
        return {agent: np.zeros(1, np.float32) for agent in self.agents}, {agent: {} for agent in self.agents}

    def step(self, actions: Any) -> Any:
        self.t += 1
        agents, over = self.agents, self.t == 2
        self.agents = [] if over else agents
        return ({agent: np.full(1, self.t, np.float32) for agent in agents}, dict.fromkeys(agents, 1.0),
                dict.fromkeys(agents, over), dict.fromkeys(agents, False),
                {"a": {"hits": np.float32(3)}, "b": {"hits": np.array([4]), "name": "b"}})


gymnasium.register("ForeignBattle-v0", entry_point=Battle)


def test_numbers_at_the_end_are_logged(tiny_run: Callable[..., Outcome]) -> None:
    words = ("env_args.key=ForeignBattle-v0", "env_args.time_limit=5", "recipes.random.episodes=4", "test_nepisode=20")
    outcome = tiny_run("dataset=random", *words, alg="bc", env="gymma")
    series, info = outcome.series(), outcome.record("info")
    assert {value for _, value in series["test_battle_won_mean"]} == {1.0}
    share = np.mean([value > 0 for value in info["test_fallen_episodes"]])
    assert 0 < share < 1
    assert series["test_fallen_mean"][-1][1] == pytest.approx(2 * share), "0 where an episode gave none, as in EPyMARL"
    assert series["test_return_mean"][-1][1] == 6.0, "not what the environment calls its return"
    assert not {"test_early_mean", "test_map_mean", "test_id_mean"} & series.keys()
    assert outcome.result()["info"] == {"battle_won": 1.0, "fallen": pytest.approx(2 * share), "seed": 5.0}
    assert "seed" not in outcome.result()
    online = tiny_run("runner=episode", *words, "t_max=30", "buffer_size=8", "runner_log_interval=6", alg="iql",
                      env="gymma")
    assert {value for _, value in online.series()["battle_won_mean"]} == {1.0}


def test_each_agents_numbers_have_its_name(tiny_run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = tiny_run("dataset=random", "env_args.key=test_foreign_numbers:Fight", "recipes.random.episodes=4",
                       alg="bc", env="pettingzoo")
    assert {key: points[-1][1] for key, points in outcome.series().items() if "hits" in key} == {
        "test_a_hits_mean": 3.0, "test_b_hits_mean": 4.0}


def test_what_a_number_is() -> None:
    info = {"a": 1, "b.c d": np.float64(2), "c": True, "d": np.array([3]), "e": np.arange(2), "f": "1", "g": None,
            "h": 1j, "i": [1], "return": 1, "ep_length": 1, "agent_0_return": 1, "TimeLimit.truncated": True}
    assert numbers_of(info) == {"a": 1.0, "b_c_d": 2.0, "c": 1.0, "d": 3.0}
    assert numbers_of({"x": 1, "return": 2}, "agent_0_") == {"agent_0_x": 1.0}


@pytest.mark.parametrize("name", ["ep length", "exact return", "episode limit", "agent 0_return", "tv"])
def test_names_that_become_ours_are_left_out_too(name: str) -> None:
    assert numbers_of({name: 3, "fine one": 4}) == {"fine_one": 4.0}
