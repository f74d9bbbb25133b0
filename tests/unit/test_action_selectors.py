"""Masks, Eq. 8, and drawing."""

from __future__ import annotations

import math

import pytest
import torch as th
from torch import Tensor

from epymarl_cpa.components.action_selectors import masked_logits, sample_actions, threshold


def printed_eq_8(probs: Tensor, beta: float) -> Tensor:
    """Eq. 8 letter by letter for one row: exp(pi I[pi > beta]) over the sum of the same."""
    weights = [math.exp(float(p) * (1 if float(p) > beta else 0)) for p in probs]
    assert sum(weights) > 0, "the printed case 'if the denominator is 0' can never happen"
    return th.tensor([weight / sum(weights) for weight in weights])


def literal_eq_8(probs: Tensor, beta: float, mode: str) -> Tensor:
    """Eq. 8 as meant, for one row: excluded actions weigh nothing, and the most likely one is the last resort."""
    weights = [(float(p) if mode == "ratio" else math.exp(float(p))) if float(p) > beta else 0.0 for p in probs]
    if sum(weights) == 0:
        weights = [1.0 if i == int(probs.argmax()) else 0.0 for i in range(len(probs))]
    return th.tensor([weight / sum(weights) for weight in weights])


def rows(count: int = 50, actions: int = 5, seed: int = 0) -> Tensor:
    logits = 2 * th.randn(count, actions, generator=th.Generator().manual_seed(seed))
    return logits.softmax(-1)


def test_unavailable_actions_have_probability_zero_exactly() -> None:
    generator = th.Generator().manual_seed(0)
    logits = 100 * th.randn(200, 3, 5, generator=generator)
    available = th.rand(200, 3, 5, generator=generator) < 0.4
    available[..., 2] |= ~available.any(-1)
    probs = masked_logits(logits, available).softmax(-1)
    assert probs[~available].eq(0).all()
    assert th.allclose(probs.sum(-1), th.ones(200, 3))
    alone = available.sum(-1) == 1
    assert alone.any()
    assert probs[alone].amax(-1).eq(1).all(), "one action left: it is certain"


def test_integer_masks_work_too() -> None:
    probs = masked_logits(th.zeros(2, 3), th.tensor([[1, 0, 1], [0, 0, 1]], dtype=th.int)).softmax(-1)
    assert probs.tolist() == [[0.5, 0, 0.5], [0, 0, 1]]


def test_padding_is_uniform_and_not_nan() -> None:
    probs = masked_logits(th.randn(2, 4), th.zeros(2, 4)).softmax(-1)
    assert probs.tolist() == [[0.25] * 4] * 2


@pytest.mark.parametrize("mode", ["ratio", "flat"])
@pytest.mark.parametrize("beta", [0.0, 0.1, 0.3, 0.6, 1.0])
def test_threshold_is_eq_8_as_meant(mode: str, beta: float) -> None:
    probs = rows()
    expected = th.stack([literal_eq_8(row, beta, mode) for row in probs])
    assert th.allclose(threshold(probs, beta, mode), expected, atol=1e-6)


@pytest.mark.parametrize("beta", [0.2, 0.9])
def test_eq_8_as_printed_excludes_nothing(beta: float) -> None:
    """Excluded actions weigh exp(0) = 1, here far more than half of all, and beta = 1 is not greedy."""
    probs = th.tensor([0.85, 0.05, 0.05, 0.05])
    printed = printed_eq_8(probs, beta)
    assert (printed > 0).all()
    assert printed[1:].sum() > 0.5
    assert threshold(probs, beta).tolist() == [1, 0, 0, 0]
    assert th.allclose(printed_eq_8(probs, 1.0), th.full((4,), 0.25)), "beta = 1 makes it uniform"


@pytest.mark.parametrize("mode", ["ratio", "flat"])
def test_beta_one_is_greedy(mode: str) -> None:
    probs = th.cat([rows(), th.eye(5), th.full((1, 5), 0.2)])
    got = threshold(probs, 1.0, mode)
    assert th.equal(got, th.nn.functional.one_hot(probs.argmax(-1), 5).float())


def test_beta_zero_changes_nothing_under_ratio() -> None:
    probs = masked_logits(th.randn(50, 5, generator=th.Generator().manual_seed(1)), rows() > 0.1).softmax(-1)
    assert th.allclose(threshold(probs, 0.0), probs, atol=1e-7)
    assert th.equal(threshold(probs, 0.0) > 0, probs > 0)


def test_an_action_at_the_threshold_does_not_pass() -> None:
    """Strictly greater: uniform rows at their own probability fall back to one action."""
    assert threshold(th.full((1, 4), 0.25), 0.25).tolist() == [[1, 0, 0, 0]]


def test_flat_never_revives_an_unavailable_action() -> None:
    probs = masked_logits(th.zeros(1, 3), th.tensor([[1, 0, 1]])).softmax(-1)
    assert threshold(probs, 0.0, "flat").tolist() == [[0.5, 0, 0.5]]


def test_draws_have_the_right_frequencies() -> None:
    probs = th.tensor([0.1, 0.0, 0.25, 0.05, 0.6])
    count = 20_000
    got = sample_actions(probs.expand(count, -1), th.Generator().manual_seed(0)).bincount(minlength=5).double()
    kept = probs > 0
    assert got[~kept].sum() == 0
    expected = (probs * count).double()[kept]
    assert ((got[kept] - expected) ** 2 / expected).sum() < 16.3, "chi-square, 3 degrees of freedom, p = 0.001"


def test_draws_depend_on_the_generator_only() -> None:
    probs, state = rows(100), th.get_rng_state()
    one, two, other = (sample_actions(probs, th.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert th.equal(one, two)
    assert not th.equal(one, other)
    assert th.equal(th.get_rng_state(), state), "the global generator is not touched"


def test_draws_keep_leading_axes() -> None:
    assert sample_actions(rows(6).view(2, 3, 5), th.Generator()).shape == (2, 3)


@pytest.mark.parametrize("position", range(4))
def test_a_certain_action_is_always_drawn(position: int) -> None:
    probs = th.zeros(1000, 4)
    probs[:, position] = 1.0
    assert sample_actions(probs, th.Generator().manual_seed(position)).eq(position).all()
