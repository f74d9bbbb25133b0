"""The full-size recipes have the returns, sizes and naive-imitation values that were worked out for them."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from epymarl_cpa import config
from epymarl_cpa.data import OfflineDataset
from epymarl_cpa.data.formats.npy_folder import load_npy_folder
from epymarl_cpa.data.generate import generate
from epymarl_cpa.data.mismatch import Product
from epymarl_cpa.envs import Game, make_game
from epymarl_cpa.envs.aloha import Aloha

Floats = NDArray[np.float64]
OPTIMAL = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "alberdice/bridge_from_start/buffer_optimal"
QUALITIES = ("good", "medium", "poor")


@cache
def dataset(env: str, quality: str, *words: str) -> tuple[OfflineDataset, Game]:
    game, recipes = config.load_env(env, words)
    return generate(game, recipes[quality], 0, quality), game


def standard_error(data: OfflineDataset, values: Floats) -> float:
    """Of a mean over episodes, where the number of episodes of each behaviour is fixed."""
    groups = [values[data.behaviour == k] for k in np.unique(data.behaviour)]
    return float(np.sqrt(sum(len(group) * group.var() for group in groups)) / len(values))


@pytest.mark.parametrize(("env", "quality", "mean", "rounding"), [
    ("xor", "good", 1.0, 0), ("xor", "medium", 2 / 3, 0), ("xor", "poor", 0.5, 0),
    ("permutation", "good", 1.0, 0), ("permutation", "medium", 0.5 + 12 / 256, 0), ("permutation", "poor", 24 / 256, 0),
    ("bridge", "good", -1.262, 5e-4), ("bridge", "medium", (-1.262 - 17.5586) / 2, 5e-4),
    ("bridge", "poor", 0.1 * -1.262 + 0.9 * -17.5586, 5e-4),
    ("sensor", "good", 29.6, 0.05), ("sensor", "medium", 21.3, 0.05), ("sensor", "poor", -20.7, 0.05)])
def test_mean_return(env: str, quality: str, mean: float, rounding: float) -> None:
    data, _ = dataset(env, quality)
    assert abs(data.returns.mean() - mean) <= 4 * standard_error(data, data.returns) + rounding + 1e-9


@pytest.mark.parametrize(("quality", "mean"), [("good", 23.4), ("medium", 13.1), ("poor", -24.2)])
def test_mean_return_of_flat_sensor(quality: str, mean: float) -> None:
    data, _ = dataset("sensor", quality, "env_args.reward=flat")
    assert abs(data.returns.mean() - mean) <= 4 * standard_error(data, data.returns) + 0.05


@pytest.mark.parametrize(("quality", "messages", "collisions"), [
    ("good", 87.0, 0.0), ("medium", 69.1, 0.0), ("poor", 43.5, 16.7)])
def test_aloha_messages(quality: str, messages: float, collisions: float) -> None:
    """A step pays 0.1 for each of at most ten messages and -10 for each collision, so both can be told from it."""
    data, _ = dataset("aloha", quality)
    collided = np.ceil(-data.reward.astype(np.float64) / 10 - 1e-6).clip(0)
    sent = ((data.reward + 10 * collided) / 0.1).round()
    assert sent.max() <= 5 and (data.filled[:, -1]).all() and data.episode_limit == 20
    for found, want in ((sent.sum(1), messages), (collided.sum(1), collisions)):
        assert abs(found.mean() - want) <= 4 * standard_error(data, found) + (0.05 if want else 0)
    if not collisions:
        np.testing.assert_allclose(data.returns / 0.1, sent.sum(1), atol=1e-4)


@pytest.mark.parametrize(("env", "episodes", "steps"), [
    ("xor", (5000, 5000, 5000), (5000, 5000, 5000)), ("permutation", (5000, 5000, 5000), (5000, 5000, 5000)),
    ("bridge", (500, 1000, 1000), (4000, 29_000, 45_000)), ("sensor", (5000, 5000, 5000), (50_000,) * 3),
    ("aloha", (5000, 5000, 5000), (100_000,) * 3)])
def test_sizes(env: str, episodes: tuple[int, ...], steps: tuple[int, ...]) -> None:
    for quality, n, size in zip(QUALITIES, episodes, steps, strict=True):
        data, _ = dataset(env, quality)
        assert data.n_episodes == n
        assert data.steps.sum() == pytest.approx(size, rel=0.02 if size in (29_000, 45_000) else 0)


def test_bridge_good_is_like_alberdice_optimal() -> None:
    """Three returns, equally often; within each, its eight, four and four paths equally often."""
    data, _ = dataset("bridge", "good")
    returns, count = np.unique(data.returns.round(4), return_counts=True)
    assert returns.tolist() == [-1.2904, -1.2591, -1.2355] and (data.steps.sum(1) == 8).all()
    assert (abs(count - 500 / 3) < 4 * np.sqrt(500 * 2 / 9)).all()
    for value, n_paths in zip(returns, (4, 4, 8), strict=True):
        paths = data.state[data.returns.round(4) == value, :9].reshape(-1, 72)
        each = np.unique(paths, axis=0, return_counts=True)[1]
        assert len(each) == n_paths
        assert (abs(each - len(paths) / n_paths) < 4 * np.sqrt(len(paths) / n_paths)).all()


@pytest.mark.parametrize(("env", "quality", "sampled"), [
    ("xor", "good", 0.5), ("xor", "medium", 4 / 9), ("xor", "poor", 0.5),
    ("permutation", "good", 24 / 256), ("permutation", "medium", 24 / 256), ("permutation", "poor", 24 / 256)])
def test_matrix_games_imitated_independently(env: str, quality: str, sampled: float) -> None:
    """Chance of a win when each agent draws from its own marginal, whatever the agents did together."""
    data, game = dataset(env, quality)
    shares = Product(data, game.n_actions).shares(game)
    assert shares is not None and shares.exact
    # In XOR medium the chance moves by a third of each marginal's error, elsewhere by its square.
    assert shares.optimal == pytest.approx(sampled, abs=0.013 if (env, quality) == ("xor", "medium") else 2e-3)
    assert shares.mismatch == pytest.approx(1 - shares.optimal)


@pytest.mark.parametrize(("permutations", "wins"), [(1.0, 0.27), (0.5, 0.15), (0.0, 0.09)])
def test_permutation_imitated_greedily(permutations: float, wins: float) -> None:
    """Chance, over data sets of 5,000, that the agents' most frequent actions all differ."""
    every = np.array(list(itertools.product(range(4), repeat=4)))
    optimal = np.array([len(set(row)) == 4 for row in every.tolist()])
    law = permutations * optimal / 24 + (1 - permutations) / 256
    count = np.random.default_rng(0).multinomial(5000, law, size=4000)
    modes = (count @ np.eye(4)[every].reshape(256, 16)).reshape(-1, 4, 4).argmax(2)
    found = np.mean([len(set(row)) == 4 for row in modes.tolist()])
    assert abs(found - wins) < 4 * np.sqrt(wins * (1 - wins) / 4000) + 5e-3


