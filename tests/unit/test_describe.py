"""The tables about a data set, the mismatch numbers in them against slow literal ones, and the command line."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import OUR_GAMES
from numpy.typing import NDArray

from epymarl_cpa import config
from epymarl_cpa.data import OfflineDataset, mismatch
from epymarl_cpa.data.__main__ import main
from epymarl_cpa.data.describe import describe
from epymarl_cpa.data.generate import generate
from epymarl_cpa.data.mismatch import Product, recorded_shares
from epymarl_cpa.envs import Game, make_game
from epymarl_cpa.envs.mismatch import distinct


def one_step(joint: list[list[int]], n_actions: int, state: list[float], reward: list[float]) -> OfflineDataset:
    """Episodes of one step with the given joint actions."""
    n, agents = len(joint), len(joint[0])
    actions = np.zeros((n, 2, agents), dtype=np.int64)
    actions[:, 0] = joint
    rewards = np.zeros((n, 2), dtype=np.float32)
    rewards[:, 0] = reward
    states = np.tile(np.array(state, dtype=np.float32), (n, 2, 1))
    return OfflineDataset(states, actions, np.ones((n, 2, agents, n_actions), np.bool_), rewards,
                          np.tile([True, False], (n, 1)), np.ones((n, 2), np.bool_), np.full(n, -1), {})


def xor(*joint: str) -> OfflineDataset:
    reward = [float(word in ("AB", "BA")) for word in joint]
    return one_step([["AB".index(letter) for letter in word] for word in joint], 2, [0, 1, 0, 1], reward)


def made(name: str, mixture: dict[str, float], episodes: int = 20, **env_args: Any) -> tuple[OfflineDataset, Game]:
    game = make_game(name, **env_args)
    return generate(game, {"episodes": episodes, "mixture": mixture}, 0), game


def literal(game: Game, state: NDArray[np.int64], joint: NDArray[np.int64]) -> tuple[bool, bool]:
    """Whether a joint action is optimal, and whether it is in Mismatch(s), word for word as in Definition 1."""
    sets = game.optimal_actions(state[None])
    assert sets is not None
    best = {tuple(row) for row in sets[0].tolist()}
    optimal = tuple(joint.tolist()) in best
    return optimal, not optimal and all(any(row[i] == a for row in best) for i, a in enumerate(joint.tolist()))


@pytest.mark.parametrize(("name", "args"), OUR_GAMES)
def test_decode_finds_a_state_that_looks_the_same(name: str, args: dict[str, Any]) -> None:
    game, rng = make_game(name, **args), np.random.default_rng(0)
    state = game.initial(50, rng)
    for _ in range(min(8, game.episode_limit)):
        seen = game.global_state(state)
        found = game.decode(seen)
        if found is None:
            return
        assert found.shape == state.shape and found.dtype == np.int64 and (found[:, 0] == 0).all()
        np.testing.assert_array_equal(game.global_state(found), seen)
        found[:, 0] = state[:, 0]
        for one, two in zip(game.optimal_actions(found) or [], game.optimal_actions(state) or [], strict=True):
            np.testing.assert_array_equal(one, two)
        actions = (rng.random((50, game.n_agents, game.n_actions)) * game.available(state)).argmax(2)
        state = game.transition(state, actions, rng).state


@pytest.mark.parametrize("name", ["xor", "permutation", "bridge", "sensor"])
def test_decode_bears_any_vector(name: str) -> None:
    game = make_game(name)
    seen = np.random.default_rng(0).normal(size=(30, game.state_dim)).astype(np.float32) * 1e9
    state = game.decode(seen)
    assert state is not None and (game.global_state(state) != seen).any(1).all()


def test_distinct() -> None:
    first, number = distinct(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, -0.0], [0.0, 1.0]], dtype=np.float32))
    assert sorted(first.tolist()) == [0, 1] and number.tolist() in ([0, 1, 0, 1], [1, 0, 1, 0])
    assert len(distinct(np.zeros((3, 2, 2), dtype=np.bool_))[0]) == 1


def test_shares_of_xor() -> None:
    data, game = xor("AA", "AB", "BA", "AB", "AA", "BA"), make_game("xor")
    assert recorded_shares(data, game) == pytest.approx((4 / 6, 2 / 6, True))
    assert Product(data, 2).shares(game) == pytest.approx((4 / 9, 5 / 9, True))
    assert Product(xor("AB", "AB"), 2).shares(game) == (1.0, 0.0, True)
    assert recorded_shares(xor("BB"), make_game("xor", bb_reward=2.0)) == (1.0, 0.0, True)
    assert recorded_shares(xor("AB"), make_game("xor", bb_reward=2.0)) == (0.0, 0.0, True)  # A is in no optimum


@pytest.mark.parametrize(("name", "args", "mixture"), [
    ("bridge", {"episode_limit": 12}, {"crossing": 0.5, "random": 0.5}),
    ("sensor", {}, {"expert": 0.4, "eager": 0.6}), ("sensor", {"reward": "flat"}, {"eager": 1.0}),
    ("permutation", {"n_agents": 3}, {"random": 1.0}), ("xor", {"n_agents": 3, "episode_limit": 4}, {"random": 1.0})])
def test_recorded_shares_are_the_literal_ones(name: str, args: dict[str, Any], mixture: dict[str, float]) -> None:
    data, game = made(name, mixture, **args)
    state = game.decode(data.state[data.steps])
    assert state is not None
    state[:, 0] = np.nonzero(data.steps)[1]
    slow = np.array([literal(game, s, a) for s, a in zip(state, data.actions[data.steps], strict=True)])
    assert slow.any() and not slow.all()
    assert recorded_shares(data, game) == pytest.approx((*slow.mean(0), True))


@pytest.mark.parametrize(("name", "args", "mixture"), [
    ("bridge", {"episode_limit": 20}, {"crossing": 0.5, "random": 0.5}),
    ("sensor", {"rows": 2, "cols": 2, "n_preys": 2}, {"eager": 0.5, "random": 0.5}),
    ("permutation", {"episode_limit": 3}, {"optimal": 1.0})])
def test_product_is_the_literal_one(name: str, args: dict[str, Any], mixture: dict[str, float],
                                    monkeypatch: pytest.MonkeyPatch) -> None:
    data, game = made(name, mixture, **args)
    want = np.zeros(2)
    states, joint = data.state[data.steps], data.actions[data.steps]
    for start in data.state[:, 0]:
        here = joint[(states == start).all(1)]
        marginal = np.array([np.bincount(column, minlength=game.n_actions) for column in here.T]) / len(here)
        state = game.decode(start[None])
        assert state is not None
        for word in itertools.product(*(np.flatnonzero(row).tolist() for row in marginal)):
            chance = np.prod([marginal[i, a] for i, a in enumerate(word)])
            want += chance * np.array(literal(game, state[0], np.array(word))) / data.n_episodes
    exact = Product(data, game.n_actions).shares(game)
    assert exact == pytest.approx((*want, True)) and want.all()
    monkeypatch.setattr(mismatch, "MAX_ENUMERATED", 0)
    drawn, again = (Product(data, game.n_actions).shares(game) for _ in range(2))
    assert drawn is not None and drawn == again and not drawn.exact
    assert (abs(np.array(drawn[:2]) - want) < 4 * np.sqrt(want * (1 - want) / mismatch.DRAWS)).all()


def test_penalties_of_aloha() -> None:
    """The product of two parities: two islands and a coin, or all ten islands against a direct count."""
    data, game = made("aloha", {"parity": 1.0}, episodes=400, rows=1, cols=2, episode_limit=1)
    send = data.actions[:, 0].mean(0)
    found = Product(data, 2).penalised(game)
    assert found is not None and found[1] and found[0] == pytest.approx(send.prod())
    data, game = made("aloha", {"parity": 1.0}, episodes=400)
    found = Product(data, 2).penalised(game)
    assert found is not None and found[1] and found[0] == pytest.approx(1 - 91 / 1024, abs=0.01)
    assert made("aloha", {"random": 1.0})[0].returns.min() < 0
    assert recorded_shares(data, game) is None and Product(data, 2).shares(game) is None


def test_penalties_need_the_usual_start() -> None:
    data, game = made("aloha", {"random": 1.0})
    state = data.state.copy()
    state[:, 0] = 0.0
    other = OfflineDataset(state, data.actions, data.avail_actions, data.reward, data.terminated, data.filled,
                           data.behaviour, data.meta)
    assert Product(data, 2).penalised(game) is not None and Product(other, 2).penalised(game) is None
    assert "drawn independently" not in describe(other, game)


def test_page_about_xor() -> None:
    text = describe(xor("AA", "AB", "BA", "AB"), make_game("xor"))
    assert text == """data set (xor)
  episodes                                 4
  steps                                    4
  steps per episode                     1..1
  mean return                         0.7500
  standard deviation                  0.4330
  lowest return                       0.0000
  highest return                      1.0000
  expected return of the best policy  1.0000
