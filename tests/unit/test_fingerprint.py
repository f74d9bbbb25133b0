"""Short numbers tell states apart as the states themselves do."""

from __future__ import annotations

import itertools

import pytest
import torch as th
from hypothesis import given, settings
from hypothesis import strategies as st

from epymarl_cpa.agreement.fingerprint import LANES, Fingerprint

NONE = th.zeros(1, 2, 3, dtype=th.bool)


def test_all_small_whole_states_differ() -> None:
    """Such floats have mostly zeros at their end."""
    states = th.tensor(list(itertools.product(range(-4, 5), repeat=4)), dtype=th.float32)
    keys = Fingerprint()(states, NONE.expand(len(states), -1, -1))
    assert len(set(keys)) == 9**4
    assert {len(key) for key in keys} <= set(range(8 * LANES + 1))


def test_one_number_and_one_bit_make_a_difference() -> None:
    th.manual_seed(0)
    state = th.randn(1, 40).repeat(120, 1)
    masks = th.ones(120, 5, 4, dtype=th.bool)
    for i in range(40):
        state[i, i] = th.nextafter(state[i, i], th.tensor(9.0))
        state[40 + i, i] *= 2
    for i in range(20):
        masks[80 + i, i // 4, i % 4] = False
    keys = Fingerprint()(state, masks)
    assert len(set(keys)) == 101, "the last twenty are alike"
    assert len(set(keys[100:])) == 1


def test_it_depends_on_the_state_alone() -> None:
    """Not on its company, the type of the mask, the sign of zero, or what was asked before."""
    th.manual_seed(0)
    state, masks = th.randn(50, 7), th.rand(50, 2, 3) < 0.5
    state[3, 2] = 0.0
    fingerprint = Fingerprint()
    keys = fingerprint(state, masks)
    fingerprint(th.randn(3, 5), masks[:3])
    assert [fingerprint(state[i:i + 1], masks[i:i + 1])[0] for i in range(50)] == keys
    assert Fingerprint()(state.flip(0), masks.flip(0).int()) == keys[::-1]
    state[3, 2] = -0.0
    assert fingerprint(state, masks) == keys


@pytest.mark.parametrize("huge", [3e38, float("inf"), 1e-42])
def test_extreme_numbers_are_states_too(huge: float) -> None:
    state = th.full((4, 300), huge)
    state[1, 299], state[2, 0] = -huge, 0.0
    keys = Fingerprint()(state, NONE.expand(4, -1, -1))
    assert len(set(keys)) == 3
    assert keys[0] == keys[3]


@given(st.lists(st.tuples(st.floats(width=32, allow_nan=False), st.floats(width=32, allow_nan=False), st.booleans()),
                min_size=1, max_size=30))
@settings(max_examples=100, deadline=None)
def test_they_are_equal_where_the_states_are(rows: list[tuple[float, float, bool]]) -> None:
    state = th.tensor([row[:2] for row in rows], dtype=th.float32)
    mask = th.tensor([row[2] for row in rows]).view(-1, 1, 1)
    keys = Fingerprint()(state, mask)
    for (one, a), (two, b) in itertools.combinations(zip(rows, keys, strict=True), 2):
        assert (one == two) == (a == b)
