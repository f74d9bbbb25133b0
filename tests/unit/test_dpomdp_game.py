"""Dec-POMDPs as a game: what agents see, what names a problem, what the recipes hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from epymarl_cpa.config import load_env
from epymarl_cpa.data.behaviours_dpomdp import lesser, near
from epymarl_cpa.data.generate import generate
from epymarl_cpa.envs import make_game
from epymarl_cpa.envs.dpomdp import DecPomdp
from epymarl_cpa.envs.dpomdp.library import optima
from epymarl_cpa.envs.game import estimated_headline
from epymarl_cpa.errors import UserError

FILE = """\
agents: 2
values: reward
states: left right
start: uniform
actions:
wait go
wait go run
observations:
2
3
T: * :
uniform
O: * : left : 0 0 : 0.5
O: * : left : 1 2 : 0.5
O: * : right :
uniform
R: 0 : * : * : * : 1
R: go run : left : * : * : 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "small problem.dpomdp"
    path.write_text(FILE)
    return path


def game_of(**env_args: object) -> DecPomdp:
    game = make_game("dpomdp", **env_args)
    assert isinstance(game, DecPomdp)
    return game


def test_an_agent_sees_its_own_last_observation(file: Path) -> None:
    game, rng = game_of(problem=str(file), episode_limit=4), np.random.default_rng(0)
    state = game.initial(200, rng)
    assert (state[:, 2:] == -1).all() and (game.observe(state) == 0).all() and game.observe(state).shape == (200, 2, 3)
    assert game.available(state[:1])[0].tolist() == [[True, True, False], [True, True, True]]
    step = game.transition(state, game.random_actions(state, rng), rng)
    seen, last = game.observe(step.state), step.state[:, 2:]
    assert (seen.argmax(2) == last).all() and (seen.sum(2) == 1).all()
    assert set(map(tuple, last[step.state[:, 1] == 0].tolist())) == {(0, 0), (1, 2)}
    again = game.decode(game.global_state(step.state))
    np.testing.assert_array_equal(again[:, 1:], step.state[:, 1:])
    np.testing.assert_array_equal(game.decode(game.global_state(state))[:, 1:], state[:, 1:])
    assert "observed nothing yet" in game.draw(state[0]) and "hidden state" in game.draw(state[0])


def test_steps_follow_the_laws_and_pay_what_is_expected(file: Path) -> None:
    game, rng = game_of(problem=str(file), episode_limit=1), np.random.default_rng(1)
    state = game.initial(20_000, rng)
    step = game.transition(state, np.tile([1, 2], (20_000, 1)), rng)
    np.testing.assert_array_equal(step.reward, np.where(state[:, 1] == 0, 3.0, 0.0))
    assert step.done.all() and step.truncated is None
    left = step.state[:, 1] == 0
    assert abs(left.mean() - 0.5) < 0.02 and abs((step.state[left, 3] == 2).mean() - 0.5) < 0.02


@pytest.mark.parametrize("problem", ["dectiger", "recycling", "boxpushing"])
def test_what_random_play_is_worth_is_exact(problem: str) -> None:
    game = game_of(problem=problem)
    assert abs(game.random_headline() - estimated_headline(game, 20_000, 5000)) < 0.02 * abs(game.random_headline()) + 1


def test_a_file_is_known_by_its_numbers(file: Path, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    other = tmp_path / "b" / "elsewhere.dpomdp"
    other.write_text("# the same\n" + FILE.replace("left", "links"))
    one, same = game_of(problem=str(file)), game_of(problem=str(other))
    assert one.spec() == same.spec() and str(tmp_path) not in str(one.spec()) and one.rules() == same.rules()
    file.write_text(FILE.replace(": 3", ": 4"))
    assert game_of(problem=str(file)).spec() != one.spec()
    recycling = game_of(problem="recycling").spec()
    assert game_of().spec() != recycling != game_of(problem="recycling", episode_limit=2).spec()
    assert DecPomdp.label({"problem": str(file), "episode_limit": 4}) == "dpomdp-small-problem-4"
    assert DecPomdp.label({}) == "dpomdp-dectiger-3"


def test_optima_are_known_or_searched(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert game_of(problem="boxpushing").optimum() == 66.081
    game = game_of(problem=str(file))
    assert game.optimum() == optima(game.model, 3)[0][0] > game.random_headline()
    assert game_of(problem=str(file), episode_limit=99).optimum() is None


def test_unknown_problems_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no file 'dectigr' \(did you mean 'dectiger'\?\); the problems are"):
        game_of(problem="dectigr")
    with pytest.raises(UserError, match="no file"):
        game_of(problem=str(tmp_path))


def test_recipes_follow_conventions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An episode's behaviour says which optimum its agents follow, but for the share of random actions."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    game, recipes = load_env("dpomdp", ["env_args.problem=recycling"])
    assert isinstance(game, DecPomdp)
    found = optima(game.model, game.episode_limit)
    for name, episodes, noise in (("good", 2000, 0.05), ("medium", 3000, 0.2), ("poor", 5000, 0.3)):
        data = generate(game, recipes[name], 0, name)
        assert len(data.actions) == episodes
        teams = [team for _, team in {"good": near(found, game.random_headline()), "medium": found,
                                      "poor": lesser(found, game.random_headline())}[name]]
        seen = game.view(data.state.reshape(-1, game.state_dim)).reshape(*data.state.shape[:2], 2, 2).argmax(3)
        for number, behaviour in enumerate(data.meta["behaviours"]):
            rows = data.behaviour == number
            if behaviour == "random":
                assert rows.sum() == 2500
                continue
            team = teams[int(behaviour[-1]) % len(teams)]
            history, as_said = np.zeros((rows.sum(), 2), dtype=np.int64), []
            for t in range(3):
                history = history * 2 + (seen[rows, t] if t else 0)
                as_said.append([data.actions[rows, t, i] == team[i][t][history[:, i]] for i in range(2)])
            assert abs(np.mean(as_said) - (1 - noise * 2 / 3)) < 0.04
    returns = data.returns[data.behaviour == data.meta["behaviours"].index("random")]
    assert abs(returns.mean() - game.random_headline()) < 0.5


def test_sets_of_optima() -> None:
    found = [(10.0, []), (9.95, []), (9.95, []), (8.0, [])]
    assert len(near(found, 0.0)) == 3 and len(near(found, 9.9)) == 2 and len(near(found[:1], 0.0)) == 1
    assert [worth for worth, _ in lesser(found, 0.0)] == [9.95, 9.95, 8.0]
    assert lesser(found[1:3], 0.0) == found[2:3] and lesser(found[:1], 0.0) == found[:1]


def test_conventions_cannot_change_at_each_step() -> None:
    with pytest.raises(UserError, match="per: episode"):
        generate(game_of(problem="recycling"), {"episodes": 20, "per": "step", "mixture": {"near_0": 0.5,
                                                                                       "random": 0.5}}, 0)
    with pytest.raises(UserError, match="make the horizon shorter"):
        generate(game_of(episode_limit=60), {"episodes": 2, "mixture": {"near_0": 1.0}}, 0)
