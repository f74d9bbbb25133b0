"""EpisodeBatch and ReplayBuffer mean what EPyMARL's mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch as th

from epymarl_cpa.components.episode_buffer import EpisodeBatch, ReplayBuffer
from epymarl_cpa.components.transforms import OneHot
from epymarl_cpa.errors import UserError

N, A, S, T = 2, 3, 4, 5
SCHEME: dict[str, dict[str, Any]] = {
    "state": {"vshape": S}, "obs": {"vshape": S, "group": "agents"},
    "actions": {"vshape": (1,), "group": "agents", "dtype": th.long},
    "avail_actions": {"vshape": (A,), "group": "agents", "dtype": th.int},
    "reward": {"vshape": (1,)}, "terminated": {"vshape": (1,), "dtype": th.uint8},
    "task": {"vshape": (2,), "episode_const": True}}
GROUPS = {"agents": N}
PREPROCESS = {"actions": ("actions_onehot", [OneHot(A)])}


def make(episodes: int, length: int = T + 1) -> EpisodeBatch:
    return EpisodeBatch(SCHEME, GROUPS, episodes, length, preprocess=PREPROCESS)


def numbered(first: int, count: int, length: int = T + 1) -> EpisodeBatch:
    """Episodes whose rewards are all their own number."""
    batch = make(count, length)
    batch.update({"reward": th.arange(first, first + count).view(-1, 1, 1).expand(-1, length, -1),
                  "actions": th.full((count, length, N, 1), first % A)})
    return batch


def make_buffer(size: int, seed: int = 0) -> ReplayBuffer:
    return ReplayBuffer(SCHEME, GROUPS, size, T + 1, PREPROCESS, seed=seed)


def test_layout() -> None:
    batch = make(3)
    shapes = {key: (tuple(value.shape), value.dtype) for key, value in batch.data.transition_data.items()}
    assert shapes == {
        "state": ((3, 6, S), th.float32), "obs": ((3, 6, N, S), th.float32), "actions": ((3, 6, N, 1), th.int64),
        "avail_actions": ((3, 6, N, A), th.int32), "reward": ((3, 6, 1), th.float32),
        "terminated": ((3, 6, 1), th.uint8), "actions_onehot": ((3, 6, N, A), th.float32),
        "filled": ((3, 6, 1), th.int64)}
    assert batch["task"].shape == (3, 2)
    assert all(not value.any() for value in batch.data.transition_data.values())
    assert set(batch.scheme) == {*SCHEME, "actions_onehot", "filled"}
    assert set(SCHEME) == {"state", "obs", "actions", "avail_actions", "reward", "terminated", "task"}, "unchanged"


@pytest.mark.parametrize("kind", ["list", "array", "tensor"])
def test_update_takes_lists_arrays_and_tensors(kind: str) -> None:
    batch, rng = make(3), np.random.default_rng(0)
    obs, actions = rng.random((3, N, S)), rng.integers(A, size=(3, N))
    convert = {"list": lambda x: [list(row) for row in x], "array": np.asarray, "tensor": th.from_numpy}[kind]
    batch.update({"obs": convert(obs), "actions": convert(actions)}, ts=2)
    assert th.equal(batch["obs"][:, 2], th.from_numpy(obs).float())
    assert th.equal(batch["actions"][:, 2, :, 0], th.from_numpy(actions))
    assert th.equal(batch["actions_onehot"][:, 2].argmax(-1), th.from_numpy(actions))
    assert batch["filled"][:, :, 0].tolist() == [[0, 0, 1, 0, 0, 0]] * 3


def test_update_copies() -> None:
    batch, state = make(2), np.ones((2, S))
    batch.update({"state": state}, ts=0)
    state[:] = 5
    assert batch["state"][:, 0].eq(1).all()


def test_filled_is_marked_once_by_transition_keys_only() -> None:
    batch = make(2)
    batch.update({"task": [[1, 2], [3, 4]]})
    assert not batch["filled"].any(), "an episode constant fills no step"
    batch.update({"reward": [[1.0], [2.0]]}, ts=0, mark_filled=False)
    assert not batch["filled"].any()
    batch.update({"task": [[5, 6], [7, 8]], "state": np.ones((2, S)), "reward": [[1.0], [2.0]]}, ts=1)
    assert batch["filled"].sum() == 2
    assert batch["task"].tolist() == [[5, 6], [7, 8]]


@pytest.mark.parametrize("rows", [[0, 2], np.array([0, 2]), th.tensor([0, 2]), slice(0, 3, 2),
                                  [True, False, True, False], np.array([True, False, True, False])])
def test_rows_may_be_chosen_in_every_way(rows: Any) -> None:
    batch = make(4)
    batch.update({"reward": [[3.0], [4.0]], "task": [[1, 1], [2, 2]]}, bs=rows, ts=1)
    assert batch["reward"][:, 1, 0].tolist() == [3, 0, 4, 0]
    assert batch["filled"][:, 1, 0].tolist() == [1, 0, 1, 0]
    assert batch["task"][:, 0].tolist() == [1, 0, 2, 0]
    part = batch[rows]
    assert (part.batch_size, part.max_seq_length) == (2, T + 1)
    assert part["reward"][:, 1, 0].tolist() == [3, 4]
    assert part["task"].shape == (2, 2)


@pytest.mark.parametrize("index", [-1, 3, np.int64(3)])
def test_an_integer_keeps_the_axis(index: Any) -> None:
    batch = numbered(0, 4)
    part = batch[index]
    assert (part.batch_size, part["reward"].shape) == (1, (1, T + 1, 1))
    assert part["reward"][0, 0, 0] == 3
    late = batch[:, index]
    assert (late.batch_size, late.max_seq_length) == (4, 1)
    batch.update({"reward": [9.0]}, bs=index, ts=index)
    assert batch["reward"][3, index] == 9


def test_slices_are_views_and_index_lists_copies() -> None:
    batch = numbered(0, 4)
    batch[1:3]["reward"][:] = 50
    assert batch["reward"][1:3].eq(50).all()
    batch[:, :2]["reward"][:] = 60
    assert batch["reward"][:, :2].eq(60).all()
    batch[[0, 3]]["reward"][:] = 70
    assert not batch["reward"].eq(70).any()


def test_parts_know_their_size() -> None:
    batch = numbered(0, 4)
    for part, size in ((batch[1:], (3, 6)), (batch[1:, :2], (3, 2)), (batch[[0, 0, 1], 1:4], (3, 3)),
                       (batch[::2, ::3], (2, 2)), (batch[[]], (0, 6))):
        assert (part.batch_size, part.max_seq_length) == size
        assert part["state"].shape[:2] == size
        assert part["filled"].shape[:2] == size


def test_a_part_can_be_updated() -> None:
    part = numbered(0, 4)[1:3]
    part.update({"actions": [[[1], [2]], [[0], [1]]]}, ts=0)
    assert part["actions_onehot"][:, 0].argmax(-1).tolist() == [[1, 2], [0, 1]]


def test_keys_give_a_sub_batch() -> None:
    batch = numbered(0, 3)
    part = batch["reward", "task"]
    assert set(part.data.transition_data) == {"reward"}
    assert set(part.data.episode_data) == {"task"}
    assert set(part.scheme) == {"reward", "task"}
    assert part["reward"] is batch["reward"]
    assert part[1:]["task"].shape == (2, 2)


def test_unknown_keys() -> None:
    batch = make(2)
    for use in (lambda: batch["extra"], lambda: batch["state", "extra"], lambda: batch.update({"extra": [1, 2]})):
        with pytest.raises(KeyError, match="extra not found in transition or episode data"):
            use()


@pytest.mark.parametrize(("key", "value"), [
    ("obs", np.zeros((2, N, S + 1))), ("obs", np.zeros((N, S, 3))), ("state", np.zeros((S, 3))),
    ("reward", [1.0, 2.0])])
def test_values_that_do_not_fit(key: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"does not fit '{key}'"):
        make(3).update({key: value}, ts=0)


def test_times_are_contiguous() -> None:
    for times in ([0, 2], np.array([0, 2]), th.tensor([0])):
        with pytest.raises(IndexError, match="contiguous"):
            make(3)[:, times]
        with pytest.raises(IndexError, match="contiguous"):
            make(3).update({"reward": np.zeros((3, 2))}, ts=times)


def test_length_of_the_longest_episode() -> None:
    batch = make(3)
    assert batch.max_t_filled() == 0
    batch.update({"reward": np.zeros((1, 4))}, bs=[1], ts=slice(0, 4))
    batch.update({"reward": [0.0]}, bs=0, ts=0)
    assert batch.max_t_filled() == 4
    assert batch[:, : batch.max_t_filled()]["state"].shape == (3, 4, S)


def test_moving_keeps_everything() -> None:
    batch = numbered(2, 2)
    batch.to("cpu")
    assert batch.device == "cpu"
    assert batch["reward"].eq(th.tensor([2.0, 3.0]).view(2, 1, 1)).all()
    assert "reward" in repr(batch)


def test_one_hot() -> None:
    hot = OneHot(A)
    assert hot.transform(th.tensor([[[2], [0]]])).tolist() == [[[0, 0, 1], [1, 0, 0]]]
    assert hot.infer_output_info((1,), th.long) == ((A,), th.float32)


def test_the_ring_forgets_the_oldest() -> None:
    buffer = make_buffer(4)
    for first, count in ((0, 1), (1, 2), (3, 3)):
        buffer.insert_episode_batch(numbered(first, count))
    assert buffer["reward"][:, 0, 0].tolist() == [4, 5, 2, 3]
    assert (buffer.buffer_index, buffer.episodes_in_buffer) == (2, 4)
    buffer.insert_episode_batch(numbered(10, 11))
    assert sorted(buffer["reward"][:, 0, 0].tolist()) == [17, 18, 19, 20], "far more than it holds"


def test_inserting_makes_the_preprocessed_keys_and_copies() -> None:
    buffer, batch = make_buffer(2), numbered(1, 2)
    batch["actions_onehot"][:] = 0
    buffer.insert_episode_batch(batch["actions", "filled"])
    assert buffer["actions_onehot"].argmax(-1).eq(1).all()
    batch["filled"][:] = 0
    assert buffer["filled"].eq(1).all()


def test_a_shorter_batch_leaves_nothing_of_the_old_episode() -> None:
    buffer = make_buffer(2)
    buffer.insert_episode_batch(numbered(5, 2))
    buffer.insert_episode_batch(numbered(7, 1, length=3))
    assert buffer["filled"][..., 0].tolist() == [[1, 1, 1, 0, 0, 0], [1] * 6]
    assert buffer["reward"][0, :, 0].tolist() == [7, 7, 7, 0, 0, 0]
    assert not buffer["actions_onehot"][0, 3:].any()


def test_when_it_can_sample() -> None:
    buffer = make_buffer(4)
    assert not buffer.can_sample(1)
    buffer.insert_episode_batch(numbered(0, 3))
    assert buffer.can_sample(3)
    assert not buffer.can_sample(4)
    with pytest.raises(ValueError, match="holds 3 episodes, 4 were asked for"):
        buffer.sample(4)
    assert buffer.sample(3)["reward"][:, 0, 0].tolist() == [0, 1, 2], "the whole buffer, in order"


def test_samples_are_different_episodes_uniformly() -> None:
    buffer = make_buffer(6)
    buffer.insert_episode_batch(numbered(0, 5))
    counts = np.zeros(5)
    for _ in range(600):
        rows = buffer.sample(2)["reward"][:, 0, 0].long().tolist()
        assert len(set(rows)) == 2
        counts[rows] += 1
    expected = 600 * 2 / 5
    assert ((counts - expected) ** 2 / expected).sum() < 18.5, "chi-square, 4 degrees of freedom, p = 0.001"


def test_a_sample_is_a_view_of_the_whole_or_a_copy() -> None:
    buffer = make_buffer(4)
    buffer.insert_episode_batch(numbered(0, 4))
    buffer.sample(2)["reward"][:] = 90
    assert not buffer["reward"].eq(90).any()
    buffer.sample(4)["reward"][:] = 90
    assert buffer["reward"].eq(90).all()


def test_state_goes_on_where_it_was() -> None:
    one, two = make_buffer(4), make_buffer(4, seed=9)
    one.insert_episode_batch(numbered(0, 4))
    one.insert_episode_batch(numbered(4, 2))
    one.sample(2)
    two.load_state_dict(one.state_dict())
    for buffer in (one, two):
        buffer.insert_episode_batch(numbered(6, 1))
    assert th.equal(one["reward"], two["reward"])
    for _ in range(5):
        assert th.equal(one.sample(2)["reward"], two.sample(2)["reward"])
    with pytest.raises(UserError, match="buffer_size=4, but this run has buffer_size=5"):
        make_buffer(5).load_state_dict(one.state_dict())


def test_a_saved_state_is_a_copy() -> None:
    buffer = make_buffer(2)
    buffer.insert_episode_batch(numbered(3, 1))
    state = buffer.state_dict()
    buffer.insert_episode_batch(numbered(4, 2))
    assert state["transition_data"]["reward"][:, 0, 0].tolist() == [3]
