"""AlberDICE's own recordings, replayed through our rules; skipped where the files are absent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from epymarl_cpa.envs import make_game

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "alberdice"
KEYS = ("state", "obs", "actions", "avail_actions", "reward", "terminated", "filled")
Recording = dict[str, NDArray[Any]]

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="AlberDICE's recordings are not here")


def load(folder: str) -> Recording:
    return {key: np.load(DATA / folder / f"{key}.npy", allow_pickle=False) for key in KEYS}


def lengths(data: Recording) -> NDArray[np.int64]:
    """Steps of each episode: up to its first ``terminated``; the slot after it holds the last state."""
    assert (data["terminated"][:, :, 0].sum(1) == 1).all()
    steps = data["terminated"][:, :, 0].argmax(1) + 1
    np.testing.assert_array_equal(data["filled"][:, :, 0].sum(1), steps + 1)
    return np.asarray(steps)


def test_bridge_transitions() -> None:
    data = load("bridge_from_start/buffer_optimal")
    game, rng, steps = make_game("bridge"), np.random.default_rng(0), lengths(data)
    assert len(steps) == 500 and set(steps.tolist()) == {8}
    cells = data["state"][:, :, [0, 1, 4, 5]].astype(np.int64)
    state = game.initial(500, rng)
    total = np.zeros(500)
    for t in range(8):
        np.testing.assert_array_equal(state[:, 1:], cells[:, t])
        np.testing.assert_array_equal(game.global_state(state), data["state"][:, t])
        np.testing.assert_array_equal(game.observe(state), data["obs"][:, t])
        np.testing.assert_array_equal(game.available(state), data["avail_actions"][:, t])
        state, reward, done, *_ = game.transition(state, data["actions"][:, t, :, 0].astype(np.int64), rng)
        np.testing.assert_allclose(reward, data["reward"][:, t, 0], rtol=0, atol=1e-6)
        np.testing.assert_array_equal(done, data["terminated"][:, t, 0])
        total += reward
    np.testing.assert_array_equal(state[:, 1:], cells[:, 8])
    values, counts = np.unique(total.round(4), return_counts=True)
    assert dict(zip(values.tolist(), counts.tolist(), strict=True)) == {-1.2904: 173, -1.2591: 160, -1.2355: 167}
    assert len(np.unique(cells[:, :9].reshape(500, -1), axis=0)) == 16


@pytest.mark.parametrize(("folder", "joint_actions"), [
    ("buffer_02", {(0, 1)}), ("buffer_02_20", {(0, 1), (1, 0)}), ("buffer_00_02_20", {(0, 0), (0, 1), (1, 0)}),
    ("buffer_random", {(0, 0), (0, 1), (1, 0), (1, 1)})])
def test_matrix_game_transitions(folder: str, joint_actions: set[tuple[int, int]]) -> None:
    data = load(f"mmdp_game_1_from_start/{folder}")
    game, rng, steps = make_game("xor", bb_reward=-2.0, episode_limit=50), np.random.default_rng(0), lengths(data)
    assert len(steps) == 100 and set(steps.tolist()) == {50}
    state, seen = game.initial(100, rng), set()
    for t in range(50):
        np.testing.assert_array_equal(game.global_state(state), data["state"][:, t])
        np.testing.assert_array_equal(game.observe(state), data["obs"][:, t])
        actions = data["actions"][:, t, :, 0].astype(np.int64)
        seen |= set(map(tuple, actions.tolist()))
        state, reward, done, *_ = game.transition(state, actions, rng)
        np.testing.assert_array_equal(reward, data["reward"][:, t, 0])
        np.testing.assert_array_equal(done, data["terminated"][:, t, 0])
    assert seen == joint_actions


def policy_value(policy: NDArray[np.float64]) -> float:
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


def test_bridge_naive_imitation() -> None:
    """What cloning the recorded joint actions is worth, agents drawing together or apart."""
    data = load("bridge_from_start/buffer_optimal")
    place = data["state"][:, :8].reshape(-1, 8).astype(np.int64)
    actions = data["actions"][:, :8].reshape(-1, 2).astype(np.int64)
    counts = np.zeros((18, 18, 5, 5))
    np.add.at(counts, (place[:, 0] * 6 + place[:, 1], place[:, 4] * 6 + place[:, 5], actions[:, 0], actions[:, 1]), 1)
    counts[counts.sum((2, 3)) == 0] = 1  # states that were never recorded: any action
    joint = counts / counts.sum((2, 3), keepdims=True)
    marginals = joint.sum(3), joint.sum(2)
    argmax = [np.eye(5)[marginal.argmax(2)] for marginal in marginals]
    assert policy_value(joint) == pytest.approx(-1.262, abs=5e-4)
    assert policy_value(marginals[0][..., :, None] * marginals[1][..., None, :]) == pytest.approx(-5.546, abs=5e-4)
    assert policy_value(argmax[0][..., :, None] * argmax[1][..., None, :]) == pytest.approx(-1.2904, abs=5e-5)