@pytest.mark.parametrize(("quality", "largest", "messages"), [("good", 0.491, 16.5), ("medium", 0.455, 21.6),
                                                              ("poor", 0.36, 22.7)])
def test_aloha_imitated_independently(quality: str, largest: float, messages: float) -> None:
    """Nobody sends in most steps, so greedy imitators never send; drawn ones collide."""
    data, game = dataset("aloha", quality)
    assert isinstance(game, Aloha)
    marginal = data.actions[data.steps].mean(0)
    assert marginal.max() == pytest.approx(largest, abs=4 * 0.5 / np.sqrt(data.steps.sum()) + 5e-3 * (largest == 0.36))
    assert (marginal < 0.5).all()
    rng = np.random.default_rng(0)
    state = game.initial(2000, rng)
    for _ in range(game.episode_limit):
        state = game.transition(state, (rng.random((2000, 10)) < marginal).astype(np.int64), rng).state
    sent = state[:, 1]
    assert abs(sent.mean() - messages) < 4 * sent.std() / np.sqrt(2000) + 0.1


def policy_value(policy: Floats) -> float:
    """Exact return of a stationary joint policy ``[18, 18, A, A]`` on Bridge."""
    game, rng = make_game("bridge"), np.random.default_rng(0)
    grid = np.indices((18, 18, 5, 5)).reshape(4, -1)
    places = np.stack([grid[0] // 6, grid[0] % 6, grid[1] // 6, grid[1] % 6], 1)
    steps = {t: game.transition(np.insert(places, 0, t, axis=1), grid[2:].T, rng) for t in (0, 49)}
    value = np.zeros((18, 18))
    for t in reversed(range(50)):
        state, reward, done, *_ = steps[49 if t == 49 else 0]  # the rules look at the time for the horizon only
        ahead = value[state[:, 1] * 6 + state[:, 2], state[:, 3] * 6 + state[:, 4]]
        value = ((reward + np.where(done, 0.0, ahead)).reshape(policy.shape) * policy).sum((2, 3))
    return float(value[8, 9])


def imitated(data: OfflineDataset) -> tuple[float, float, float]:
    """Exact returns on Bridge of drawing jointly, of drawing independently, and of independent modes."""
    place, actions = data.state[data.steps].astype(np.int64), data.actions[data.steps]
    count = np.zeros((18, 18, 5, 5))
    np.add.at(count, (place[:, 0] * 6 + place[:, 1], place[:, 4] * 6 + place[:, 5], *actions.T), 1)
    count[count.sum((2, 3)) == 0] = 1  # states that were never recorded: any action
    joint = count / count.sum((2, 3), keepdims=True)
    first, second = joint.sum(3), joint.sum(2)
    modes = np.eye(5)[first.argmax(2)], np.eye(5)[second.argmax(2)]
    return (policy_value(joint), policy_value(first[..., :, None] * second[..., None, :]),
            policy_value(modes[0][..., :, None] * modes[1][..., None, :]))


@pytest.mark.skipif(not OPTIMAL.is_dir(), reason="AlberDICE's recordings are not here")
def test_bridge_imitated_from_alberdice_file() -> None:
    joint, product, modes = imitated(load_npy_folder(OPTIMAL))
    assert joint == pytest.approx(-1.262, abs=5e-4) and product == pytest.approx(-5.546, abs=5e-4)
    assert modes == pytest.approx(-1.2904, abs=5e-5)


def test_bridge_imitated_from_recipes() -> None:
    """Drawing is worth the same on all data sets; whether independent modes get stuck is up to the seed."""
    joint, product, mode = imitated(dataset("bridge", "good")[0])
    assert joint == pytest.approx(-1.262, abs=5e-3) and product == pytest.approx(-5.546, abs=0.03)
    assert -1.2905 < mode < -1.2354
    game, recipes = config.load_env("bridge")
    modes = []
    for seed in range(3):
        joint, product, mode = imitated(generate(game, recipes["medium"], seed, "medium"))
        assert joint == pytest.approx(-10.79, abs=0.4) and product == pytest.approx(-13.66, abs=0.5)
        modes.append(mode)
    assert min(modes) < -15.49 and max(modes) > -1.2905
    assert any(mode == pytest.approx(-15.495160, abs=1e-6) for mode in modes)  # both push for ever
