"""Seeds trained stacked are the seeds trained one by one."""

from __future__ import annotations

import copy
import logging
from pathlib import Path
from typing import cast

import pytest
import recurrent  # noqa: F401  (registers an encoder)
import torch as th
from torch import Tensor, nn

from epymarl_cpa.components.transitions import Transitions
from epymarl_cpa.config import resolve
from epymarl_cpa.errors import UserError
from epymarl_cpa.experiments.sweeps.stack import Apart, Stack, train_stack
from epymarl_cpa.learners import REGISTRY as LEARNERS
from epymarl_cpa.learners.bc_learner import BcLearner
from epymarl_cpa.learners.cpa_ar_learner import CpaArLearner
from epymarl_cpa.learners.stackable import unstackable
from epymarl_cpa.run import Trial, prepare, run

FEW = ("hidden_dim=8", "batch_size=16", "test_nepisode=4", "recipes.medium.episodes=40", "dataset=medium", "lr=0.01")


def trials(alg: str, env: str, folder: Path, *words: str, seeds: tuple[int, ...] = (3, 4)) -> list[Trial]:
    return [prepare(resolve(alg, env, [*FEW, f"seed={seed}", f"datasets_path={folder}", *words]), None,
                    logging.getLogger("stack")) for seed in seeds]


@pytest.mark.parametrize(("alg", "env"), [
    ("bc", "permutation"), ("maicq", "xor"), ("maicq_tuned", "aloha"), ("omiga", "xor"), ("cpa_ar", "xor"),
    ("cpa_ar", "aloha"), ("cpa_ar", "bridge"), ("cpa_ar_printed", "aloha"), ("bcq", "xor"), ("cql", "permutation"),
    ("cfcql", "xor"), ("qmix_offline", "xor")])
def test_every_seed_learns_what_it_learns_alone(alg: str, env: str, tmp_path: Path) -> None:
    words = ["t_max=12"]
    if alg == "cpa_ar":
        words += ["policy_start=0.3", f"limit_ends={env == 'xor'}", "offline_selection=false"]
    if env == "bridge":  # episodes differ in length, but many steps are the same
        words += ["recipes.medium.mixture.crossing=1.0", "recipes.medium.mixture.random=0.0"]
    alone, together = trials(alg, env, tmp_path, *words), trials(alg, env, tmp_path, *words)
    before = [th.cat([p.detach().flatten().clone() for p in trial.mac.parameters()]) for trial in alone]
    stack = Stack(together)
    for t in range(1, 13):
        stack.update(t)
        for trial in alone:
            trial.learner.train(trial.runner.run(), t, t)
    stack.write_back()
    for trial, stacked, start in zip(alone, together, before, strict=True):
        assert not th.equal(start, th.cat([p.flatten() for p in trial.mac.parameters()]))
        (one,), (other,) = trial.learner.learners, stacked.learner.learners
        for name, net in one.nets.items():
            for key, value in net.state_dict().items():
                assert th.allclose(value, other.nets[name].state_dict()[key], atol=2e-4), (name, key)


def test_every_seed_keeps_its_best_policy(tmp_path: Path) -> None:
    configs = [resolve("cpa_ar", "xor", [*FEW, f"seed={seed}", f"datasets_path={tmp_path}", "t_max=20",
                                         "policy_start=0.0"]) for seed in (3, 4)]
    both = [prepare(config, None, logging.getLogger("stack")) for config in configs]
    for trial in both:
        for t in range(1, 21):
            trial.learner.train(trial.runner.run(), t, t)
        trial.test()
    chosen = [trial.learner.facts()["selected"]["training"]["t_env"] for trial in both]
    for trial, result in zip(both, train_stack(configs), strict=True):
        assert result["curve"][-1] == pytest.approx([20, trial.summary()["headline"]])
    assert set(chosen) != {20}