behaviours
  unknown  4 episodes, 100.0 %
returns (episodes)
  0.0000  1  #############
  1.0000  3  ########################################
joint actions at the first step (3 different ones)
  A B  2  50.0 %
  A A  1  25.0 %
  B A  1  25.0 %
actions of each agent (share of its steps)
  agent       A       B
  0      75.0 %  25.0 %
  1      50.0 %  50.0 %
coverage
  different states                           1
  different pairs of state and joint action  3
  different joint actions                    3
  possible joint actions                     4
mismatch: every part optimal in some joint action, but not the whole (Definition 1)
  joint actions                            optimal  mismatch  other
  recorded, all steps                       75.0 %    25.0 %  0.0 %
  drawn independently, first step (exact)   50.0 %    50.0 %  0.0 %"""


def test_page_about_many_returns_and_behaviours() -> None:
    data, game = made("bridge", {"crossing": 0.25, "random": 0.75}, episodes=40)
    text = describe(data, game)
    assert "  crossing  10 episodes, 25.0 %\n  random  30 episodes, 75.0 %\n" in text
    bars = re.findall(r"\.\. +-?[\d.]+ +(\d+)", text)
    assert len(bars) == 10 and sum(map(int, bars)) == 40
    assert f"  steps                               {data.steps.sum():>8,}" in text


def test_page_about_aloha() -> None:
    game, recipes = config.load_env("aloha")
    text = describe(generate(game, {**recipes["poor"], "episodes": 30}, 0, "poor"), game)
    assert "  independent  80.0 % of the steps\n  random  20.0 % of the steps\n" in text
    assert "optimal joint actions of aloha are not tabulated" in text and "drawn independently" in text


FOLDERS = ["--env-config=xor", "--datasets-path=made"]


def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["make", *FOLDERS, "--quality=poor", "--seed=3", "env_args.n_agents=3"]) == 0
    path = capsys.readouterr().out.strip()
    data = OfflineDataset.load(Path(path))
    assert path.startswith("made/xor-poor-seed3-") and data.meta["seed"] == 3 and data.actions.shape[2] == 3
    assert main(["make", *FOLDERS, "--quality=poor", "--seed=3", "env_args.n_agents=3", "--out=mine.npz"]) == 0
    assert capsys.readouterr().out == "mine.npz\n" and OfflineDataset.load(Path("mine.npz")).digest == data.digest
    assert main(["validate", "mine.npz", *FOLDERS, "env_args.n_agents=3"]) == 0
    assert capsys.readouterr().out == "mine.npz: 5000 episodes and 5000 steps, valid for xor.\n"
    assert main(["describe", "poor", *FOLDERS]) == 0
    game, recipes = config.load_env("xor")
    want = describe(generate(game, recipes["poor"], 0, "poor"), game)
    assert capsys.readouterr().out.splitlines()[1:] == want.splitlines()[1:]
    assert len(list((tmp_path / "made").iterdir())) == 2


@pytest.mark.parametrize(("words", "told"), [
    (["validate", "absent.npz", *FOLDERS], "there is no recipe and no file 'absent.npz'"),
    (["make", *FOLDERS, "--quality=bad"], "the recipes are: good, medium, poor."),
    (["make", *FOLDERS, "--quality=good", "--seed=-4"], "must not be negative, but is -4"),
    (["make", *FOLDERS, "--quality=good", "--out=no/such/folder.npz"], "no/such/folder.npz cannot be written"),
    (["make", *FOLDERS, "--quality=good", "env_args.agents=3"], "agents"),
    (["describe", "good", "--env-config=xoor"], "xoor"),
    (["validate", "taken", *FOLDERS], "taken is not a data set of a known format (alberdice: ")])
def test_mistakes_on_the_command_line(words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                      capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("not a data set")
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == "" and told in err and err.count("\n") == 1 and err.endswith(".\n")


@pytest.mark.parametrize("words", [[], ["bake"], ["make", *FOLDERS], ["make", *FOLDERS, "--quality=good", "--sed=1"]])
def test_unknown_words(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        main(words)
    assert error.value.code == 2 and "usage:" in capsys.readouterr().err
