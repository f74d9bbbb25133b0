"""Steps that are the same are computed once, and nothing changes but the last bits."""

from __future__ import annotations

import copy
import dataclasses
import logging
from pathlib import Path

import pytest
import torch as th
from torch import Tensor

from epymarl_cpa.components.drawn import DrawnBatch, RecordedSteps
from epymarl_cpa.components.merged import MergedSteps, merged
from epymarl_cpa.components.transitions import Transitions
from epymarl_cpa.config import resolve
from epymarl_cpa.learners.base import Learner
from epymarl_cpa.learners.cpa_ar_learner import CpaArLearner
from epymarl_cpa.modules.critics import ChainCritic
from epymarl_cpa.run import Trial, prepare

CONSOLE = logging.getLogger("test")
CRITICS = [("chain", "expected"), ("chain", "weighted"), ("prefix", "expected"), ("joint", "weighted")]


def trial(folder: Path, env: str, *words: str, dataset: str = "good") -> Trial:
    few = ["seed=3", "hidden_dim=8", "recipes.good.episodes=90", f"dataset={dataset}", "t_max=40", "policy_start=0.1",
           "test_nepisode=4", f"datasets_path={folder}"]
    return prepare(resolve("cpa_ar", env, [*few, *words]), None, CONSOLE)


def learned(run: Trial, updates: int = 12) -> CpaArLearner:
    for t in range(1, updates + 1):
        run.learner.train(run.runner.run(), t, 0)
    (learner,) = run.learner.learners
    assert isinstance(learner, CpaArLearner)
    return learner


def losses_of(learner: Learner, step: Transitions) -> dict[str, Tensor]:
    """Losses, statistics of means and the gradient of all, without a trace in the learner."""
    alone = copy.deepcopy(learner)
    losses, stats = alone.losses(step)
    params = [param for net in alone.nets.values() for param in net.parameters() if param.requires_grad]
    grads = th.autograd.grad(th.stack([*losses.values()]).sum(), params, allow_unused=True)
    found = {**losses, **{f"gradient {k}": grad for k, grad in enumerate(grads) if grad is not None}}
    found |= {name: value for name, value in stats.items() if name in ("weight_mean", "alpha", "critic_error")}
    return found


@pytest.mark.parametrize("env, words", [("xor", ()), ("permutation", ()), ("bridge", ()),
                                        ("bridge", ("limit_ends=true",))])
@pytest.mark.parametrize("weight, policy_loss", CRITICS)
def test_losses_are_those_of_every_step_by_itself(weight: str, policy_loss: str, env: str, words: tuple[str, ...],
                                                  tmp_path: Path) -> None:
    run = trial(tmp_path, env, f"weight={weight}", f"policy_loss={policy_loss}", *words)
    learner = learned(run)
    batch = run.runner.run()
    assert isinstance(batch, DrawnBatch) and isinstance(learner.step_source.recorded, MergedSteps)
    by_kind = learner.step_source.recorded.draw(batch.place)
    each = learner.steps(batch)
    assert by_kind.count is not None
    assert int(by_kind.count.sum()) == len(each.reward) > len(by_kind.reward)
    merged_losses, losses = losses_of(learner, by_kind), losses_of(learner, each)
    assert merged_losses.keys() == losses.keys()
    for name, value in losses.items():
        assert th.allclose(merged_losses[name], value, rtol=1e-3, atol=1e-5), name


@pytest.mark.parametrize("weight, policy_loss", CRITICS)
def test_nothing_that_counts_as_unread_is_read(weight: str, policy_loss: str, tmp_path: Path) -> None:
    run = trial(tmp_path, "bridge", f"weight={weight}", f"policy_loss={policy_loss}", "limit_ends=false")
    learner = learned(run)
    step = learner.steps(run.runner.run())
    assert learner.unread is not None and "time" in learner.unread
    unread = {*learner.unread, "episode"}
    other = dataclasses.replace(step, **{name: th.zeros_like(getattr(step, name)) for name in unread})
    for (name, value), found in zip(losses_of(learner, step).items(), losses_of(learner, other).values(), strict=True):
        assert th.equal(value, found), name


def test_only_what_can_be_counted_is_merged(tmp_path: Path) -> None:
    assert isinstance(learned(trial(tmp_path, "sensor", dataset="medium"), 2).step_source.recorded, RecordedSteps)
    by_agent = learned(trial(tmp_path, "xor", "weight=per_agent", "policy_loss=weighted"), 2)
    assert by_agent.unread is None and isinstance(by_agent.step_source.recorded, RecordedSteps)