def test_seeds_whose_batches_have_fewer_kinds_are_filled_up(tmp_path: Path) -> None:
    words = ["t_max=12", "recipes.medium.mixture.crossing=1.0", "recipes.medium.mixture.random=0.0"]
    stack = Stack(trials("cpa_ar", "bridge", tmp_path, *words, seeds=(3, 4, 5)))
    count = stack._recorded.draw(stack._rows().flatten()).count  # [E M]
    assert count is not None
    count = count.view(3, -1)
    assert (count == 0).any() and (count.sum(1) == count[0].sum()).all()


def test_seeds_that_do_not_agree_on_the_limit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = trials("cpa_ar", "bridge", tmp_path)
    monkeypatch.setattr(type(both[0].learner.learners[0]), "limit_ends",
                        property(lambda learner: learner.args.seed == 3))
    with pytest.raises(UserError, match="the data of some seeds tell that the episode limit ends the game"):
        Stack(both)


def test_results_are_those_of_runs(tmp_path: Path) -> None:
    configs = [resolve("ar_bc", "xor", [*FEW, f"seed={seed}", f"datasets_path={tmp_path}", "t_max=5"])
               for seed in (1, 2, 3)]
    results = train_stack(configs)
    assert len(results) == 3
    for result in results:
        assert result["optimum"] == result["headline_optimum"] == 1.0
        assert 0 <= result["return"] <= 1


def test_stages_that_cannot_be_stacked_are_learned_by_each_seed(tmp_path: Path) -> None:
    words = [*FEW, f"datasets_path={tmp_path}", f"local_results_path={tmp_path}", "save_model=false", "t_max=10",
             "student_t_max=3", "test_interval=5", "policy_start=0.1"]
    configs = [resolve("cpa_pa", "xor", [*words, f"seed={seed}"]) for seed in (3, 4)]
    alone = [run(copy.deepcopy(config), None, logging.getLogger("stack")) for config in configs]
    for one, other in zip(alone, train_stack(configs), strict=True):
        assert [t for t, _ in other["curve"]] == [0, 5, 10, 13]
        assert other["curve"] == one["curve"]


def test_divergence_of_a_seed_by_itself_is_told(tmp_path: Path) -> None:
    both = trials("cpa_pa", "xor", tmp_path, "t_max=1", "student_t_max=4")
    with th.no_grad():
        for param in both[1].learner.learners[1].nets["students"].parameters():
            param.fill_(float("nan"))
    part = Apart(both)
    part.update(1)
    with pytest.raises(UserError, match=r"^seed 4 of a stack: training diverged"):
        part.update(2)


def test_what_a_gpu_has_not_told_is_asked_for_before_a_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = trials("cpa_pa", "xor", tmp_path, "t_max=1", "student_t_max=4")
    monkeypatch.setattr(both[1].learner.learners[1].update, "diverged", lambda: 2)
    with pytest.raises(UserError, match=r"^seed 4 of a stack: training diverged.* in update 2 of the stage 'students'"):
        Apart(both).write_back()


