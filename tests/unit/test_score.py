"""What random play is worth, and scores between it and the optimum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import ENV_FILES, EXTERNAL_ENVS, OUR_GAMES, env_args, needing_its_package

from epymarl_cpa.config import FOLDER, read_yaml
from epymarl_cpa.envs import Game, make_game
from epymarl_cpa.envs.game import RANDOM_EPISODES, estimated_headline
from epymarl_cpa.envs.score import score

TABLE = read_yaml(FOLDER.parent / "experiments" / "rows" / "paper_table1.yaml")
EXACT = {name: game["random"] for name, game in TABLE["games"].items()}


def headlines(game: Game, episodes: int, seed: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Those of random episodes, one by one; episodes that are over play on without counting."""
    rng = np.random.default_rng(seed)
    state, total, alive = game.initial(episodes, rng), np.zeros(episodes), np.ones(episodes, np.bool_)
    while alive.any():
        step = game.transition(state, game.random_actions(state, rng), rng)
        if game.headline == "return":
            total[alive] += step.reward[alive]
        else:
            total[alive] = step.info[game.headline][alive]
        state, alive = step.state, alive & ~step.done
    return total


def agrees(value: float, game: Game, episodes: int = 3000, more: float = 0.0) -> bool:
    """Whether it is within four standard errors of the mean of other episodes."""
    found = headlines(game, episodes, seed=11)
    return bool(abs(found.mean() - value) <= 4 * found.std() * np.sqrt(1 / episodes + more) + 1e-9)


@pytest.mark.parametrize("name", EXACT)
def test_the_games_of_the_paper(name: str) -> None:
    assert make_game(name).random_headline() == pytest.approx(EXACT[name], rel=1e-6, abs=1e-5)


@pytest.mark.parametrize(("name", "args"), [
    *OUR_GAMES,
    ("xor", {"n_agents": 3, "bb_reward": -2.0, "episode_limit": 5}), ("xor", {"n_agents": 4, "bb_reward": -2.0}),
    ("permutation", {"n_agents": 3, "episode_limit": 2}), ("bridge", {"start": "separate", "episode_limit": 20}),
    ("sensor", {"reward": "flat"}), ("sensor", {"rows": 2, "cols": 2, "n_preys": 1}),
    ("aloha", {"rows": 1, "cols": 3, "episode_limit": 4, "max_backlog": 1})])
def test_exact_values_are_what_random_play_gives(name: str, args: dict[str, Any]) -> None:
    game = make_game(name, **args)
    assert agrees(game.random_headline(), game)
    # what games get that know no better
    assert agrees(estimated_headline(game, RANDOM_EPISODES, 1000), game, more=1 / RANDOM_EPISODES)


@pytest.mark.parametrize("env", [*map(needing_its_package, EXTERNAL_ENVS)])
def test_environments_of_other_packages_are_estimated_without_touching_them(env: str) -> None:
    content = ENV_FILES[env]
    args = {**env_args(env), "time_limit": 5}
    game, twin = (make_game(content["env"], **args) for _ in range(2))
    for each in (game, twin):
        each.initial(3, np.random.default_rng(0))
    value = game.random_headline()
    assert value == twin.random_headline() and agrees(value, make_game(content["env"], **args), 200, more=1 / 200)
    assert game.initial(1, np.random.default_rng(0))[0, 1] == 3  # its own episodes go on as they were


def test_scores() -> None:
    assert score(-1.2, -17.5, -1.2) == 1.0 and score(-17.5, -17.5, -1.2) == 0.0
    assert score(-20.0, -17.5, -1.2) == pytest.approx(-2.5 / 16.3)
    assert score(1.0, 0.5, None) is None and score(1.0, 0.5, 0.5) is None
