"""``batch_size_run`` episodes at once are what they would be one at a time, counted and continued alike."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th
from helpers import settings

from epymarl_cpa.build import build_env, build_mac
from epymarl_cpa.components.transitions import transitions
from epymarl_cpa.config import resolve
from epymarl_cpa.controllers.base import Controller
from epymarl_cpa.run import prepare, run
from epymarl_cpa.runners.episode_runner import EpisodeRunner
from epymarl_cpa.settings import Settings


def runner_of(env: str, together: int, *words: str, alg: str = "iql") -> EpisodeRunner:
    """A runner whose agents act at random (epsilon is 1)."""
    written = ("seed=3", "epsilon_finish=1", f"batch_size_run={together}", *words)
    args = settings(Settings, alg, env, *written)
    runner = EpisodeRunner(args, build_env(args), logging.getLogger("test"))
    th.manual_seed(0)
    runner.use(build_mac({**resolve(alg, env, [*written])}, runner.info))
    return runner


@pytest.mark.parametrize("env", ["xor", "permutation", "bridge", "sensor", "aloha"])
def test_recorded_episodes_follow_the_rules(env: str) -> None:
    runner = runner_of(env, 7)
    game, batch = runner.game, runner.run()
    assert batch.batch_size == 7
    filled = batch["filled"][..., 0]
    lengths = filled.sum(1) - 1
    assert (lengths > 0).all()
    assert th.equal(filled, (th.arange(filled.shape[1]) <= lengths[:, None]).long()), "filled up to the end"
    assert runner.t_env == int(lengths.sum())
    assert runner.episodes == 7
    assert th.equal(batch["terminated"][..., 0].sum(1), th.ones(7, dtype=th.long)), "our games end at their horizon"
    assert batch["terminated"][th.arange(7), lengths - 1, 0].all()
    step = transitions(batch, batch["state"])
    assert len(step.reward) == runner.t_env
    assert step.available.gather(2, step.actions[..., None]).all(), "what is played is available"
    onehot = batch["actions_onehot"][step.episode, step.time]
    assert th.equal(onehot.argmax(-1), step.actions)
    # Each step's reward and next state are possible: those of games without chance are theirs.
    if env in ("xor", "permutation"):
        state = game.initial(7, np.random.default_rng(0))
        assert step.reward.tolist() == game.transition(state, step.actions.numpy(), np.random.default_rng(0)
                                                       ).reward.tolist()


@pytest.mark.parametrize("env", ["bridge", "aloha"])
def test_the_law_of_episodes_does_not_depend_on_how_many_are_played_together(env: str) -> None:
    means, errors = [], []
    for together, batches in ((1, 150), (300, 2)):
        runner = runner_of(env, together, "env_args.episode_limit=6")
        returns, lengths, firsts = [], [], []
        for _ in range(batches):
            batch = runner.run()
            returns += batch["reward"].sum((1, 2)).tolist()
            lengths += (batch["filled"].sum((1, 2)) - 1).tolist()
            firsts += batch["actions"][:, 0].float().mean((1, 2)).tolist()
        values = np.array([returns, lengths, firsts], dtype=float)
        means.append(values.mean(1))
        errors.append(values.std(1) / values.shape[1] ** 0.5)
    assert np.all(np.abs(means[0] - means[1]) <= 4 * np.hypot(*errors) + 1e-9), (means, errors)
    assert means[0][2] != means[1][2]


def test_the_statistics_are_those_of_all_episodes() -> None:
    runner = runner_of("bridge", 5, "common_reward=false", "runner_log_interval=1")
    batches = [runner.run(), runner.run()]
    returns = th.cat([batch["reward"].sum((1, 2)) for batch in batches])
    own = th.cat([batch["reward"].sum(1) for batch in batches])
    stats = runner.take_statistics()
    assert stats["return_mean"] == pytest.approx(float(returns.mean()), rel=1e-5)
    assert stats["agent_1_return_mean"] == pytest.approx(float(own[:, 1].mean()), rel=1e-5)
    assert stats["ep_length_mean"] == runner.t_env / 10
    assert not runner.take_statistics()


class Counting(Controller):
    """Plays the first action; remembers the clock that it was told."""

    def build(self) -> None:
        self.agent = th.nn.Module()
        self.told: list[int] = []

    def select_actions(self, ep_batch: Any, t_ep: int, t_env: int, bs: Any = slice(None), test_mode: bool = False,
                       ) -> th.Tensor:
        self.told.append(t_env)
        return ep_batch["avail_actions"][bs, t_ep].argmax(-1)

    def forward(self, ep_batch: Any, t: int, test_mode: bool = False) -> th.Tensor:
        return ep_batch["avail_actions"][:, t]


def test_exploration_is_told_the_clock_at_the_beginning_as_in_epymarls_parallel_runner() -> None:
    runner = runner_of("aloha", 4, "env_args.episode_limit=3")
    counting = Counting(runner.info, runner.args)
    runner.use(counting)
    runner.run()
    runner.run()
    assert counting.told == [0, 0, 0, 12, 12, 12]


def test_a_runner_goes_on_with_the_same_bits() -> None:
    one, two = runner_of("sensor", 3), runner_of("sensor", 3)
    one.run()
    two.load_state_dict(one.state_dict())
    two.mac.load_state_dict(one.mac.state_dict())
    on, again = one.run().data.transition_data, two.run().data.transition_data
    assert all(th.equal(value, again[key]) for key, value in on.items())
    assert (one.t_env, one.episodes) == (two.t_env, two.episodes)


def test_one_episode_at_a_time_has_the_bits_that_it_had() -> None:
    """Of the seed's third episode of Bridge, by random play."""
    runner = runner_of("bridge", 1)
    for _ in range(2):
        runner.run()
    assert runner.episodes == 2
    batch = runner.run()
    assert batch["actions"][0, :5, :, 0].tolist() == [[4, 0], [4, 3], [4, 2], [1, 2], [1, 1]]


@pytest.mark.parametrize("alg", ["qmix", "vdn", "iql"])
def test_the_methods_learn_from_it(alg: str, tmp_path: Path) -> None:
    words = ["batch_size_run=16", "t_max=600", "buffer_size=256", "batch_size=32", "lr=0.01", "epsilon_anneal_time=300",
             "seed=0", "test_interval=10000", f"local_results_path={tmp_path}", "save_model=false", "hidden_dim=16"]
    out = run(resolve(alg, "xor", words), None, logging.getLogger("test"))
    assert out["return"] == 1.0


def test_the_run_counts_episodes_and_updates(tmp_path: Path) -> None:
    words = ["batch_size_run=8", "t_max=40", "buffer_size=16", "batch_size=4", "seed=0", "hidden_dim=8",
             f"local_results_path={tmp_path}", "save_model=false"]
    trial = prepare(resolve("qmix", "xor", words), None, logging.getLogger("test"))
    trial.run()
    assert (trial.episode, trial.runner.t_env, trial.runner.episodes) == (40, 40, 40)
    assert trial.learner.learners[0].update.count == 5, "one after each batch, as in EPyMARL"
    assert trial.buffer is not None and trial.buffer.episodes_in_buffer == 16
