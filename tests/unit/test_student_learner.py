"""What the students' learner computes, against the slow way, and what it looks up instead of computing it again."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch as th
from helpers import Built
from torch import Tensor

from epymarl_cpa.agreement.pool import ActionPool, column_policy
from epymarl_cpa.components.episode_buffer import EpisodeBatch
from epymarl_cpa.learners import student_learner
from epymarl_cpa.modules.losses import log_policy

M, C, N, A, D = 40, 5, 3, 7, 6


def pool_and_entries(local: bool) -> tuple[ActionPool, Tensor, Tensor]:
    """A pool, entries ``[M, c, G, d]`` and masks ``[M, N, A]``."""
    th.manual_seed(0)
    pool = ActionPool(7, N, A, C, D, 8, 9, local)
    with th.no_grad():
        for bias in pool.heads.biases:
            bias.normal_()
    available = th.rand(M, N, A) < 0.6
    available.scatter_(2, th.randint(0, A, (M, N, 1)), True)
    return pool, pool(th.randn(M, N if local else 1, 7)), available


@pytest.mark.parametrize("local", [False, True])
def test_columns_are_what_is_decoded_and_have_its_gradients(local: bool) -> None:
    pool, entries, available = pool_and_entries(local)
    entry = entries[:, 2].detach().requires_grad_()
    slope = th.rand(M, N, A) * available
    gradients = []
    for log_probs in (log_policy(pool.decode(entry), available),
                      column_policy(pool.columns(entry), available.permute(1, 2, 0)).permute(2, 0, 1)):
        gradients.append(th.autograd.grad((slope * log_probs.clamp(min=-50)).sum(),
                                          [entry, *pool.heads.parameters()]))
    th.testing.assert_close(log_probs.exp(), log_policy(pool.decode(entry), available).exp())
    for one, two in zip(*gradients, strict=True):
        th.testing.assert_close(one, two, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("cached", [1, 500, 10**9])
def test_the_misfit_is_minus_the_log_likelihood(local: bool, cached: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many states are computed together."""
    monkeypatch.setattr("epymarl_cpa.agreement.pool.CACHED", cached)
    pool, entries, available = pool_and_entries(local)
    state = th.randint(0, M, (60,)).sort().values
    actions = th.stack([th.multinomial(available[m].float(), 1)[:, 0] for m in state])
    got = pool.misfit(entries, available.permute(1, 2, 0), state, actions)
    assert not got.requires_grad
    for r in range(60):
        for j in range(C):
            log_probs = log_policy(pool.decode(entries[state[r], j][None]), available[state[r]])[0].detach()
            literal = -sum(float(log_probs[i, actions[r, i]]) for i in range(N))
            assert float(got[r, j]) == pytest.approx(literal, rel=1e-4)


class Source:
    """Recorded episodes."""

    def __init__(self, built: Built, n_episodes: int) -> None:
        self.n_episodes, self._whole = n_episodes, built.played(n_episodes)

    def episodes(self, rows: Tensor) -> EpisodeBatch:
        batch: EpisodeBatch = self._whole[rows]
        batch.place = rows
        return batch


def taught(*words: str) -> Any:
    return Built("cpa_pa", "bridge", "t_max=0", "hidden_dim=8", "pool_hidden=8", "env_args.episode_limit=8",
                 "beta=0.3", *words)


def test_a_large_pool_is_taught_as_many_joint_actions_as_it_holds() -> None:
    assert Built("cpa_pa", "permutation", "t_max=0", "pool_size=300").learner.width == 300
    assert Built("cpa_pa", "permutation", "t_max=0").learner.width == 256


@pytest.mark.parametrize("words", [(), ("use_rnn=true",), ("selection=encoder",), ("labels=drawn",),
                                   ("labels=drawn", "use_rnn=true")])
