"""The policy that a run keeps is the best one by its data alone."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as th

from epymarl_cpa.config import resolve
from epymarl_cpa.controllers.base import Controller
from epymarl_cpa.errors import UserError
from epymarl_cpa.evaluation.play import evaluate, headline_of
from epymarl_cpa.learners import counted as module
from epymarl_cpa.learners.best_so_far import BestSoFar
from epymarl_cpa.run import Trial, prepare
from epymarl_cpa.runners.offline_runner import OfflineRunner
from epymarl_cpa.selection.judging import judge
from epymarl_cpa.selection.plays import Candidate
from epymarl_cpa.utils.checkpoint import load_into, save
from epymarl_cpa.valuation.recorded import Recorded, read

FEW = ("hidden_dim=16", "test_nepisode=4", "recipes.medium.episodes=300", "dataset=medium", "seed=100")


def trial(folder: Path, *words: str, alg: str = "cpa_ar", env: str = "xor") -> Trial:
    given = dict(word.split("=") for word in (*FEW, f"datasets_path={folder}", f"local_results_path={folder}", *words))
    return prepare(resolve(alg, env, ["=".join(pair) for pair in given.items()]), None, logging.getLogger("best"))


def learn(built: Trial, until: int) -> dict[str, float]:
    """Trains; returns what the last update told."""
    stats: dict[str, float] = {}
    while built.runner.t_env < until:
        batch = built.runner.run()
        stats = built.learner.train(batch, built.runner.t_env, 0)
    return stats


def spoil(mac: Controller) -> None:
    """Makes all agents take their first action, which pays nothing in XOR."""
    with th.no_grad():
        for param in mac.parameters():
            param.zero_()


def policy(mac: Controller) -> th.Tensor:
    return th.cat([param.detach().flatten().clone() for param in mac.parameters()])


def worth(built: Trial) -> float:
    results = evaluate(built.runner.game, built.mac, built.runner.info.batch(4), 0, 0)
    return headline_of(built.runner.game, results)


@pytest.mark.parametrize("alg", ["cpa_ar", "cql"])
def test_a_policy_that_was_lost_is_put_back(alg: str, tmp_path: Path) -> None:
    built = trial(tmp_path, "t_max=200", "lr=0.01", "dataset=poor", "offline_selection=true", alg=alg)
    learn(built, 198)
    kept = built.learner.state_dict()["choices"]["training"]["best"]
    built.learner.learners[0].train = lambda *batch: spoil(built.mac) or {}  # type: ignore
    assert learn(built, 199) == {} and worth(built) == 0.0
    assert learn(built, 200) == {"selected_t_env": kept["t_env"], "selected_value": 1.0}
    assert all(map(th.equal, built.mac.parameters(), kept["params"])) and worth(built) == 1.0
    found = built.learner.facts()["selected"]["training"]
    assert found == {"at": 200, "t_env": kept["t_env"], "value": 1.0, "error": found["error"], "last_value": 0.0}
    assert not built.learner.judges(201)


def test_of_equally_good_ones_the_last_is_kept(tmp_path: Path) -> None:
    """All that was recorded pays 1 here."""
    built = trial(tmp_path, "t_max=60", "dataset=good")
    learn(built, 59)
    before = policy(built.mac)
    assert learn(built, 60)["selected_t_env"] == 60 and not th.equal(policy(built.mac), before)


@pytest.mark.parametrize(("env", "words"), [
    ("xor", []), ("permutation", ["recipes.medium.episodes=3000"]), ("bridge", ["recipes.medium.episodes=1000"])])
def test_it_is_the_judgement_of_the_verb(env: str, words: list[str], tmp_path: Path) -> None:
    """Which asks at every recorded step, and can judge several teams, and those that draw."""
    built = trial(tmp_path, "t_max=40", "lr=0.01", *words, env=env)
    learn(built, 30)
    learner, source = built.learner.learners[0], built.runner
    assert isinstance(source, OfflineRunner)
    model, reason = module.counted(learner, source)
    assert model is not None and reason == ""
    team = [Candidate(name, tmp_path, 0, built.config, built.mac) for name in ("one", "other")]
    found = judge(source, team, built.args, way="table")
    assert model.value(learner) == pytest.approx((found.value[0], found.error[0]), rel=1e-12)


def test_what_is_said_where_nobody_acts_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Formats without it invent what could be done after an episode's end."""
    def invented(*args: Any) -> Recorded:
        recorded = read(*args)
        acted = th.zeros(len(recorded.available), dtype=th.bool)
        acted[recorded.now] = True
        assert not acted.all()
        return dataclasses.replace(recorded, available=recorded.available & acted[:, None, None])

    built = trial(tmp_path, "recipes.medium.episodes=1000", env="bridge")
    learner, source = built.learner.learners[0], built.runner
    whole, _ = module.counted(learner, source)  # type: ignore[arg-type]
    monkeypatch.setattr(module, "read", invented)
    model, reason = module.counted(learner, source)  # type: ignore[arg-type]
    assert model is not None and whole is not None, reason
    now = th.from_numpy(model.table.pairs.state)
    assert th.equal(model.available[now], whole.available[now])