def parts(number: Tensor) -> Transitions:
    """Episodes of one step, whose states, actions and rewards are the numbers ``[E]``."""
    size, zeros = len(number), th.zeros(len(number))
    masks = th.ones(size, 1, 1, dtype=th.bool)
    state = number[:, None].float()
    return Transitions(state[:, None], state[:, None], state, state, state, number[:, None], number[:, None], masks,
                       masks, number.float(), zeros, zeros.long(), th.arange(size), zeros)


def test_data_sets_of_unequal_variety_are_drawn_side_by_side() -> None:
    first, second = th.arange(40) % 3, th.arange(40) % 11 + 100
    step = parts(th.cat([first, second]))
    whole = RecordedSteps(iter([step]), 80, alike=True)
    by_kind = merged(whole, ("episode", "next_actions"), 30, 2)
    assert by_kind is not None
    rows = th.tensor([0, 3, 6, 1, 40, 41, 42, 43])
    drawn = by_kind.draw(rows)
    assert drawn.count is not None and len(drawn.count) == 2 * 4
    counts = [{float(reward): float(count) for reward, count in zip(rewards, counts, strict=True) if count}
              for rewards, counts in zip(drawn.reward.view(2, 4), drawn.count.view(2, 4), strict=True)]
    assert counts == [{0.0: 3.0, 1.0: 1.0}, {100.0: 1.0, 101.0: 1.0, 102.0: 1.0, 103.0: 1.0}]
    assert th.equal(drawn.inputs[:, 0], drawn.state)


def test_means_count_what_was_drawn() -> None:
    step = parts(th.tensor([0, 1, 2]))
    values = th.tensor([[1.0, 3.0], [4.0, 4.0], [9.0, 0.0]])
    assert float(step.mean(values)) == pytest.approx(3.5)
    counted = dataclasses.replace(step, count=th.tensor([2.0, 0.0, 1.0]))
    assert float(counted.mean(values)) == pytest.approx((2 * 2 + 4.5) / 3)
    assert float(counted.mean(values[:, 0])) == pytest.approx(11 / 3)


def test_it_must_save_something_in_a_batch() -> None:
    """Of a large data set most steps may be there twice, and a batch have hardly two that are the same."""
    step = parts(th.arange(2000) % 1000)
    whole = RecordedSteps(iter([step]), 2000, alike=True)
    assert merged(whole, ("episode",), 20) is None
    assert merged(whole, ("episode",), 2000) is not None


def test_steps_of_several_episodes_are_one_only_for_those_who_say_so() -> None:
    """Whoever reads ``episode``, as sums along episodes do, gets it as it is."""
    whole = RecordedSteps(iter([parts(th.arange(2000) % 10)]), 2000, alike=True)
    assert merged(whole, ("time",), 2000) is None
    assert merged(whole, ("time", "episode"), 2000) is not None


def test_a_continued_run_is_the_undisturbed_one(tmp_path: Path) -> None:
    """Also its first batch is drawn by kinds."""
    whole, first, second = (trial(tmp_path, "bridge") for _ in range(3))
    learned(whole, 9)
    learned(first, 4)
    second.learner.load_state_dict(copy.deepcopy(first.learner.state_dict()))
    second.runner.load_state_dict(copy.deepcopy(first.runner.state_dict()))
    for t in range(5, 10):
        second.learner.train(second.runner.run(), t, 0)
    assert isinstance(second.learner.learners[0].step_source.recorded, MergedSteps)
    nets = [run.learner.learners[0].nets.values() for run in (whole, second)]
    for one, other in zip(*nets, strict=True):
        assert all(th.equal(value, other.state_dict()[key]) for key, value in one.state_dict().items())


class OwnLosses(CpaArLearner):
    """Knows nothing of counts."""

    def losses(self, step: Transitions) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        assert step.count is None
        return {"reward": (step.reward.mean() - self.mac.agent(step.inputs, step.actions).mean()) ** 2}, {}


class OwnUnread(OwnLosses):
    """Says so."""

    unread = None  # type: ignore[assignment]


def test_what_was_said_of_other_losses_does_not_hold(tmp_path: Path) -> None:
    for kind in (OwnLosses, OwnUnread):
        run = trial(tmp_path, "xor")
        run.learner.learners[0].__class__ = kind
        assert isinstance(learned(run, 2).step_source.recorded, RecordedSteps)
    judging = learned(trial(tmp_path, "xor"), 1)
    assert judging.unread is not None
    judging.critic.__class__ = type("OwnJudge", (ChainCritic,), {"judge": lambda *_: None})
    assert judging.unread is None
