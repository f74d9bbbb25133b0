"""The team's shared luck is a fixed function of seed, episode and step, and as lucky as it should be."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch as th
from helpers import Built
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from epymarl_cpa.agreement.episode_keys import EpisodeKeys
from epymarl_cpa.deploy.policy import AgreementKey, PolicyError, gaussian, pick

GOLDEN = [0.011546754286331562, 0.24154919656271823, 0.11142585551493822]
GOLDEN_LATER = [0.35085523274806774]
COMMITMENT = "72ca86d933fb0398a1dc9cb5083a9a6fe3c45d3f0ead9992c92cd62baf6654ad"
EPISODES, STEPS = st.integers(0, 2**62), st.integers(0, 2**62)


class Ones:
    """A generator at the end of its range."""

    state: object = None

    def random_raw(self, size: int) -> NDArray[np.uint64]:
        return np.full(size, 2**64 - 1, dtype=np.uint64)


def test_the_key_of_the_first_step_never_changes() -> None:
    """Agents that were exported by another version must go on agreeing."""
    assert AgreementKey(0).draw([0], 0, 3)[0].tolist() == GOLDEN
    assert AgreementKey(7).draw([5], 3, 1)[0].tolist() == GOLDEN_LATER
    assert AgreementKey(0).commitment() == COMMITMENT


def test_training_has_keys_of_its_own_that_never_change() -> None:
    """A run that is continued by another version goes on with the same ones."""
    keys, batch = EpisodeKeys(7), Built("cpa_pa", "xor").batch(2)
    for test_mode, seed in ((False, 7 + 2**40), (True, 7)):
        keys.begin(2)
        keys.settle(test_mode)
        for rows, episodes in ((slice(None), [0, 1]), (th.tensor([1]), [1]), ([1, 0], [1, 0])):
            wanted = AgreementKey(seed).draw(episodes, 4, 3)
            np.testing.assert_array_equal(keys.draw(batch, rows, 4, 3, test_mode).numpy(), wanted)


@given(st.integers(0, 2**64), st.lists(st.tuples(EPISODES, STEPS), min_size=1, max_size=8), st.randoms())
@settings(max_examples=60, deadline=None)
def test_company_order_and_repetition_do_not_matter(seed: int, places: list[tuple[int, int]], luck: Any) -> None:
    alone = {place: AgreementKey(seed).draw([place[0]], place[1], 4)[0] for place in places}
    key = AgreementKey(seed)
    shuffled = [*places, *places]
    luck.shuffle(shuffled)
    for episode, step in shuffled:
        assert (key.draw([episode], step, 4)[0] == alone[episode, step]).all()
    step = places[0][1]
    together = key.draw([episode for episode, _ in places], step, 4)
    for row, (episode, _) in zip(together, places, strict=True):
        assert (row == AgreementKey(seed).draw([episode], step, 4)[0]).all()


def test_a_shorter_key_is_the_beginning_of_a_longer_one() -> None:
    key = AgreementKey(3)
    assert (key.draw([1, 2], 5, 3) == key.draw([1, 2], 5, 9)[:, :3]).all()


def test_steps_episodes_and_seeds_have_keys_of_their_own() -> None:
    numbers = [AgreementKey(seed).draw([episode], step, 2)[0]
               for seed, episode, step in itertools.product([0, 1, 2**40], range(12), range(12))]
    assert len(np.unique(numbers)) == 2 * len(numbers), "no number comes twice"


def test_one_key_holds_for_an_episode_where_it_should() -> None:
    key = AgreementKey(0, per="episode")
    first = key.draw([0, 1, 2], 0, 4)
    assert all((key.draw([0, 1, 2], step, 4) == first).all() for step in (1, 2, 50))
    assert len(np.unique(first)) == 12, "but episodes differ"
    assert (AgreementKey(1, per="episode").draw([0, 1, 2], 0, 4) != first).all()


@pytest.mark.parametrize("vary", ["episode", "step", "number"])
def test_keys_are_uniform_and_independent(vary: str) -> None:
    """Chi-square tests by hand, with bounds that luck passes in less than one of ten thousand cases."""
    key, n = AgreementKey(11), 20_000
    if vary == "episode":
        u = key.draw(range(n), 3, 1)[:, 0]
    elif vary == "step":
        u = np.array([key.draw([3], step, 1)[0, 0] for step in range(n)])
    else:
        u = key.draw([3], 3, n)[0]
    assert 0 < u.min() < 0.001
    assert 0.999 < u.max() < 1
    counts = np.histogram(u, 20, (0, 1))[0]
    assert ((counts - n / 20) ** 2 / (n / 20)).sum() < 50, "19 degrees of freedom"
    pairs = np.histogram2d(u[:-1], u[1:], 6, ((0, 1), (0, 1)))[0]
    assert ((pairs - (n - 1) / 36) ** 2 / ((n - 1) / 36)).sum() < 77, "35 degrees of freedom, neighbours"


def test_keys_stay_below_one() -> None:
    """Even once in 2**52 draws, as the docstring says."""
    key = AgreementKey(0)
    key._philox = Ones()  # type: ignore[assignment]
    assert key.draw([0], 0, 1)[0, 0] < 1


def test_commitments_are_equal_for_equal_seeds_only() -> None:
    seeds = [0, 1, 2, 7, 2**32, 2**64]
    assert [AgreementKey(seed).commitment() for seed in seeds] == [AgreementKey(seed).commitment() for seed in seeds]
    assert len({AgreementKey(seed).commitment() for seed in seeds}) == len(seeds)


def test_a_commitment_does_not_move_the_keys() -> None:
    key = AgreementKey(4)
    before = key.draw([0], 0, 2)
    key.commitment()
    assert (key.draw([0], 0, 2) == before).all()


@pytest.mark.parametrize(("seed", "per", "word"), [(-1, "step", "a whole number from 0"), (0, "day", "not per 'day'"),
                                                   (0, "", "not per ''")])
def test_bad_arguments_are_refused_with_a_sentence(seed: int, per: str, word: str) -> None:
    with pytest.raises(PolicyError, match=word):
        AgreementKey(seed, per)


@pytest.mark.parametrize("seed", [2**128, 2**128 + 1, 2**200, -5, "7", 1.5, None])
def test_seeds_that_are_no_seeds_are_refused_with_a_sentence(seed: Any) -> None:
    with pytest.raises(PolicyError, match="seed"):
        AgreementKey(seed)


@pytest.mark.parametrize("place", [-1, -7, 2**64, 2**64 + 1, 2**70, 1.0, "1", None])
def test_places_that_are_no_places_are_refused_with_a_sentence(place: Any) -> None:
    for episodes, step in (([place], 0), ([0, place], 0), ([0], place)):
        with pytest.raises(PolicyError, match="counted from 0"):
            AgreementKey(0).draw(episodes, step, 1)


def test_the_first_and_the_last_seed_and_place_have_keys() -> None:
    for seed in (0, 1, 2**128 - 1, np.int64(3)):
        for place in (0, 2**64 - 1, np.uint64(2**63)):
            assert 0 < AgreementKey(seed).draw([place], place, 1)[0, 0] < 1


def test_gaussian_keys_are_standard_normal() -> None:
    n, dims = 20_000, 4
    x = gaussian(AgreementKey(0).draw(range(n), 0, 2 * dims))
    assert x.shape == (n, dims)
    assert np.isfinite(x).all()
    for power, moment, spread in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert (x ** power).mean(0) == pytest.approx(np.full(dims, moment), abs=5 * math.sqrt(spread / n))
    assert np.corrcoef(x.T) == pytest.approx(np.eye(dims), abs=5 / math.sqrt(n))


def test_gaussian_is_box_and_mullers_formula() -> None:
    uniform = np.array([[0.1, 0.9, 0.3, 0.6]])
    literal = [math.sqrt(-2 * math.log(u)) * math.cos(2 * math.pi * v) for u, v in ((0.1, 0.3), (0.9, 0.6))]
    assert gaussian(uniform)[0].tolist() == pytest.approx(literal)


WEIGHTS = st.lists(st.one_of(st.just(0.0), st.floats(2.0**-60, 1.0)), min_size=1, max_size=8).filter(any)
KEYS = st.one_of(st.floats(0, 1, exclude_min=True, exclude_max=True), st.sampled_from([2.0**-54, 0.5, 1 - 2.0**-53]))


@given(WEIGHTS, KEYS)
@settings(max_examples=300, deadline=None)
def test_picking_inverts_the_distribution_function(weights: list[float], u: float) -> None:
    total, edge, literal = float(np.cumsum(weights)[-1]), 0.0, -1
    for j, weight in enumerate(weights):
        edge += weight
        if weight > 0:
            literal = j
            if u * total < edge:
                break
    assert pick(np.array([weights]), np.array([u]))[0] == literal


@given(WEIGHTS, st.lists(KEYS, min_size=1, max_size=20))
@settings(max_examples=200, deadline=None)
def test_entries_without_a_share_are_never_picked(weights: list[float], keys: list[float]) -> None:
    """Not by a key that was rounded up to 1 either."""
    shares, keys = np.array(weights), [*keys, 1.0]
    assert (shares[pick(np.tile(shares, (len(keys), 1)), np.array(keys))] > 0).all()
