"""What a run tells at its end, whatever cut it short or into pieces; and what is refused before it begins."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import pytest
from outcome import Outcome, equal

from epymarl_cpa.config import resolve
from epymarl_cpa.experiments.sweeps.stack import train_stack
from epymarl_cpa.observers import REGISTRY as OBSERVERS
from epymarl_cpa.observers import Observer

Run = Callable[..., Outcome]


class Impatient(Observer):
    """Has had enough at the first evaluation after the untrained team's, and keeps what it is told in the end."""

    ended: ClassVar[Mapping[str, object]] = {}

    def evaluation(self, t_env: int, values: Mapping[str, float]) -> None:
        if t_env > 0:
            self.stop = f"a return of {values['test_return_mean']} is enough"

    def end(self, result: Mapping[str, object]) -> None:
        type(self).ended = result


@pytest.fixture
def impatient() -> Iterator[type[Impatient]]:
    """Registered while the test lasts."""
    OBSERVERS["impatient"] = Impatient
    yield Impatient
    del OBSERVERS["impatient"]


def test_an_observer_ends_a_run_early_and_the_result_says_so(impatient: type[Impatient], tiny_run: Run,
                                                             capsys: pytest.CaptureFixture[str]) -> None:
    outcome = tiny_run("t_max=60", "test_interval=4", "observers=[impatient]")
    result = outcome.result()
    assert result["stopped"] == {"by": "impatient", "t_env": 4}
    assert [t for t, _ in result["curve"]] == [0, 4]
    assert outcome.record("run")["status"] == "COMPLETED"
    assert outcome.steps() == [4], "what was learned so far is saved"
    assert "the observer 'impatient' ends the run at t_env 4: a return of " in capsys.readouterr().out
    assert impatient.ended["stopped"] == result["stopped"]


def test_conventions_are_judged_though_their_run_ends_early(impatient: type[Impatient], tiny_run: Run) -> None:
    """Else all would be played alike, whatever they are worth."""
    words = ("env_args.rows=1", "env_args.cols=2", "env_args.episode_limit=4", "env_args.observation=local",
             "policy_input=obs", "improvement=imitation", "pool_size=3", "student_t_max=30", "test_interval=25")
    ended = tiny_run(*words, "observers=[impatient]", alg="cpa_pa", env="aloha")
    assert ended.steps() == [25]
    assert ended.state()["mac"]["agent"]["values"].any()


def test_a_run_that_nobody_ends_does_not_say_so(tiny_run: Run) -> None:
    assert "stopped" not in tiny_run().result()


def test_a_run_that_was_ended_early_can_go_on(impatient: type[Impatient], tiny_run: Run) -> None:
    words = ("t_max=12", "test_interval=4")
    whole = tiny_run(*words)
    ended = tiny_run(*words, "observers=[impatient]")
    resumed = tiny_run(*words, f"checkpoint_path={ended.models}")
    assert equal(resumed.state(), whole.state())
    assert resumed.result() == whole.result()


@pytest.mark.parametrize("step", [4, 8, 12])
@pytest.mark.parametrize("alg", ["ar_bc", "cpa_pa"])
def test_a_resumed_runs_curve_is_the_whole_one(alg: str, step: int, tiny_run: Run) -> None:
    words = ["t_max=12", "test_interval=4", "save_model_interval=4"]
    if alg == "cpa_pa":
        words += ["t_max=8", "student_t_max=8", "pool_hidden=8"]
    whole = tiny_run(*words, alg=alg).result()
    models = max(Path("results/models").iterdir(), key=lambda folder: folder.stat().st_mtime_ns)
    resumed = tiny_run(*words, f"checkpoint_path={models}", f"load_step={step}", alg=alg)
    assert [t for t, _ in whole["curve"]] == list(range(0, (16 if alg == "cpa_pa" else 12) + 1, 4))
    assert resumed.result() == whole
    assert resumed.series()["test_return_mean"][0][0] == step, "its own series have only what it made"


@pytest.mark.parametrize(("alg", "mac", "sentence"), [
    ("bc", "ar_mac", "learner=bc_learner cannot train mac=ar_mac; it needs mac=basic_mac."),
    ("cpa_pa", "product_mac", "learner=cpa_pa_learner cannot train mac=product_mac; it needs mac=pa_mac."),
    ("qmix", "basic_mac", "learner=q_learner cannot train mac=basic_mac; it needs mac=bcq_mac or mac=greedy_mac or "
                          "mac=q_mac.")])