def test_recorded_steps_are_looked_up_once_and_nothing_changes(words: tuple[str, ...]) -> None:
    one, two = taught(*words), taught(*words)
    source = Source(one, 12)
    two.learner.use_data(source)
    asked: list[int] = []
    known = two.learner._drawn_in or two.learner.labels
    rows = known.rows
    known.rows = lambda state, available: (asked.append(len(state)), rows(state, available))[1]
    for k, numbers in enumerate(([3, 1, 7], [1, 3, 3], [0, 7, 11], [11, 0, 1])):
        batch = source.episodes(th.tensor(numbers))
        plain = source.episodes(th.tensor(numbers))
        plain.place = None
        th.manual_seed(k)
        one.learner.train(plain, k + 1, 0)
        th.manual_seed(k)
        two.learner.train(batch, k + 1, 0)
    assert all(th.equal(a, b) for a, b in zip(one.mac.agent.parameters(), two.mac.agent.parameters(), strict=True))
    steps = source.episodes(th.arange(12))["filled"][..., 0].sum(1) - 1
    assert asked == [int(steps[[3, 1, 7]].sum()), int(steps[[0, 11]].sum())], "none for episodes that are known"
    assert one.learner.labels.state_dict().keys() == two.learner.labels.state_dict().keys()


def test_numbers_are_looked_up_again_among_labels_that_were_loaded() -> None:
    one, two = taught(), taught()
    source = Source(one, 6)
    for each, first in ((one, [5, 4]), (two, [0, 1])):
        each.learner.use_data(source)
        each.learner.train(source.episodes(th.tensor(first)), 1, 0)
    two.run.load_state_dict(deepcopy(one.run.state_dict()))
    for each in (one, two):
        each.learner.train(source.episodes(th.tensor([0, 1])), 2, 0)
    assert all(th.equal(a, b) for a, b in zip(one.mac.agent.parameters(), two.mac.agent.parameters(), strict=True))


def test_states_with_more_joint_actions_than_the_narrow_beam_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    words = "t_max=0", "hidden_dim=8", "pool_hidden=8", "pool_size=2", "beta=0", "env_args.n_agents=3"
    built, narrow = Built("cpa_pa", "permutation", *words), Built("cpa_pa", "permutation", *words)
    monkeypatch.setattr(student_learner, "WIDTH", 64)
    built.learner.train(built.played(4), 1, 0)
    assert built.learner.labels.modes == 27
    assert built.learner._repertoire() == "up to 27"
    monkeypatch.setattr("epymarl_cpa.agreement.joint_law.NARROWEST", 4)
    narrow.learner.train(narrow.played(4), 1, 0)
    assert narrow.learner.labels.modes == 4
    assert narrow.learner._repertoire() == "as many as 27"
    monkeypatch.setattr(student_learner, "WIDTH", 16)
    assert narrow.learner._repertoire() == "more than 16"


def test_statistics_are_made_when_they_are_told() -> None:
    built = taught("learner_log_interval=3")
    stats = [built.learner.train(built.played(3), t, 0) for t in range(1, 6)]
    assert ["reconstruction" in each for each in stats] == [True, False, False, True, False]
    assert 0 <= stats[0]["reconstruction"] <= 1


def test_a_pool_of_one_entry_is_decoded_once_for_all_labels() -> None:
    """With the losses and gradients of the long way."""
    built = Built("kd", "bridge", "t_max=0", "hidden_dim=8", "pool_hidden=8", "beta=0.05")
    learner, net = built.learner, built.mac.agent
    step = learner.steps(built.played(6))
    assert 0 < learner.losses(step)[1]["reconstruction"] < 1
    assert learner.labels[learner.labels.rows(step.recorded_state, step.available)][3].shape[1] > 1
    learner.log_stats_t = learner.t_env  # no statistics from here on
    found = []
    for way in (learner._only_loss,
                lambda labels, entries: learner._pool_losses(labels, entries[labels.state, 0], None)):
        learner._only_loss = way
        losses, _ = learner.losses(step)
        found.append([*losses.values(), *th.autograd.grad(sum(losses.values()), list(net.parameters()))])
    for one, two in zip(*found, strict=True):
        th.testing.assert_close(one, two, rtol=1e-4, atol=1e-6)
