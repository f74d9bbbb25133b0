"""No action without probability is ever chosen, whatever the numbers."""

from __future__ import annotations

from unittest.mock import patch

import torch as th
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from epymarl_cpa.components.action_selectors import masked_logits, sample_actions, threshold

LOGITS = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=6)
WEIGHTS = st.lists(st.one_of(st.just(0.0), st.floats(2.0**-140, 1.0, width=32)), min_size=1, max_size=8).filter(any)
BETA, MODE = st.floats(0.0, 1.0), st.sampled_from(["ratio", "flat"])


def draws(probs: Tensor, seed: int) -> Tensor:
    return sample_actions(probs.expand(64, -1), th.Generator().manual_seed(seed))


@given(WEIGHTS, st.integers(0, 2**31))
@settings(max_examples=200, deadline=None)
def test_only_possible_actions_are_drawn(weights: list[float], seed: int) -> None:
    """Also for rows that do not sum to one, and for tiny weights."""
    probs = th.tensor(weights)
    assert (probs[draws(probs, seed)] > 0).all()


@given(WEIGHTS, st.sampled_from([0.0, 2.0**-24, 0.5, 1 - 2.0**-24, 1.0]))
@settings(max_examples=200, deadline=None)
def test_draws_at_the_ends_of_the_unit_interval(weights: list[float], u: float) -> None:
    """Where rounding bites: u = 0 before a leading zero, and u on the last edge."""
    probs = th.tensor([weights])
    with patch.object(th, "rand", lambda shape, **kwargs: th.full(shape, u)):
        chosen = sample_actions(probs, th.Generator())
    assert probs[0, chosen] > 0


@given(LOGITS, st.data(), BETA, MODE, st.integers(0, 2**31))
@settings(max_examples=200, deadline=None)
def test_masks_hold_through_eq_8_and_drawing(logits: list[float], data: st.DataObject, beta: float, mode: str,
                                             seed: int) -> None:
    available = th.tensor(data.draw(st.lists(st.booleans(), min_size=len(logits), max_size=len(logits)).filter(any)))
    probs = threshold(masked_logits(th.tensor(logits), available).softmax(-1), beta, mode)
    assert probs[~available].eq(0).all()
    assert abs(probs.sum().item() - 1) < 1e-5
    assert available[draws(probs, seed)].all()


@given(LOGITS, BETA, MODE)
@settings(max_examples=200, deadline=None)
def test_eq_8_keeps_the_order_and_whoever_passes(logits: list[float], beta: float, mode: str) -> None:
    probs = th.tensor(logits).softmax(-1)
    got = threshold(probs, beta, mode)
    passing = probs > beta
    if passing.any():
        assert th.equal(got > 0, passing)
    else:
        assert got.tolist() == th.nn.functional.one_hot(probs.argmax(), len(logits)).tolist()
    order = probs.argsort()
    assert (got[order].diff() >= -1e-6).all() or not passing.any()
