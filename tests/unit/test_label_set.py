"""The teacher is asked once per state, and its answers stay as they were."""

from __future__ import annotations

import pytest
import torch as th
from torch import Tensor

from epymarl_cpa.agreement.joint_law import JointLaw
from epymarl_cpa.agreement.label_set import LabelSet

S, N, A = 2, 2, 3


class Teacher:
    """Three joint actions whose numbers and probabilities follow from the state; counts what it is asked."""

    def __init__(self) -> None:
        self.calls = 0
        self.asked: list[tuple[float, ...]] = []

    def __call__(self, state: Tensor, available: Tensor) -> JointLaw:
        self.calls += 1
        self.asked += [tuple(row) for row in state.tolist()]
        first = state[:, 0].long().abs() % A
        last = available[:, 1].int().argmax(1)
        actions = th.stack([th.stack([(first + k) % A, last], 1) for k in range(3)], 1)
        probs = th.tensor([0.2, 0.5, 0.3]).repeat(len(state), 1)
        single = state[:, 1] == 1  # a state with one joint action
        probs[single] = th.tensor([0.0, 1.0, 0.0])
        return JointLaw(actions, probs, state.new_full((len(state),), 0.1))


def states(*rows: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """States with everything available."""
    return th.tensor(rows, dtype=th.float32), th.ones(len(rows), N, A, dtype=th.int)


def test_every_state_is_asked_about_once() -> None:
    teacher = Teacher()
    labels = LabelSet(teacher, 3)
    first = labels.rows(*states((0, 0), (1, 0), (0, 0), (0, 0)))
    assert first.tolist() == [0, 1, 0, 0]
    assert teacher.asked == [(0, 0), (1, 0)]
    second = labels.rows(*states((1, 0), (2, 0), (0, 0), (2, 0)))
    assert second.tolist() == [1, 2, 0, 2]
    assert teacher.asked == [(0, 0), (1, 0), (2, 0)]
    assert teacher.calls == 2
    assert len(labels) == 3


def test_known_states_do_not_bother_the_teacher() -> None:
    teacher = Teacher()
    labels = LabelSet(teacher, 3)
    labels.rows(*states((0, 0), (1, 0)))
    labels.rows(*states((1, 0), (0, 0)))
    assert teacher.calls == 1


def test_a_state_under_another_mask_is_another_state() -> None:
    teacher = Teacher()
    labels = LabelSet(teacher, 3)
    state, available = states((0, 0), (0, 0))
    available[1, 1, 0] = 0
    assert labels.rows(state, available).tolist() == [0, 1]
    _, masks, actions, _ = labels[th.tensor([0, 1])]
    assert th.equal(masks, available.bool())
    assert actions[0, :, 1].tolist() == [0, 0, 0]
    assert actions[1, :, 1].tolist() == [1, 1, 1]


def test_masks_of_any_type_are_the_same_mask() -> None:
    labels = LabelSet(Teacher(), 3)
    state, available = states((0, 0))
    assert [int(labels.rows(state, available.to(kind))) for kind in (th.int, th.bool, th.uint8, th.long)] == [0] * 4


def test_minus_zero_is_zero() -> None:
    teacher = Teacher()
    labels = LabelSet(teacher, 3)
    assert labels.rows(*states((0.0, 2.0), (-0.0, 2.0))).tolist() == [0, 0]
    assert labels.rows(*states((-0.0, 2.0))).tolist() == [0]
    assert len(teacher.asked) == 1


def test_the_likeliest_are_kept_in_order_and_the_rest_is_counted_as_lost() -> None:
    labels = LabelSet(Teacher(), 2)
    _, _, actions, probs = labels[labels.rows(*states((0, 0)))]
    assert actions.tolist() == [[[1, 0], [2, 0]]]
    assert probs.tolist() == [pytest.approx([0.625, 0.375])]
    assert labels.modes == 3, "before the cut"
    assert labels.lost == pytest.approx(1 - 0.9 * 0.8)
    labels.rows(*states((0, 0), (4, 0)))
    assert labels.lost == pytest.approx(2 * (1 - 0.9 * 0.8)), "summed over states, each counted once"


def test_a_larger_room_than_joint_actions_loses_nothing_more() -> None:
    labels = LabelSet(Teacher(), 5)
    _, _, actions, probs = labels[labels.rows(*states((0, 0)))]
    assert actions.shape == (1, 3, N)
    assert probs.tolist() == [pytest.approx([0.5, 0.3, 0.2])]
    assert labels.lost == pytest.approx(0.1)


def test_answers_are_as_narrow_as_the_widest_of_them() -> None:
    labels = LabelSet(Teacher(), 3)
    rows = labels.rows(*states((0, 1), (0, 0)))
    assert labels.modes == 3
    assert labels[rows[:1]][3].tolist() == [[1.0]]
    assert labels[rows[:1]][2].tolist() == [[[1, 0]]]
    assert labels[rows][3].shape == (2, 3)


def test_growing_keeps_the_old_rows() -> None:
    """One state after the other, through several doublings."""
    labels = LabelSet(Teacher(), 3)
    for i in range(70):
        assert labels.rows(*states((i, 0))).tolist() == [i]
    assert len(labels) == 70
    state, available, actions, probs = labels[th.arange(70)]
    assert state[:, 0].tolist() == list(range(70))
    assert available.all()
    assert actions[:, 0, 0].tolist() == [(i + 1) % A for i in range(70)]
    th.testing.assert_close(probs, th.tensor([0.5, 0.3, 0.2]).expand(70, -1))


def test_it_goes_through_a_state_dictionary() -> None:
    one, teacher = LabelSet(Teacher(), 2), Teacher()
    rows = one.rows(*states((0, 0), (1, 0), (2, 1)))
    saved = one.state_dict()
    two = LabelSet(teacher, 2)
    two.load_state_dict(saved)
    assert th.equal(two.rows(*states((0, 0), (1, 0), (2, 1))), rows)
    assert teacher.calls == 0
    assert all(th.equal(a, b) for a, b in zip(one[rows], two[rows], strict=True))
    assert (two.lost, two.modes, len(two)) == (one.lost, one.modes, len(one))
    more = states((5, 0), (0, 0), (6, 0))
    assert th.equal(one.rows(*more), two.rows(*more))
    assert teacher.asked == [(5, 0), (6, 0)]
    assert all(th.equal(a, b) for a, b in zip(one[th.arange(5)], two[th.arange(5)], strict=True))
    assert len(saved["state"]) == 3, "what was saved does not grow"


def test_an_empty_one_goes_through_a_state_dictionary_too() -> None:
    labels = LabelSet(Teacher(), 2)
    labels.load_state_dict(LabelSet(Teacher(), 2).state_dict())
    assert len(labels) == 0
    assert labels.rows(*states((3, 0))).tolist() == [0]


def test_room_for_joint_actions_grows_with_the_widest_law() -> None:
    def teacher(state: Tensor, available: Tensor) -> JointLaw:
        width = int(state[0, 0])
        actions = th.arange(width)[None, :, None].expand(len(state), -1, N) % A
        return JointLaw(actions, th.full((len(state), width), 1 / width), state.new_zeros(len(state)))

    labels = LabelSet(teacher, 5)
    for width in (1, 4, 2, 9):
        labels.rows(*states((width, 0)))
    assert labels.state_dict()["probs"].shape == (4, 5)
    assert [int((row > 0).sum()) for row in labels.state_dict()["probs"]] == [1, 4, 2, 5]
    _, _, actions, probs = labels[th.tensor([1])]
    assert actions.shape == (1, 4, N)
    assert probs.tolist() == [[0.25] * 4]
    again = LabelSet(teacher, 5)
    again.load_state_dict(labels.state_dict())
    again.rows(*states((1, 1)))
    assert again.state_dict()["probs"].shape == (5, 5)
