"""Runs that were stopped, killed or went wrong: nothing is lost, and ``resume`` goes on as if nothing had happened."""

from __future__ import annotations

import errno
import json
import os
import shlex
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch as th
from outcome import Outcome, equal

from epymarl_cpa.cli import main
from epymarl_cpa.records.alive import hold, mark_killed, release
from epymarl_cpa.records.resume import find
from epymarl_cpa.run import Trial
from epymarl_cpa.utils import checkpoint
from epymarl_cpa.utils.manifest import write_manifest
from epymarl_cpa.utils.tensor_files import save_tensors

Run = Callable[..., Outcome]
WORDS = ("t_max=12", "test_interval=4", "save_model_interval=", "log_interval=4")
RECORD = Path("results/sacred/ar_bc/xor/1")


def killed(run: Callable[[], object], at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Does a run in a process of its own, which is killed after its update ``at``."""
    learn = Trial._learn

    def then_killed(self: Trial) -> None:
        learn(self)
        if self.runner.t_env == at:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        monkeypatch.setattr(Trial, "_learn", then_killed)
        run()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


def resumed(*words: str, status: int = 0, options: tuple[str, ...] = ()) -> None:
    assert main(["main.py", *options, "with", *words]) == status


def points(record: Path) -> dict[str, list[tuple[int, float]]]:
    """The series of a record, without their times."""
    return Outcome(0, record, None).series()


def models() -> Path:
    folder, = Path("results/models").iterdir()
    return folder


@pytest.fixture
def whole(tiny_run: Run) -> tuple[Outcome, Path]:
    """A run that nobody stopped, moved out of the way."""
    outcome = tiny_run(*WORDS)
    Path("results").rename("undisturbed")
    assert outcome.sacred and outcome.models
    record, models = (Path("undisturbed", *place.parts[1:]) for place in (outcome.sacred, outcome.models))
    return Outcome(0, record, models), record


# --------------------------------------------------------------------------------------------------- killed
@pytest.mark.parametrize("by", ["last", "record", "models", "checkpoint"])
def test_a_killed_run_goes_on_in_its_record(by: str, whole: tuple[Outcome, Path], tiny_run: Run,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    killed(lambda: tiny_run(*WORDS), 10, monkeypatch)
    assert json.loads((RECORD / "run.json").read_text())["status"] == "RUNNING"
    assert sorted(folder.name for folder in models().iterdir()) == ["4", "8"], "one for each evaluation"
    asked = {"last": "last", "record": RECORD, "models": models(), "checkpoint": models() / "8"}[by]
    resumed(f"resume={asked}")
    assert [folder.name for folder in Path("results/sacred/ar_bc/xor").iterdir() if folder.name.isdecimal()] == ["1"]
    again = Outcome(0, RECORD, models())
    assert again.record("run")["status"] == "COMPLETED"
    assert len(again.record("run")["resumed"]) == 1
    assert again.series() == whole[0].series(), "all of it, and nothing twice"
    assert again.result() == whole[0].result()
    assert again.record("config") == whole[0].record("config")
    assert again.steps() == whole[0].steps() == [4, 8, 12]
    assert equal(again.state(), whole[0].state())
    assert (RECORD / "cout.txt").read_text().count("Completed after") == 1
    assert "loaded results/models" in (RECORD / "cout.txt").read_text()


def test_a_run_that_was_killed_before_it_saved_begins_again(whole: tuple[Outcome, Path], tiny_run: Run,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    killed(lambda: tiny_run(*WORDS), 2, monkeypatch)
    resumed("resume=last")
    again = Outcome(0, RECORD, models())
    assert again.series() == whole[0].series()
    assert equal(again.state(), whole[0].state())


def test_a_run_that_ended_before_its_record_was_begun_stands_in_nobodys_way(
        tiny_run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    killed(lambda: tiny_run(*WORDS), 10, monkeypatch)
    nothing = RECORD.parent / "2"
    nothing.mkdir()
    (nothing / "run.json").write_text('{"status": "RUNNING"}')
    resumed("resume=last")
    assert Outcome(0, RECORD, models()).record("run")["status"] == "COMPLETED", "the one before it"
    capsys.readouterr()
    resumed("resume=last", status=2)
    assert "ended before its record was begun" in capsys.readouterr().err


def test_it_may_be_killed_again_and_again(whole: tuple[Outcome, Path], tiny_run: Run,
                                          monkeypatch: pytest.MonkeyPatch) -> None:
    killed(lambda: tiny_run(*WORDS), 5, monkeypatch)
    killed(lambda: resumed("resume=last"), 9, monkeypatch)
    resumed("resume=last")
    again = Outcome(0, RECORD, models())
    assert again.series() == whole[0].series()
    assert equal(again.state(), whole[0].state())
    assert len(again.record("run")["resumed"]) == 2


def test_students_and_the_online_runner_go_on_too(tiny_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for alg, words in (("cpa_pa", ("t_max=4", "student_t_max=6", "pool_hidden=8")),
                       ("ar_bc", ("runner=episode", "t_max=20", "buffer_size=8", "runner_log_interval=5"))):
        run = lambda alg=alg, words=words: tiny_run(*WORDS, *words, alg=alg)  # noqa: E731
        one = run()
        state, series, result = one.state(), one.series(), one.result()
        shutil.rmtree("results")
        killed(run, 9, monkeypatch)
        resumed("resume=last")
        again = Outcome(0, Path(f"results/sacred/{alg}/xor/1"), models())
        assert equal(again.state(), state)
        assert (again.series(), again.result()) == (series, result)


def test_a_given_teacher_is_not_needed_again(tiny_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = tiny_run(alg="cpa_ar")
    assert teacher.models
    teacher.models.rename("teacher")
    killed(lambda: tiny_run(*WORDS, "teacher=teacher", "student_t_max=8", "pool_hidden=8", alg="cpa_pa"), 6,
           monkeypatch)
    shutil.rmtree("teacher")
    resumed("resume=last")
    assert Outcome(0, Path("results/sacred/cpa_pa/xor/1"), None).record("config")["teacher"] == "teacher"


def test_results_may_have_been_moved(tiny_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    killed(lambda: tiny_run(*WORDS), 10, monkeypatch)
    Path("elsewhere ö").mkdir()
    Path("results").rename("elsewhere ö/Erg 1")
    resumed("resume=elsewhere ö/Erg 1/sacred/ar_bc/xor/1")
    assert sorted(path.name for path in Path("elsewhere ö/Erg 1/models").glob("*/*")) == ["12", "4", "8"]
    assert Outcome(0, Path("elsewhere ö/Erg 1/sacred/ar_bc/xor/1"), None).record("run")["status"] == "COMPLETED"
    assert not Path("results").exists()


# ------------------------------------------------------------------------------------------------- stopped
def test_what_the_stop_message_says_works(tiny_run: Run, monkeypatch: pytest.MonkeyPatch,
                                          capsys: pytest.CaptureFixture[str]) -> None:
    stopped_at(6, lambda: tiny_run(*WORDS, options=("-F", "second place"), status=130), monkeypatch)
    said = capsys.readouterr().err.strip()
    assert "\n" not in said
    assert json.loads((RECORD / "run.json").read_text())["status"] == "INTERRUPTED"
    command = shlex.split(said.removeprefix("Interrupted; the run goes on with: ").removesuffix("."))
    assert command == ["python", "main.py", "-F", "second place", "with", f"resume={RECORD}"]
    assert main(command[1:]) == 0
    assert json.loads((RECORD / "run.json").read_text())["status"] == "COMPLETED"
    assert json.loads(Path("second place/1/run.json").read_text())["status"] == "COMPLETED"
    assert not Path("second place/2").exists()
    assert points(Path("second place/1")) == points(RECORD)
    assert [t for t, _ in points(RECORD)["test_return_mean"]] == [0, 4, 8, 12], "not where it was stopped"


def stopped_at(at: int, run: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Does a run, to which SIGTERM comes in an update."""
    learn = Trial._learn

    def stopped(self: Trial) -> None:
        learn(self)
        if self.runner.t_env == at:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(Trial, "_learn", stopped)
        run()


@pytest.mark.parametrize("by", ["last", "record"])
@pytest.mark.parametrize("again", [False, True])
def test_a_run_whose_models_are_gone_is_not_begun_anew_over_its_record(
        by: str, again: bool, tiny_run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
        ) -> None:
    stopped_at(6, lambda: tiny_run(*WORDS, status=130), monkeypatch)
    if again:  # its record still says which model it goes on from, although it saved none since
        with monkeypatch.context() as patched:
            patched.setattr(Trial, "_save", lambda self: None)
            stopped_at(7, lambda: resumed("resume=last", status=130), monkeypatch)
    Path("results/models").rename("elsewhere")
    before = {file: file.read_bytes() for file in RECORD.iterdir()}
    capsys.readouterr()
    resumed(f"resume={'last' if by == 'last' else RECORD}", status=2)
    assert f"the models of the run in {RECORD}, of which it saved results/models/" in capsys.readouterr().err
    assert before == {file: file.read_bytes() for file in RECORD.iterdir()}
    resumed(f"resume={next(Path('elsewhere').iterdir())}")


def test_a_resumed_run_cannot_end_before_it_begins(tiny_run: Run, monkeypatch: pytest.MonkeyPatch,
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    stopped_at(6, lambda: tiny_run(*WORDS, status=130), monkeypatch)
    capsys.readouterr()
    resumed("resume=last", "t_max=5", status=2)
    said = capsys.readouterr().err
    assert "is at t_env 6, after the end of this run at 5; set a larger t_max" in said
    assert json.loads((RECORD / "run.json").read_text())["status"] == "INTERRUPTED"
    resumed("resume=last", "t_max=6")


def test_a_longer_run(tiny_run: Run) -> None:
    once = tiny_run("lr_final=1", "t_max=12", "test_interval=4")
    state, series, result = once.state(), once.series(), once.result()
    shutil.rmtree("results")
    tiny_run("lr_final=1", "t_max=8", "test_interval=4")
    resumed(f"resume={RECORD}", status=2)
    resumed(f"resume={RECORD}", "t_max=12")
    longer = Outcome(0, RECORD, models())
    assert [t for t, _ in longer.series()["test_return_mean"]] == [0, 4, 8, 12]
    assert equal(longer.state(), state) and longer.series() == series and longer.result() == result


@pytest.mark.parametrize("by", ["last", "record", "models"])
def test_changed_settings_hold_though_the_run_was_killed_before_it_saved(by: str, tiny_run: Run,
                                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_run("t_max=8", "test_interval=4")
    killed(lambda: resumed(f"resume={RECORD}", "t_max=16", "lr=0.02"), 10, monkeypatch)
    resumed(f"resume={ {'last': 'last', 'record': RECORD, 'models': models()}[by]}")
    again = Outcome(0, RECORD, models())
    assert again.record("run")["status"] == "COMPLETED" and again.steps()[-1] == 16
    assert (again.record("config")["t_max"], again.record("config")["lr"]) == (16, 0.02)


def test_the_last_run_is_the_one_that_was_heard_of_last(tiny_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever marks an older one as killed, as each new run in its place does, changes nothing of that."""
    killed(lambda: tiny_run(*WORDS), 10, monkeypatch)
    killed(lambda: tiny_run(*WORDS, env="permutation"), 10, monkeypatch)
    mark_killed(RECORD)
    assert find("last", Path("results"), print).records[0] == ("Folder", "results/sacred/ar_bc/permutation/1")


@pytest.mark.parametrize("said", ["..", "models/..", "/", 3, None])
def test_a_record_names_no_folder_above(said: object, tiny_run: Run) -> None:
    """Models would be written there, and old ones removed."""
    tiny_run(*WORDS, options=("-i", "1"))
    entry = {**json.loads((RECORD / "run.json").read_text()), "status": "INTERRUPTED", "model": said}
    (RECORD / "run.json").write_text(json.dumps(entry))
    (RECORD / "info.json").write_text("{}")
    told = list[str]()
    assert find(str(RECORD), Path("results"), told.append).begun is None
    assert "had saved no model yet" in told[0]


@pytest.mark.parametrize(("asked", "sentence"), [
    ("last", "resume=last: no run below results was stopped before its end."),
    ("nowhere", "resume=nowhere holds no checkpoint"), ("x" * 3000, "holds no checkpoint"),
    ("a\0b", "holds no checkpoint"), ("", "the path is empty"),
    ("results/sacred/ar_bc/xor/1", "has come to its end; to train it for longer, add t_max=<more>."),
    ("broken", "broken is no whole record of a run")])
def test_what_cannot_be_resumed(asked: str, sentence: str, tiny_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_run()
    Path("broken").mkdir()
    Path("broken/run.json").write_text("[1]")
    capsys.readouterr()
    resumed(f"resume={asked}", status=2)
    assert sentence in capsys.readouterr().err


def test_another_method_is_not_what_was_asked_for(tiny_run: Run, monkeypatch: pytest.MonkeyPatch,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    killed(lambda: tiny_run(*WORDS), 6, monkeypatch)
    resumed(f"resume={RECORD}", options=("--config=bc", "--env-config=xor"), status=2)
    assert "is a run of ar_bc on xor, not of bc on xor" in capsys.readouterr().err
    resumed("resume=last", options=("--config=bc", "--env-config=xor"), status=2)
    resumed("resume=last", options=("--config=ar_bc", "--env-config=xor"))


# --------------------------------------------------------------------------------------- running or killed
def test_a_killed_run_is_told_from_one_that_goes_on(tiny_run: Run, monkeypatch: pytest.MonkeyPatch,
                                                    capsys: pytest.CaptureFixture[str]) -> None:
    killed(lambda: tiny_run(*WORDS), 6, monkeypatch)
    shutil.copytree(RECORD, RECORD.with_name("2"))
    held = hold(RECORD.with_name("2"))
    assert held is not None
    resumed(f"resume={RECORD.with_name('2')}", status=2)
    assert "is still going on; it can be resumed when it has been stopped." in capsys.readouterr().err
    tiny_run(*WORDS)
    assert f"the run in {RECORD} was killed; it goes on with resume={RECORD}" in capsys.readouterr().out
    status = {number: json.loads(RECORD.with_name(number).joinpath("run.json").read_text())["status"]
              for number in "123"}
    assert status == {"1": "INTERRUPTED", "2": "RUNNING", "3": "COMPLETED"}
    release(RECORD.with_name("2"), held)
    resumed(f"resume={RECORD}")


# ------------------------------------------------------------------------------------ damaged checkpoints
@pytest.mark.parametrize("damage", ["cut", "empty", "gone"])
def test_the_newest_whole_checkpoint_is_taken(damage: str, whole: tuple[Outcome, Path], tiny_run: Run,
                                              monkeypatch: pytest.MonkeyPatch,
                                              capsys: pytest.CaptureFixture[str]) -> None:
    killed(lambda: tiny_run(*WORDS), 10, monkeypatch)
    newest = models() / "8"
    if damage == "cut":
        (newest / "learner.th").write_bytes((newest / "learner.th").read_bytes()[:99])
    else:
        for file in newest.iterdir():
            file.unlink()
        if damage == "gone":
            newest.rmdir()
    capsys.readouterr()
    resumed("resume=last")
    said = capsys.readouterr().out
    assert (f"the newest whole one, {models()}/4, is taken instead" in said) is (damage == "cut")
    again = Outcome(0, RECORD, models())
    assert again.series() == whole[0].series()
    assert equal(again.state(), whole[0].state())


def test_evaluation_and_teachers_take_the_newest_whole_one_too(tiny_run: Run,
                                                               capsys: pytest.CaptureFixture[str]) -> None:
    trained = tiny_run(*WORDS, alg="cpa_ar")
    assert trained.models
    (trained.models / "12/mac.th").write_bytes(b"")
    tiny_run("evaluate=true", f"checkpoint_path={trained.models}", alg="cpa_ar")
    tiny_run(f"teacher={trained.models}", "student_t_max=2", "pool_hidden=8", alg="cpa_pa")
    assert capsys.readouterr().out.count(f"the newest whole one, {trained.models}/8, is taken instead") == 2
    tiny_run("evaluate=true", f"checkpoint_path={trained.models}", "load_step=12", alg="cpa_ar", status=2)
    assert "12/mac.th is missing or was altered" in capsys.readouterr().err


def reseal(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Writes a manifest anew with right digests, though what it says is changed."""
    manifest = json.loads((folder / "manifest.json").read_text())
    facts = {key: value for key, value in manifest.items() if key not in ("format", "version", "files", "digest")}
    change(facts)
    write_manifest(folder, facts.pop("t_env"), facts)


NONSENSE: list[Callable[[dict[str, Any]], object]] = [
    lambda facts: facts.pop("config"), lambda facts: facts.update(config=3), lambda facts: facts.update(game=[]),
    lambda facts: facts.update(t_env="x"), lambda facts: facts["config"].update(hidden_dim="x"),
    lambda facts: facts["config"].pop("mac"), lambda facts: facts.update(record=3),
    lambda facts: facts.update(record=[["Folder", {}]]), lambda facts: facts["config"].update(mac=[]),
    lambda facts: facts.update(made_by=1.5), lambda facts: facts.update(made_by={"rules": 1.5})]


def test_resealed_nonsense_is_a_sentence(tiny_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    trained = tiny_run()
    assert trained.models
    for number, change in enumerate(NONSENSE):
        shutil.copytree(trained.models, f"models{number}")
        reseal(Path(f"models{number}/6"), change)
        for words in (["--config=ar_bc", "--env-config=xor", "with", f"checkpoint_path=models{number}", "evaluate=true",
                       "test_nepisode=2"], ["with", f"resume=models{number}", "test_nepisode=2"]):
            capsys.readouterr()
            status = main(["main.py", *words])
            err = capsys.readouterr().err.strip()
            assert "\n" not in err and "Traceback" not in err and "weights_only" not in err
            assert (status, err.startswith("Error: ")) in ((2, True), (0, False)) and bool(err) == bool(status), err


def test_resealed_nonsense_in_files_is_a_sentence(tiny_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    trained = tiny_run()
    assert trained.models
    for number, content in enumerate(([], {}, {"curve": 3, "runner": 3}, "x", {"series": 3})):
        for name in ("run.th", "learner.th", "told.json"):
            models = Path(f"{name}{number}")
            shutil.copytree(trained.models, models)
            if name == "told.json":
                (models / "6" / name).write_text(json.dumps(content))
            else:
                save_tensors(content, models / "6" / name)
            reseal(models / "6", lambda facts: None)
            capsys.readouterr()
            main(["main.py", "with", f"resume={models}", "t_max=7", "test_nepisode=2"])
            err = capsys.readouterr().err.strip()
            assert "\n" not in err and "Traceback" not in err
            harmless = name == "told.json" and content in ([], {}, {"curve": 3, "runner": 3})
            assert err.startswith("Error: ") is not harmless


@pytest.mark.parametrize(("runner", "change"), [
    ("offline", {"order": 3}), ("offline", {"order": [0, 1]}), ("offline", {"order": th.zeros(2)}),
    ("offline", {"order": th.tensor([0, 10**6])}), ("offline", {"order": th.tensor([-1])}),
    ("offline", {"order": th.zeros(2, 2, dtype=th.long)}),
    ("episode", {"recent": 3}), ("episode", {"recent": {"return": 3}}), ("episode", {"recent": {"return": ["x"]}})])
def test_what_a_runner_goes_on_with_must_be_its_own(runner: str, change: dict[str, Any], tiny_run: Run,
                                                    capsys: pytest.CaptureFixture[str]) -> None:
    online = ["runner=episode", "buffer_size=8"] if runner == "episode" else []
    trained = tiny_run(*online)
    assert trained.models
    file = trained.models / "6/run.th"
    state = th.load(file, weights_only=True)
    state["runner"] |= change
    save_tensors(state, file)
    reseal(file.parent, lambda facts: None)
    capsys.readouterr()
    assert main(["main.py", "with", f"resume={trained.models}", "t_max=40", "test_nepisode=2"]) == 2
    err = capsys.readouterr().err.strip()
    assert err.startswith("Error: ") and "holds something else than what a run of this program saves" in err
    assert "\n" not in err


def test_a_replay_buffer_goes_on_at_one_of_its_places(tiny_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    trained = tiny_run("runner=episode", "buffer_size=8")
    assert trained.models
    file = trained.models / "6/run.th"
    for number, place in enumerate(("x", 8, -1)):
        models = Path(f"models{number}")
        shutil.copytree(trained.models, models)
        state = th.load(file, weights_only=True)
        state["buffer"]["buffer_index"] = place
        save_tensors(state, models / "6/run.th")
        reseal(models / "6", lambda facts: None)
        capsys.readouterr()
        assert main(["main.py", "with", f"resume={models}", "t_max=40", "test_nepisode=2"]) == 2
        assert "'buffer_index' is no place in the buffer" in capsys.readouterr().err


def test_a_checkpoint_cannot_send_a_run_into_the_record_of_another(tiny_run: Run) -> None:
    other, trained = tiny_run(), tiny_run()
    assert other.sacred and trained.models
    before = (other.sacred / "run.json").read_bytes()
    reseal(trained.models / "6", lambda facts: facts.update(record=[["Folder", str(other.sacred)]]))
    resumed(f"resume={trained.models}", "t_max=9")
    assert (other.sacred / "run.json").read_bytes() == before
    assert RECORD.with_name("3").is_dir()


# ------------------------------------------------------------------------------------------ how many stay
@pytest.mark.parametrize(("words", "left"), [
    ([], [16, 20, 24]), (["models_kept=1"], [24]), (["models_kept=9"], [4, 8, 12, 16, 20, 24]),
    (["save_model_interval=4"], [4, 8, 12, 16, 20, 24]), (["save_model_interval=4", "models_kept=2"], [20, 24]),
    (["save_model=false"], [24]), (["save_model_interval=0"], [24])])
def test_the_last_few_stay(words: list[str], left: list[int], tiny_run: Run) -> None:
    outcome = tiny_run(*WORDS, "t_max=24", *words)
    assert outcome.steps() == left
    assert outcome.models
    assert all(folder.name.isdecimal() for folder in outcome.models.iterdir())


def test_a_disk_that_is_full_for_a_while_does_not_end_a_run(tiny_run: Run, monkeypatch: pytest.MonkeyPatch,
                                                            capsys: pytest.CaptureFixture[str]) -> None:
    save = save_tensors

    def full(content: Any, file: Path) -> None:
        save(content, file)
        if content.get("episode") == 64:  # at t_env 8
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_tensors", full)
    outcome = tiny_run(*WORDS)
    assert outcome.models
    assert f"the model cannot be saved to {outcome.models}/8 (the disk is full). The run goes on, and tries again" in \
        capsys.readouterr().out
    assert outcome.steps() == [4, 12]


# ------------------------------------------------------------------------------------------------ diverged
def test_a_run_that_diverges_leaves_its_last_good_state(tiny_run: Run, monkeypatch: pytest.MonkeyPatch,
                                                        capsys: pytest.CaptureFixture[str]) -> None:
    from epymarl_cpa.learners.ar_bc_learner import ArBcLearner

    losses = ArBcLearner.losses

    def diverging(self: ArBcLearner, step: Any) -> Any:
        found, more = losses(self, step)
        return {key: value * (float("nan") if self.update.count == 6 else 1) for key, value in found.items()}, more

    with monkeypatch.context() as patched:
        patched.setattr(ArBcLearner, "losses", diverging)
        outcome = tiny_run(*WORDS, status=2)
    assert outcome.models
    err = capsys.readouterr().err.strip()
    assert err.endswith(f"What was learned by t_env 6 is in {outcome.models}/6.")
    assert outcome.steps() == [4, 6]
    assert outcome.state()["stages"]["training"]["updates"] == 6
    assert outcome.record("run")["status"] == "FAILED"
    resumed("resume=last", "lr=1e-4")
    assert Outcome(0, RECORD, models()).steps() == [6, 8, 12]


def test_so_does_one_whose_temperature_follows_its_critic(tiny_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = tiny_run("lr=1e30", "t_max=20", "test_interval=20", alg="cpa_ar", status=2)
    assert outcome.models and outcome.steps()
    assert f"is in {outcome.models}/{outcome.steps()[-1]}" in capsys.readouterr().err


def test_networks_that_are_not_finite_are_never_saved(tiny_run: Run, capsys: pytest.CaptureFixture[str],
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    learn = Trial._learn

    def spoiled(self: Trial) -> None:
        learn(self)
        if self.runner.t_env == 8:
            next(self.mac.agent.parameters()).data.fill_(float("inf"))

    monkeypatch.setattr(Trial, "_learn", spoiled)
    monkeypatch.setattr(Trial, "test", lambda self: None)
    outcome = tiny_run(*WORDS, status=2)
    assert "training diverged: the networks are not finite at t_env 8" in capsys.readouterr().err
    assert outcome.steps() == [4]


def test_an_environment_of_ones_own_is_named_again(tiny_run: Run, monkeypatch: pytest.MonkeyPatch,
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    """What a record says is not imported on its word alone; the message that a stopped run ends with names it."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "unit"))
    learn = Trial._learn

    def stopped(self: Trial) -> None:
        learn(self)
        if self.runner.t_env == 6:
            os.kill(os.getpid(), signal.SIGTERM)

    key = "env_args.key=test_foreign_numbers:Fight"
    with monkeypatch.context() as patched:
        patched.setattr(Trial, "_learn", stopped)
        tiny_run(*WORDS, "dataset=random", key, "recipes.random.episodes=20", alg="bc", env="pettingzoo", status=130)
    command = shlex.split(capsys.readouterr().err.strip().partition("goes on with: ")[2].removesuffix("."))
    assert command[-1] == key
    resumed("resume=last", status=2)
    assert f"add {key} to the command" in capsys.readouterr().err
    assert main(command[1:]) == 0


def test_values_that_were_learned_from_data_go_on_online(tiny_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Networks are those that the data gave; the clock counts the online run's own steps."""
    learned = tiny_run("t_max=20", alg="qmix_offline")
    given = f"checkpoint_path={learned.models}"
    seen = tiny_run(given, "evaluate=true", alg="qmix").result()["return"]
    assert seen == learned.result()["return"]
    online = tiny_run(given, "dataset=", "t_max=300", "test_interval=100", "buffer_size=16", "seed=3", alg="qmix")
    steps = [t_env for t_env, _ in online.series()["test_return_mean"]]
    assert steps[0] <= 100 and steps[-1] == 300 and online.result()["return"] == 1.0
    assert "runner=episode (was offline), mac=q_mac (was greedy_mac)" in capsys.readouterr().out
    assert online.series()["td_loss"][0][0] <= 100, "statistics are due by the new clock"
    tiny_run(given, alg="bcq", status=2)
    assert "was trained with mac=greedy_mac, but this run has mac=bcq_mac" in capsys.readouterr().err