def test_environments_are_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from epymarl_cpa.runners.offline_runner import OfflineRunner

    closed = list[OfflineRunner]()
    monkeypatch.setattr(OfflineRunner, "close_env", lambda self: closed.append(self))
    configs = [resolve("bc", "xor", [*FEW, f"seed={seed}", f"datasets_path={tmp_path}", "t_max=2"])
               for seed in (1, 2)]
    train_stack(configs)
    assert len(closed) == 2
    monkeypatch.setattr(Stack, "update", lambda self, t_env: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train_stack(configs)
    assert len(closed) == 4


def test_the_same_stack_gives_the_same_bits(tmp_path: Path) -> None:
    def weights() -> th.Tensor:
        two = trials("oryx", "xor", tmp_path, "t_max=4")
        th.manual_seed(5)
        stack = Stack(two)
        for t in range(1, 5):
            stack.update(t)
        return th.cat([p.detach().flatten() for p in stack.parameters.values()])

    assert th.equal(weights(), weights())


@pytest.mark.parametrize(("alg", "env", "words", "why"), [
    ("bc", "bridge", [], "its episodes differ in length"),
    ("qmix", "xor", ["t_max=20", "buffer_size=20"], "it plays online"),
    ("bc", "xor", ["observers=[tensorboard]"], "its observers watch one run each"),
    ("bc", "xor", ["evaluate=true"], "its runs go on from checkpoints or only evaluate"),
    ("bc", "xor", ["use_rnn=true", "agent=running"], "its agents or critics remember"),
    ("bc", "xor", ["use_rnn=true"], "its agents or critics remember"),
    ("oryx", "xor", ["critic_input=history"], "its agents or critics remember")])
def test_what_cannot_be_stacked_is_refused_with_a_sentence(alg: str, env: str, words: list[str], why: str,
                                                           tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"cannot be trained stacked, since {why}.*; remove stack from the grid\.$"):
        Stack(trials(alg, env, tmp_path, *words))


def test_a_temperature_in_the_games_rewards_needs_one_scale_for_all_seeds(tmp_path: Path) -> None:
    small = ["env_args.rows=2", "env_args.cols=3"]
    Stack(trials("cpa_ar", "sensor", tmp_path, *small))
    with pytest.raises(UserError, match=r"since its alpha is in the game's rewards, .* remove stack from the grid\.$"):
        Stack(trials("cpa_ar", "sensor", tmp_path, *small, "alpha=0.2"))
    Stack(trials("cpa_ar", "sensor", tmp_path, *small, "alpha=0.2", "reward_scale=1"))


def test_a_learner_that_does_more_than_its_losses_is_no_stack(tmp_path: Path) -> None:
    class Slow(BcLearner):
        def rate(self, t_env: int) -> float:
            return 0.1 * super().rate(t_env)

    assert unstackable(BcLearner) == unstackable(CpaArLearner) == []
    assert unstackable(Slow) == ["rate"]
    several = trials("bc", "xor", tmp_path)
    several[1].learner.learners[0].__class__ = Slow
    with pytest.raises(UserError, match="since its learner has its own 'rate'; remove stack from the grid"):
        Stack(several)


class Odd(BcLearner):
    """With a learned number, one that is drawn, and losses that count updates."""

    drawn = 0.0

    def build(self) -> dict[str, nn.Module]:
        self.extra = nn.Linear(1, 1)
        self.extra.temperature = nn.Parameter(th.tensor(1.0))
        self.extra.register_buffer("noise", th.rand(()) * self.drawn)
        return {**super().build(), "extra": self.extra}

    def losses(self, step: Transitions) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        losses, stats = super().losses(step)
        scale = cast(Tensor, self.extra.temperature) + cast(Tensor, self.extra.noise)
        return {name: loss * scale * (1 + self.update.count) for name, loss in losses.items()}, stats


def odd(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Trial]:
    monkeypatch.setitem(LEARNERS._entries, "bc_learner", Odd)
    return trials("bc", "xor", folder, "t_max=6")


def test_single_numbers_and_counters_are_stacked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone, together = odd(tmp_path, monkeypatch), odd(tmp_path, monkeypatch)
    stack = Stack(together)
    for t in range(1, 7):
        stack.update(t)
        for trial in alone:
            trial.learner.train(trial.runner.run(), t, t)
    stack.write_back()
    for trial, stacked in zip(alone, together, strict=True):
        for one, other in zip(trial.mac.parameters(), stacked.mac.parameters(), strict=True):
            assert th.allclose(one, other, atol=2e-4)


def test_numbers_that_are_drawn_and_not_trained_are_no_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Odd, "drawn", 1.0)
    with pytest.raises(UserError, match="its networks hold numbers that are not trained and differ between seeds"):
        Stack(odd(tmp_path, monkeypatch))


def test_divergence_is_told(tmp_path: Path) -> None:
    stack = Stack(trials("bc", "xor", tmp_path))
    with th.no_grad():
        next(iter(stack.parameters.values())).fill_(float("nan"))
    with pytest.raises(UserError, match="diverged at t_env 1"):
        stack.update(1)
