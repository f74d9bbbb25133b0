"""The temperature that follows the critic's error, and what goes with one setting for every game."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch as th

from epymarl_cpa.data.ends import limit_told
from epymarl_cpa.experiments.measure.plan import Plan
from epymarl_cpa.experiments.measure.trials import trial_of
from epymarl_cpa.learners.cpa_ar_learner import CpaArLearner
from epymarl_cpa.modules.losses import log_policy, soft_value, taken
from epymarl_cpa.modules.temperature import KEPT, STEADY, Temperature, carried


def learner_of(env: str, folder: Path, *words: str) -> tuple[CpaArLearner, th.Tensor]:
    """A teacher of its first updates, and all episodes of its data by number."""
    trial = trial_of(Plan(quick=True, folder=folder), "cpa_ar", env, *words)
    for t in range(1, 4):
        trial.learner.train(trial.runner.run(), t, 0)
    (learner,) = trial.learner.learners
    assert isinstance(learner, CpaArLearner)
    assert learner.source is not None
    return learner, th.arange(learner.source.n_episodes)


def test_a_fixed_temperature_is_what_it_is() -> None:
    fixed = Temperature(0.3, 0.15)
    fixed.heed(th.tensor(9.0), th.tensor(1.0))
    assert fixed(th.tensor(1.0), 10.0) == 0.3
    assert not fixed.state_dict(), "checkpoints made before it could follow are still read"


def test_it_is_the_error_times_the_root_of_the_steps() -> None:
    follows, errors = Temperature(None, 0.2), [4.0, 1.0, 0.25]
    reward = th.tensor(12.5)  # mean square of 3 and -4
    assert float(follows(reward, 9.0)) == pytest.approx(0.2 * 3 * math.sqrt(12.5)), "at first, as large as the rewards"
    for error in errors:
        follows.heed(th.tensor(error), reward)
    weights = [KEPT**k for k in (2, 1, 0)]
    mean = sum(w * e for w, e in zip(weights, errors, strict=True)) / sum(weights)
    assert float(follows(reward, 9.0)) == pytest.approx(0.2 * 3 * math.sqrt(mean), rel=1e-5)


def test_what_is_not_finite_is_not_heeded() -> None:
    """It ends the run, and what is saved then holds the sums."""
    follows = Temperature(None, 0.2)
    follows.heed(th.tensor(4.0), th.tensor(1.0))
    before = follows.state_dict()["sums"].clone()
    follows.heed(th.tensor(float("nan")), th.tensor(1.0))
    assert th.equal(follows.state_dict()["sums"], before)


def test_it_is_never_less_than_a_small_share_of_a_typical_reward() -> None:
    follows = Temperature(None, 0.2)
    for _ in range(3):
        follows.heed(th.tensor(0.0), th.tensor(12.5))
    assert float(follows(th.tensor(0.0), 9.0)) == pytest.approx(STEADY * math.sqrt(12.5))
    nothing = Temperature(None, 0.2)
    nothing.heed(th.tensor(0.0), th.tensor(0.0))
    assert 0 < float(nothing(th.tensor(0.0), 9.0)) < 1e-5, "also where nothing is ever paid"


@pytest.mark.parametrize("scale", [0.01, 100.0])
@pytest.mark.parametrize("error", [0.0, 2.0])
def test_it_has_the_unit_of_the_rewards(scale: float, error: float) -> None:
    plain, scaled = Temperature(None, 0.2), Temperature(None, 0.2)
    rewards = th.tensor(0.5)
    plain.heed(th.tensor(error), rewards)
    scaled.heed(th.tensor(error * scale**2), rewards * scale**2)
    assert float(scaled(rewards * scale**2, 5.0)) == pytest.approx(scale * float(plain(rewards, 5.0)), rel=1e-5)


def test_losses_without_gradient_leave_it_alone(tmp_path: Path) -> None:
    learner, rows = learner_of("xor", tmp_path)
    assert learner.source is not None
    step, sums = learner.steps(learner.source.episodes(rows)), learner.critic.temperature.sums
    assert sums is not None
    before = sums.clone()
    with th.no_grad():
        learner.losses(step)
    assert th.equal(sums, before)
    learner.losses(step)
    assert not th.equal(sums, before)


def test_statistics_tell_the_temperature(tmp_path: Path) -> None:
    learner, rows = learner_of("xor", tmp_path)
    assert learner.source is not None
    alpha = float(learner.critic.alpha(step := learner.steps(learner.source.episodes(rows))))
    stats = learner.losses(step)[1]
    assert float(stats["alpha"]) == pytest.approx(alpha)
    assert float(stats["critic_error"]) > 0


# ------------------------------------------------------------------------------------------- the episode limit
@pytest.mark.parametrize(("limit", "gamma", "ends", "steps"), [
    (10, 0.99, True, 10), (500, 0.99, True, 100), (50, 0.99, False, 100), (50, 1.0, False, 50), (1, 0.9, True, 1)])
def test_values_are_carried_through_an_episode_or_as_far_as_the_discount(limit: int, gamma: float, ends: bool,
                                                                         steps: float) -> None:
    assert carried(limit, gamma, ends) == pytest.approx(steps)


@pytest.mark.parametrize(("ends", "over"), [([[0, 0, 1, 0]], True), ([[0, 1, 0, 0], [0, 0, 1, 0]], False),
                                            ([[0, 0, 0, 0]], True)])
def test_the_limit_is_the_end_if_no_episode_ended_before(ends: list[list[int]], over: bool) -> None:
    terminated = np.array(ends, bool)
    places = np.random.default_rng(0).integers(0, 5, (len(ends), 4, 2)).astype(np.float32)
    assert limit_told(terminated, places, np.ones((len(ends), 4), bool), 3).is_end is over


@pytest.mark.parametrize("clock", ["share", "one-hot", "none"])
def test_the_limit_is_the_end_if_states_tell_the_time(clock: str) -> None:
    """Values at the last time would be guessed from earlier ones, and guesses be believed, without end."""
    rng, n, t = np.random.default_rng(1), 50, 7
    terminated, filled = np.zeros((n, t), bool), np.ones((n, t), bool)
    terminated[0, 2], filled[0, 4:] = True, False
    time = {"share": np.arange(t)[:, None] / (t - 1), "one-hot": np.eye(t), "none": np.zeros((t, 1))}[clock]
    state = np.concatenate([rng.normal(size=(n, t, 3)), np.broadcast_to(time, (n, *time.shape))], 2).astype(np.float32)
    assert limit_told(terminated, state, filled, t - 1).is_end is (clock != "none")


def test_wide_states_of_few_places_tell_nothing() -> None:
    """With as many weights as places any function fits."""
    rng = np.random.default_rng(2)
    terminated, filled = np.zeros((5, 9), bool), np.ones((5, 9), bool)
    terminated[:, 4], filled[:, 6:] = True, False
    assert not limit_told(terminated, rng.normal(size=(5, 9, 100)).astype(np.float32), filled, 8).is_end


def test_where_the_limit_ends_the_game_nothing_follows_it(tmp_path: Path) -> None:
    """Also in data of environments that call it a truncation."""
    learner, rows = learner_of("aloha", tmp_path)
    assert learner.source is not None
    batch = learner.source.episodes(rows[:5])
    batch["terminated"][:] = 0
    step = learner.steps(batch)
    assert th.equal(step.done.bool(), step.time == learner.info.episode_limit - 1)


@pytest.mark.parametrize(("env", "over"), [("xor", True), ("sensor", True), ("aloha", True), ("bridge", False)])
def test_the_data_tell_whether_the_limit_is_the_end(env: str, over: bool, tmp_path: Path) -> None:
    learner, rows = learner_of(env, tmp_path)
    assert learner.limit_ends is learner.critic.limit_ends is over
    assert learner.source is not None
    step = learner.steps(learner.source.episodes(rows[:20]))
    limit = learner.info.episode_limit
    assert (step.time == limit - 1).any().item() is over
    if limit > 1:
        later = dataclasses.replace(step, time=(step.time + 1).clamp(max=limit - 1))
        with th.no_grad():
            one, other = (learner.losses(each)[0]["critic_loss"] for each in (step, later))
        assert th.equal(one, other) is not over, "where the limit is no end the critic is not told the time"


# ------------------------------------------------------------------------------------------------ conservatism
def test_conservatism_is_the_likelihood_of_what_was_recorded(tmp_path: Path) -> None:
    """alpha^2 times the mean log-likelihood under mu exp(b / alpha) / Z, up to the likelihood under mu."""
    learner, rows = learner_of("aloha", tmp_path, "conservatism=0", "alpha=0.3", "support_share=0", "support_floor=0")
    held, _ = learner_of("aloha", tmp_path, "conservatism=0.4", "alpha=0.3", "support_share=0", "support_floor=0",
                         "lr=0")
    assert learner.source is not None
    for name, net in held.nets.items():
        net.load_state_dict(learner.nets[name].state_dict())
    step = learner.steps(learner.source.episodes(rows[:5]))
    with th.no_grad():
        less = learner.losses(step)[0]["critic_loss"] - held.losses(step)[0]["critic_loss"]
        b = learner.critic.rows()(step.state[:, None], step.actions)  # type: ignore[misc]
        log_mu = log_policy(learner.behaviour(step.state[:, None], step.actions), step.available)
        tilted = log_mu + b / 0.3 - soft_value(b, log_mu, 0.3)[..., None] / 0.3
        gain = taken(tilted, step.actions) - taken(log_mu, step.actions)
    assert float(less) == pytest.approx(0.4 * 0.3**2 * float(gain.sum(1).mean()), rel=1e-3, abs=1e-6)