def test_a_controller_that_the_learner_cannot_train_is_refused_before_anything_is_made(
        alg: str, mac: str, sentence: str, tiny_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_run(f"mac={mac}", alg=alg, status=2)
    assert capsys.readouterr().err.strip() == f"Error: {sentence}"
    assert not list(Path().iterdir()), "no results, no data set"


def test_values_of_every_action_are_asked_only_of_critics_that_know_them(tiny_run: Run,
                                                                         capsys: pytest.CaptureFixture[str]) -> None:
    tiny_run("weight=joint", "policy_loss=expected", alg="cpa_ar", status=2)
    err = capsys.readouterr().err.strip()
    assert err.startswith("Error: policy_loss=expected needs the value of every action, but weight=joint")
    assert "\n" not in err
    assert not list(Path().iterdir())


def test_a_joint_action_is_told_only_if_it_was_the_only_one(tiny_run: Run) -> None:
    greedy = tiny_run("test_nepisode=40").result()
    assert len(greedy["joint_action"]) == 2
    drawn = tiny_run("test_nepisode=40", "test_greedy=false").result()
    assert "joint_action" not in drawn
    assert "joint_action" not in tiny_run(env="aloha").result(), "its episodes have many steps"


@pytest.mark.parametrize("env", ["xor", "bridge"])
def test_a_score_comes_with_what_it_is_made_of(env: str, tiny_run: Run) -> None:
    result = tiny_run(env=env).result()
    lowest, best = result["headline_random"], result["headline_optimum"]
    assert result["score"] == pytest.approx((result["headline"] - lowest) / (best - lowest))


@pytest.mark.parametrize("env, bound", [("sensor_large", 122.9627), ("aloha_large", 291.1486)])
def test_where_nobody_knows_the_optimum_a_bound_is_told(env: str, bound: float, tiny_run: Run,
                                                        capsys: pytest.CaptureFixture[str]) -> None:
    result = tiny_run(env=env).result()
    assert result["headline_optimum"] is None and "score" not in result
    assert result["headline_bound"] == pytest.approx(bound, abs=1e-4)
    assert f"(optimum at most {bound:.4f}, random play {result['headline_random']:.4f})" in capsys.readouterr().out


def test_a_stage_that_has_begun_goes_on_whatever_earlier_ones_say_now(tiny_run: Run,
                                                                      capsys: pytest.CaptureFixture[str]) -> None:
    words = ("t_max=4", "student_t_max=8", "pool_hidden=8", "save_model_interval=8", "test_interval=4")
    whole = tiny_run(*words, alg="cpa_pa")
    assert whole.steps() == [8, 12]
    capsys.readouterr()
    resumed = tiny_run(*words, "t_max=10", f"checkpoint_path={whole.models}", "load_step=8", alg="cpa_pa")
    assert "the stage 'students' began at t_env 4 and goes on from there" in capsys.readouterr().out
    assert equal(resumed.state(), whole.state())


def test_observers_do_not_fail_where_seeds_are_stacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(logging.getLogger("epymarl_cpa.stack"), "warning", lambda text, *rest: said.append(text % rest))
    train_stack([resolve("bc", "xor", [f"seed={seed}", "t_max=8", "test_interval=4", "hidden_dim=8", "batch_size=8",
                                       "test_nepisode=4", "recipes.medium.episodes=40", "dataset=medium",
                                       f"datasets_path={tmp_path}"]) for seed in (1, 2)])
    assert said == []


def test_students_keep_their_time_if_the_teacher_has_learned_for_longer_than_is_asked_now(
        tiny_run: Callable[..., Outcome], capsys: pytest.CaptureFixture[str]) -> None:
    words = ["student_t_max=5", "pool_hidden=8"]
    begun = tiny_run(*words, "t_max=6", "save_model_interval=4", alg="cpa_pa")
    went_on = tiny_run(*words, "t_max=2", f"checkpoint_path={begun.models}", "load_step=4", alg="cpa_pa")
    assert "the stage 'teacher' has learned for 4 updates already; 'students' begins after them" in \
        capsys.readouterr().out
    stages = went_on.state()["stages"]
    assert went_on.steps() == [4 + 5]
    assert (stages["teacher"]["updates"], stages["students"]["updates"], stages["students"]["begin"]) == (4, 5, 4)
