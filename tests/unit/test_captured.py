"""Training steps that are recorded and repeated are those that are computed one by one."""

from __future__ import annotations

import copy
import logging
from pathlib import Path
from typing import Any

import pytest
import tape
import torch as th
from torch import Tensor

from epymarl_cpa.components import drawn
from epymarl_cpa.config import resolve
from epymarl_cpa.config.files import names
from epymarl_cpa.errors import Diverged, UserError
from epymarl_cpa.experiments.sweeps.stack import Stack
from epymarl_cpa.learners import captured, step_source
from epymarl_cpa.run import Trial, prepare

FEW = ("hidden_dim=8", "batch_size=16", "test_nepisode=4", "recipes.medium.episodes=40", "dataset=medium", "lr=0.01",
       "offline_selection=false")
#: methods whose losses ask for numbers while they are computed
COMPUTED = {"cpa_pa", "cpa_pa_printed", "kd"}
ONLINE = {"iql", "qmix", "vdn"}
SELECTING = {name for name in names("algs") if "offline_selection" in resolve(name, "xor", [])}
REPEATED = [name for name in names("algs") if name not in COMPUTED | ONLINE]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the processor were a GPU, but for how it computes."""
    monkeypatch.setattr(captured, "capture", tape.capture)
    monkeypatch.setattr(captured, "watched", tape.watched)
    monkeypatch.setattr(captured.Captured, "failed", False)
    monkeypatch.setattr(step_source, "on_gpu", lambda recorded: True)
    monkeypatch.setattr(step_source, "merged", lambda *given: None)
    monkeypatch.setattr("epymarl_cpa.experiments.sweeps.stack.merged", lambda *given: None)


def trial_of(folder: Path, alg: str, env: str, *words: str, seed: int = 3) -> Trial:
    given = {word.partition("=")[0] for word in words} | ({"offline_selection"} if alg not in SELECTING else set())
    own = [word for word in FEW if word.partition("=")[0] not in given]
    trial = prepare(resolve(alg, env, [*own, f"seed={seed}", f"datasets_path={folder}", *words]), None,
                    logging.getLogger("captured"))
    for learner in trial.learner.learners:
        learner.update._waits = False
    th.manual_seed(0)
    return trial



def learned(trial: Trial, updates: int) -> tuple[list[dict[str, float]], dict[str, Tensor]]:
    stats = [trial.learner.train(trial.runner.run(), t, t) for t in range(1, updates + 1)]
    nets = {f"{name}.{key}": value.clone() for learner in trial.learner.learners
            for name, net in learner.nets.items() for key, value in net.state_dict().items()}
    return stats, nets


def graphs(trial: Trial) -> int:
    """How many recordings the first stage has made of its last kind."""
    kept: Any = trial.learner.learners[0]._captured
    assert not kept.refused
    return sum(graph is not None for graph in kept._kept.values())


@pytest.mark.parametrize("env", ["xor", "sensor"])
@pytest.mark.parametrize("alg", REPEATED)
def test_what_is_repeated_is_what_is_computed(alg: str, env: str, tmp_path: Path, gpu: None,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["t_max=21", "learner_log_interval=3", "target_update_interval_or_tau=4"]
    words = words[:2] if alg in ("bc", "ar_bc") else words
    repeated = trial_of(tmp_path, alg, env, *words)
    stats, nets = learned(repeated, 20)
    assert graphs(repeated) == 1
    monkeypatch.setattr(step_source, "on_gpu", lambda recorded: False)
    expected, others = learned(trial_of(tmp_path, alg, env, *words), 20)
    assert stats == expected
    assert len([each for each in stats if each]) > 5
    for name, value in nets.items():
        assert th.equal(value, others[name]), name


@pytest.mark.parametrize("alg", sorted(COMPUTED))
def test_others_are_computed_each_time(alg: str, tmp_path: Path, gpu: None) -> None:
    trial = trial_of(tmp_path, alg, "xor", "t_max=4", "student_t_max=4")
    learned(trial, 8)
    assert trial.learner.learners[-1]._captured is None


CROSSING = ["recipes.medium.mixture.crossing=0.5", "recipes.medium.mixture.random=0.5", "batch_size=4"]


def test_batches_of_other_lengths_are_filled_up(tmp_path: Path, gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["t_max=61", "learner_log_interval=1", "limit_ends=false", *CROSSING]
    repeated = trial_of(tmp_path, "cpa_ar", "bridge", *words)
    stats, nets = learned(repeated, 60)
    assert graphs(repeated) > 1, "all batches are of one shape: this shows little"
    monkeypatch.setattr(step_source, "on_gpu", lambda recorded: False)
    expected, others = learned(trial_of(tmp_path, "cpa_ar", "bridge", *words), 60)
    for one, other in zip(stats, expected, strict=True):
        assert one == pytest.approx(other, rel=1e-3)  # what only fills up counts in nothing
    for name, value in nets.items():
        assert th.allclose(value, others[name], atol=1e-3), name


def test_methods_that_know_no_counts_are_computed_where_lengths_differ(tmp_path: Path, gpu: None) -> None:
    trial = trial_of(tmp_path, "maicq", "bridge", "t_max=8", *CROSSING)
    learned(trial, 8)
    assert trial.learner.learners[0]._captured is None


def test_places_are_those_of_the_steps() -> None:
    count = th.tensor([2, 5, 1, 3])
    recorded = drawn.RecordedSteps.__new__(drawn.RecordedSteps)
    recorded._count, recorded._first, recorded.fields = count, count.cumsum(0) - count, {}
    rows = th.tensor([[0, 1, 0], [2, 3, 2]])
    index, number, often = recorded.places(rows)
    assert often is not None and index.shape == number.shape == often.shape == (2, 9)
    assert not len(recorded.places(th.zeros(1, 0, dtype=th.long))[0][0])
    for k in range(2):
        real = often[k] == 1
        assert set(index[k][~real].tolist()) <= {int(index[k][0])}, "filled up with what another group has"
        expected = recorded.place(rows[k])
        assert th.equal(index[k][real], expected[0]) and th.equal(number[k][real], expected[1])
    assert [drawn.filled_up(n) for n in (0, 1, 8, 15, 16, 17, 100, 1300)] == [0, 1, 8, 15, 16, 18, 104, 1408]


@pytest.mark.parametrize("env", ["xor", "bridge"])
def test_stacked_seeds_are_repeated(env: str, tmp_path: Path, gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["t_max=30", "limit_ends=true", *(CROSSING if env == "bridge" else [])]
    stack = Stack([trial_of(tmp_path, "cpa_ar", env, *words, seed=seed) for seed in (3, 4)])
    stack._update._waits = False
    for t in range(1, 31):
        stack.update(t)
    stack.write_back()
    kept: Any = stack._captured
    assert not kept.refused and any(graph is not None for graph in kept._kept.values())
    monkeypatch.setattr(step_source, "on_gpu", lambda recorded: False)
    for k, seed in enumerate((3, 4)):
        _, nets = learned(trial_of(tmp_path, "cpa_ar", env, *words, seed=seed), 30)
        for name, net in stack.learners[k].nets.items():
            for key, value in net.state_dict().items():
                assert th.allclose(value, nets[f"{name}.{key}"], atol=1e-3), (name, key)


def test_what_cannot_be_recorded_is_computed_and_told(tmp_path: Path, gpu: None, monkeypatch: pytest.MonkeyPatch,
                                                      caplog: pytest.LogCaptureFixture) -> None:
    trial = trial_of(tmp_path, "bc", "xor", "t_max=9")
    learner = trial.learner.learners[0]
    losses = learner.losses

    def waiting(step: Any) -> Any:
        found = losses(step)
        assert float(found[0]["policy_loss"].detach()) > 0
        return found

    monkeypatch.setattr(learner, "losses", waiting)
    with caplog.at_level(logging.INFO, "captured"):
        _, nets = learned(trial, 8)
    assert caplog.text.count("not recorded on the GPU") == 1
    monkeypatch.setattr(step_source, "on_gpu", lambda recorded: False)
    plain = trial_of(tmp_path, "bc", "xor", "t_max=9")
    for name, value in learned(plain, 8)[1].items():
        assert th.equal(value, nets[name]), name
    assert learner.state_dict()["optimisers"]["policy"]["state"][0]["step"] == 8


def test_a_subclass_says_anew_whether_it_can_be_repeated(tmp_path: Path, gpu: None) -> None:
    trial = trial_of(tmp_path, "bc", "xor", "t_max=9")
    learner = trial.learner.learners[0]
    learner.__class__ = type("Own", (type(learner),), {})
    learned(trial, 8)
    assert learner._captured is None


@pytest.mark.parametrize("part", ["mac", "agent"])
def test_parts_of_other_people_are_computed(part: str, tmp_path: Path, gpu: None) -> None:
    trial = trial_of(tmp_path, "bc", "xor", "t_max=9")
    learner = trial.learner.learners[0]
    own: Any = learner.mac if part == "mac" else learner.mac.agent
    own.__class__ = type("Own", (type(own),), {"__module__": "mine"})
    learned(trial, 8)
    assert learner._captured is None


def test_one_failure_is_the_last_recording(tmp_path: Path, gpu: None, monkeypatch: pytest.MonkeyPatch,
                                           caplog: pytest.LogCaptureFixture) -> None:
    tried = []

    def failing(compute: Any) -> Any:
        tried.append(compute)
        raise RuntimeError("out of memory")

    monkeypatch.setattr(captured, "capture", failing)
    with caplog.at_level(logging.INFO, "captured"):
        nets = [learned(trial_of(tmp_path, "bc", "xor", "t_max=9"), 8)[1] for _ in range(2)]
    assert len(tried) == 1 and "longer: out of memory" in caplog.text
    monkeypatch.setattr(step_source, "on_gpu", lambda recorded: False)
    plain = learned(trial_of(tmp_path, "bc", "xor", "t_max=9"), 8)[1]
    assert all(th.equal(value, one[name]) for one in nets for name, value in plain.items())


def test_recordings_go_when_the_stage_ends(tmp_path: Path, gpu: None) -> None:
    trial = trial_of(tmp_path, "cpa_pa", "xor", "t_max=9", "student_t_max=4")
    learned(trial, 8)
    teacher = trial.learner.learners[0]
    assert teacher._captured is not None
    trial.learner.train(trial.runner.run(), 9, 9)
    assert teacher._captured is None


def test_a_batch_without_steps_is_told(tmp_path: Path, gpu: None) -> None:
    trial = trial_of(tmp_path, "cpa_ar", "bridge", "t_max=20", "limit_ends=false", *CROSSING)
    learned(trial, 2)
    recorded: Any = trial.learner.learners[0].step_source.recorded
    recorded._count = th.zeros_like(recorded._count)
    recorded.__dict__["even"] = False
    with pytest.raises(UserError, match="the batch at t_env 3 holds no step whose outcome is known"):
        trial.learner.train(trial.runner.run(), 3, 3)


def test_nothing_changes_once_a_repeated_step_is_not_finite(tmp_path: Path, gpu: None) -> None:
    trial = trial_of(tmp_path, "bc", "xor", "t_max=20", "learner_log_interval=100")
    learner = trial.learner.learners[0]
    learned(trial, 6)
    assert graphs(trial) == 1
    recorded: Any = learner.step_source.recorded
    kept = recorded.fields["state"].clone()
    recorded.fields["state"].fill_(float("nan"))
    before = {key: value.clone() for key, value in learner.nets["policy"].state_dict().items()}
    learner.train(trial.runner.run(), 7, 7)
    recorded.fields["state"].copy_(kept)
    learner.train(trial.runner.run(), 8, 8)
    assert all(th.equal(value, before[key]) for key, value in learner.nets["policy"].state_dict().items())
    with pytest.raises(Diverged, match="in update 6"):
        learner.verify()


def test_a_state_that_is_taken_up_is_recorded_anew(tmp_path: Path, gpu: None) -> None:
    words = ["t_max=20", "learner_log_interval=1", "lr_final=0.1"]
    straight, first = trial_of(tmp_path, "cpa_ar", "xor", *words), trial_of(tmp_path, "cpa_ar", "xor", *words)
    expected = learned(straight, 20)[1]
    learned(first, 11)
    state = copy.deepcopy(first.learner.state_dict())
    learned(first, 5)  # elsewhere, and it must come back
    order: Any = first.runner
    order._order, order._generator = order._order[:0], th.Generator().manual_seed(order.args.seed)
    for _ in range(11):
        order.next_rows()
    first.learner.load_state_dict(state)
    for t in range(12, 21):
        first.learner.train(first.runner.run(), t, t)
    learner = first.learner.learners[0]
    for name, net in learner.nets.items():
        for key, value in net.state_dict().items():
            assert th.equal(value, expected[f"{name}.{key}"]), (name, key)


def test_every_turn_has_its_recording(tmp_path: Path, gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["t_max=31", "learner_log_interval=1", "turn=2", "policy_start=0.1"]
    repeated = trial_of(tmp_path, "alberdice", "xor", *words)
    stats, nets = learned(repeated, 30)
    assert graphs(repeated) == 3  # one more from before the policies learn
    assert stats[0]["alpha"] > 2 * stats[-1]["alpha"], "the temperature falls"
    monkeypatch.setattr(step_source, "on_gpu", lambda recorded: False)
    expected, others = learned(trial_of(tmp_path, "alberdice", "xor", *words), 30)
    for one, other in zip(stats, expected, strict=True):
        assert one == pytest.approx(other, rel=1e-4)
    for name, value in nets.items():
        assert th.allclose(value, others[name], atol=1e-4), name
