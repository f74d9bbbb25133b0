"""The loop that the product is measured by computes the product's losses, and learns as it does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch as th

from epymarl_cpa.errors import UserError
from epymarl_cpa.experiments.measure import beside_hand
from epymarl_cpa.experiments.measure.by_hand import ByHand
from epymarl_cpa.experiments.measure.hand_data import Resident
from epymarl_cpa.experiments.measure.plan import Plan
from epymarl_cpa.experiments.measure.trials import Stepper, trial_of
from epymarl_cpa.learners.cpa_ar_learner import CpaArLearner
from epymarl_cpa.run import Trial


def ready(env: str, folder: Path, *words: str) -> tuple[Trial, CpaArLearner]:
    """A run whose networks and targets differ, after three updates."""
    trial = trial_of(Plan(quick=True, folder=folder), "cpa_ar", env, *words)
    learner = trial.learner.learners[0]
    assert isinstance(learner, CpaArLearner)
    step = Stepper(trial)
    for _ in range(3):
        step()
    return trial, learner


@pytest.mark.parametrize(("env", "words"), [
    ("xor", ()), ("permutation", ("n_layers=3",)), ("bridge", ()), ("aloha", ("n_layers=1",)),
    ("sensor", ("hidden_dim=16", "critic_time=false"))])
def test_the_losses_are_the_products(env: str, words: tuple[str, ...], tmp_path: Path) -> None:
    trial, learner = ready(env, tmp_path, *words)
    data, hand = Resident(trial), ByHand(learner)
    steps = learner.steps(trial.runner.episodes(th.arange(60)))  # type: ignore[attr-defined]
    losses = learner.losses(steps)[0]
    expected = th.stack([losses[f"{name}_loss"] for name in ("behaviour", "critic", "policy")])
    found = th.stack(hand.losses(hand.weights, hand.targets, data.steps)[:3])
    th.testing.assert_close(found, expected, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize(("env", "clip"), [("xor", 10.0), ("bridge", 0.01)])
def test_an_update_leads_where_the_products_does(env: str, clip: float, tmp_path: Path) -> None:
    """Also where gradients are clipped, network by network; Adam begins anew in both."""
    trial = trial_of(Plan(quick=True, folder=tmp_path), "cpa_ar", env, "batch_size=60", f"grad_norm_clip={clip}")
    learner = trial.learner.learners[0]
    assert isinstance(learner, CpaArLearner)
    data, hand, step = Resident(trial), ByHand(learner), Stepper(trial)
    for _ in range(3):
        step()
        hand.update(data.draw(), learner.rate(step.t_env))
    again = ByHand(learner)
    for mine, theirs in zip([*hand.weights, *hand.targets], [*again.weights, *again.targets], strict=True):
        th.testing.assert_close(mine, theirs, rtol=1e-3, atol=3e-5)


def test_every_episode_is_drawn_once_before_any_comes_again(tmp_path: Path) -> None:
    trial, _ = ready("bridge", tmp_path)
    data = Resident(trial)
    data.batch_size = 15
    drawn = th.cat([data.rows() for _ in range(4)])
    assert sorted(drawn.tolist()) == list(range(len(data.steps.reward)))


def test_it_knows_the_teacher_only(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cpa_ar"):
        beside_hand.loop(trial_of(Plan(quick=True, folder=tmp_path), "bc", "xor"))