def test_what_is_counted_is_what_the_game_pays(tmp_path: Path) -> None:
    built = trial(tmp_path, "t_max=40", "lr=0.01", "dataset=poor")
    learn(built, 20)
    model, _ = module.counted(built.learner.learners[0], built.runner)  # type: ignore[arg-type]
    assert model is not None
    seen = set()
    for _ in range(20):
        for param in built.mac.agent.parameters():
            th.nn.init.normal_(param)
        seen.add(value := model.value(built.learner.learners[0])[0])
        assert value == worth(built)
    assert seen == {0.0, 1.0}


@pytest.mark.parametrize(("env", "words", "reason"), [
    ("sensor", ["recipes.medium.episodes=40"], r"only \d+ % of the recorded steps repeat"),
    ("xor", ["policy_input=obs", "obs_agent_id=true"], "its agents do not see the state alone"),
    ("xor", ["recipes.medium.episodes=4000"], "too large to be counted")])
def test_where_it_cannot_be_counted_the_last_policy_is_kept(
        env: str, words: list[str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(module, "ROOM", 300_000 if "large" in reason else module.ROOM)
    outcome = []
    for selects in (True, False):
        built = trial(tmp_path, "t_max=4", *words, f"offline_selection={selects}", env=env)
        with caplog.at_level(logging.INFO):
            learn(built, 4)
        outcome.append(policy(built.mac))
    assert th.equal(*outcome)
    assert "the last policy is kept, not the best one by the recorded episodes" in caplog.text
    built = trial(tmp_path, "t_max=4", *words, env=env)
    learn(built, 4)
    assert np.char.find(built.learner.facts()["selected"]["training"]["reason"], reason.split(r"\d")[0]) >= 0


@pytest.mark.parametrize("ends", [True, False])
def test_the_limit_means_what_it_means_to_the_learner(ends: bool, tmp_path: Path) -> None:
    built = trial(tmp_path, "recipes.medium.episodes=1000", f"limit_ends={ends}", env="bridge")
    model, _ = module.counted(built.learner.learners[0], built.runner)  # type: ignore[arg-type]
    assert model is not None
    assert (model.table.recorded.fixed, model.table.gamma) == (ends, 1.0 if ends else built.args.gamma)
    assert "limit_told" not in vars(built.runner), "nobody asked the data"


def test_judging_moves_nothing_of_training(tmp_path: Path) -> None:
    outcome = []
    for selects in (True, False):
        built = trial(tmp_path, "t_max=40", f"offline_selection={selects}")
        learn(built, 39)
        outcome.append((policy(built.mac), th.get_rng_state()))
    assert all(th.equal(one, other) for one, other in zip(*outcome, strict=True))


def test_students_are_taught_by_the_teacher_that_was_kept(tmp_path: Path) -> None:
    built = trial(tmp_path, "t_max=40", "student_t_max=2", "lr=0.01", "policy_start=0.0", alg="cpa_pa")
    learn(built, 39)
    kept = built.learner.state_dict()["choices"]["teacher"]["best"]["params"]
    built.learner.learners[0].train = lambda *batch: spoil(built.mac.part("teacher")) or {}  # type: ignore
    learn(built, 40)
    assert all(map(th.equal, built.mac.part("teacher").parameters(), kept))
    learn(built, 42)
    assert list(built.learner.facts()["selected"]) == ["teacher"]


def test_a_run_that_goes_on_keeps_the_best_so_far(tmp_path: Path) -> None:
    words = ["t_max=40", "lr=0.01", "policy_start=0.0"]
    whole, half = trial(tmp_path, *words), trial(tmp_path, *words)
    learn(half, 20)
    kept = half.learner.state_dict()["choices"]["training"]["best"]
    folder = save(tmp_path / "models", 20, half.learner, {}, {"game": {}, "config": {}, "made_by": {}})
    state = half.runner.state_dict()
    other = trial(tmp_path, *words)
    load_into(other.learner, folder)
    other.runner.load_state_dict(state)
    found = other.learner.state_dict()["choices"]["training"]["best"]
    assert found["t_env"] == kept["t_env"] and all(map(th.equal, found["params"], kept["params"]))
    learn(whole, 40)
    learn(other, 40)
    assert th.equal(policy(whole.mac), policy(other.mac)) and whole.learner.facts() == other.learner.facts()


def test_a_run_that_is_made_longer_begins_with_what_was_chosen(tmp_path: Path) -> None:
    built, other = trial(tmp_path, "t_max=200", "lr=0.01", "dataset=poor"), \
        trial(tmp_path, "t_max=220", "lr=0.01", "dataset=poor")
    learn(built, 200)
    chosen = built.learner.facts()["selected"]["training"]
    folder = save(tmp_path / "models", 200, built.learner, {}, {"game": {}, "config": {}, "made_by": {}})
    load_into(other.learner, folder)
    assert other.learner.facts() == {}
    best = other.learner.state_dict()["choices"]["training"]["best"]
    assert best["t_env"] == chosen["t_env"] and all(map(th.equal, best["params"], built.mac.parameters()))
    other.runner.t_env = 219
    other.learner.learners[0].train = lambda *batch: spoil(other.mac) or {}  # type: ignore
    assert learn(other, 220)["selected_t_env"] == chosen["t_env"] and worth(other) == 1.0


def continued(tmp_path: Path, built: Trial, other: Trial) -> Trial:
    """The other trial, after it took up what the first one has learned."""
    folder = save(tmp_path / "models", built.runner.t_env, built.learner, {},
                  {"game": {}, "config": {}, "made_by": {}})
    load_into(other.learner, folder)
    other.runner.t_env = built.runner.t_env
    return other


def test_on_other_data_what_was_best_is_counted_anew(tmp_path: Path) -> None:
    words = ["lr=0.01", "dataset=poor"]
    built, other = trial(tmp_path, *words, "t_max=100"), trial(tmp_path, *words, "t_max=300")
    learn(built, 100)
    assert worth(built) == 1.0
    runner = other.runner
    assert isinstance(runner, OfflineRunner)
    runner.dataset = runner.dataset.with_arrays(reward=-0.5 * runner.dataset.reward)
    continued(tmp_path, built, other)
    learn(other, 300)
    found = other.learner.facts()["selected"]["training"]
    assert found["value"] == 0.0 and worth(other) == 0.0, "what paid 1 costs 0.5 now"


def test_a_stage_that_is_left_early_ends_with_the_best_so_far(tmp_path: Path) -> None:
    """Since a continued run asks for less of it than it has learned already."""
    words = ["student_t_max=4", "lr=0.01", "policy_start=0.0", "dataset=poor"]
    built = trial(tmp_path, "t_max=200", *words, alg="cpa_pa")
    learn(built, 150)
    kept = built.learner.state_dict()["choices"]["teacher"]["best"]["params"]
    spoil(built.mac.part("teacher"))
    other = continued(tmp_path, built, trial(tmp_path, "t_max=100", *words, alg="cpa_pa"))
    assert all(map(th.equal, other.mac.part("teacher").parameters(), kept))
    assert other.learner.facts()["selected"]["teacher"]["at"] == 150


def test_what_was_chosen_stays_chosen_once_students_learn(tmp_path: Path) -> None:
    words = ["student_t_max=40", "lr=0.01", "policy_start=0.0"]
    built = trial(tmp_path, "t_max=40", *words, alg="cpa_pa")
    learn(built, 50)
    chosen = built.learner.facts()
    other = continued(tmp_path, built, trial(tmp_path, "t_max=60", *words, alg="cpa_pa"))
    assert other.learner.facts() == chosen != {}


def test_a_run_that_an_observer_ends_keeps_the_best_so_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = trial(tmp_path, "t_max=400", "lr=0.01", "dataset=poor", "test_interval=100", "use_tensorboard=false")
    learn(built, 155)
    assert worth(built) == 1.0

    def stops() -> bool:
        built.stopped = {"by": "me", "t_env": built.runner.t_env}
        return True

    monkeypatch.setattr(built, "_heeds_observers", stops)
    spoil(built.mac)
    built.begin()
    built.test()
    assert built.curve[-1] == [155, 0.0]
    result = built.run()
    assert result["headline"] == 1.0 and result["curve"][-1] == [155, 1.0]
    assert built.learner.facts()["selected"]["training"]["at"] == 155


@pytest.mark.parametrize("change", [
    lambda choice: choice.update(found={"at": "late"}), lambda choice: choice.update(found={"t_env": 3}),
    lambda choice: choice.pop("best"), lambda choice: choice.update(best=3), lambda choice: choice.update(found=None),
    lambda choice: choice["best"].pop("params"), lambda choice: choice["best"].update(more=1),
    lambda choice: choice["best"].update(t_env="late"), lambda choice: choice["best"].update(params=[]),
    lambda choice: choice.update(found={"at": 9, "t_env": 9, "value": float("nan"), "error": 0.0, "last_value": 0.0}),
    lambda choice: choice["best"]["params"][0].fill_(float("nan")),
    lambda choice: choice["best"]["params"].__setitem__(0, th.zeros(2))])
def test_what_is_no_best_policy_is_told(change: Any, tmp_path: Path) -> None:
    built = trial(tmp_path, "t_max=40")
    learn(built, 20)
    state = built.learner.state_dict()
    change(state["choices"]["training"])
    built.learner.state_dict = lambda: state  # type: ignore[method-assign]
    folder = save(tmp_path / "models", 20, built.learner, {}, {"game": {}, "config": {}, "made_by": {}})
    with pytest.raises(UserError, match="20"):
        load_into(trial(tmp_path, "t_max=40").learner, folder)


def test_it_is_asked_forty_times_a_stage_and_at_its_end(tmp_path: Path) -> None:
    built = trial(tmp_path, "t_max=410")
    choice = BestSoFar(built.learner.learners[0], built.runner)  # type: ignore[arg-type]
    times = [t for t in range(1, 411) if choice.due(t)]
    assert len(times) == 40 and times[-1] == 410
