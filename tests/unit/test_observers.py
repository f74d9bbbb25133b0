"""What observers are told, how they may end a run, and that none of them can harm it."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import random
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch as th
from outcome import SMALL, Outcome, equal

from epymarl_cpa.config import resolve
from epymarl_cpa.errors import Diverged, UserError
from epymarl_cpa.observers import REGISTRY, Observer, RunStart
from epymarl_cpa.observers.console import ConsoleObserver
from epymarl_cpa.observers.sacred import SacredObserver
from epymarl_cpa.observers.tensorboard import TensorBoardObserver
from epymarl_cpa.observers.watch import Watch
from epymarl_cpa.run import prepare
from epymarl_cpa.utils.logging import get_logger

CONSOLE = logging.getLogger("test")


class SacredRun:
    """Keeps what Sacred would."""

    def __init__(self) -> None:
        self.info: dict[str, Any] = {}
        self.points: list[tuple[str, Any, Any]] = []

    def log_scalar(self, key: str, value: Any, step: Any) -> None:
        self.points.append((key, value, step))


class Recorder(Observer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def start(self, run: RunStart) -> None:
        self.told.append(("start", run.t_env))

    def evaluation(self, t_env: int, values: Mapping[str, float]) -> None:
        self.told.append(("evaluation", t_env))

    def statistics(self, t_env: int, values: Mapping[str, float]) -> None:
        self.told.append(("statistics", t_env))

    def checkpoint(self, t_env: int, folder: Path) -> None:
        self.told.append(("checkpoint", t_env))

    def end(self, result: Mapping[str, Any]) -> None:
        self.told.append(("end", dict(result)))


def begin(folder: Path, t_env: int = 0, t_max: int = 100) -> RunStart:
    return RunStart({}, {"code": "abc"}, "a_run", folder, t_env, t_max)


def make() -> tuple[Watch, SacredRun]:
    run = SacredRun()
    return Watch({"sacred": lambda: SacredObserver(run)}, CONSOLE), run


# ------------------------------------------------------------------------------------------- what is told
def test_progress_is_told_now_and_then_to_those_who_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    class Listening(Recorder):
        def progress(self, t_env: int) -> None:
            self.told.append(("progress", t_env))
            th.rand(3), np.random.random(), random.random()

    now = [0.0]
    monkeypatch.setattr("epymarl_cpa.observers.watch.time.monotonic", lambda: now[0])
    listening, deaf = Listening(), Recorder()
    watch = Watch({"listening": lambda: listening, "deaf": lambda: deaf}, CONSOLE)
    states = random.getstate(), th.get_rng_state()
    for t_env in range(1, 101):
        now[0] += 0.01
        watch.progress(t_env)
    assert 9 <= len(listening.told) <= 11 and listening.told[0] == ("progress", 1)
    assert not deaf.told
    assert (random.getstate(), th.get_rng_state().tolist()) == (states[0], states[1].tolist())


@pytest.mark.parametrize("value", [2, 2.0, True + 1, np.float64(2), np.float32(2), np.int64(2), th.tensor(2.0)])
def test_values_become_plain_floats_and_times_plain_integers(value: Any) -> None:
    watch, run = make()
    watch.statistics(7, {"x": value})
    (key, logged, t), = run.points
    assert (key, logged, t) == ("x", 2.0, 7)
    assert type(logged) is float
    assert type(t) is int
    assert run.info == {"x": [2.0], "x_T": [7]}
    assert type(run.info["x"][0]) is float


@pytest.mark.parametrize("kind", ["statistics", "evaluation"])
@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_told_once_and_left_out(odd: float, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    watch, run = make()
    for t, value in enumerate([1.0, odd, odd, 2.0]):
        getattr(watch, kind)(t, {"x": value})
    assert run.points == [("x", 1.0, 0), ("x", 2.0, 3)]
    assert run.info == {"x": [1.0, 2.0], "x_T": [0, 3]}
    assert [record.message for record in caplog.records] == [
        "x is not finite at t_env 1; such values are not recorded"]


def test_where_nothing_is_due_nobody_is_told() -> None:
    recorder = Recorder()
    Watch({"recorder": lambda: recorder}, CONSOLE).statistics(3, {})
    assert not recorder.told


def test_sacred_is_told_of_origin_and_model(tmp_path: Path) -> None:
    watch, run = make()
    watch.start(begin(tmp_path))
    watch.checkpoint(4, tmp_path / "4")
    assert run.info == {"made_by": {"code": "abc"}, "model": str(tmp_path / "4")}


def test_the_block_shows_the_last_value_of_every_series(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    watch = Watch({"console": lambda: ConsoleObserver(CONSOLE)}, CONSOLE)
    watch.start(begin(tmp_path))
    for t in range(10):
        watch.statistics(t, {"loss": t, "grad_norm": 2.0 * t})
    watch.evaluation(9, {"test_return_mean": 0.25, "test_modes_mean": 3.0})
    watch.statistics(10, {"loss": math.nan})
    watch.statistics(10, {"episode": 320})
    first, *rows = caplog.records[-1].message.splitlines()
    assert first == "t_env 10, episode 320"
    words = " ".join(rows).split()
    assert dict(zip(words[::2], map(float, words[1::2]), strict=True)) == {
        "grad_norm:": 18.0, "loss:": 9.0, "test_modes_mean:": 3.0, "test_return_mean:": 0.25}
    assert words[::2] == sorted(words[::2])


def test_blocks_come_only_when_the_number_of_episodes_does(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    watch = Watch({"console": lambda: ConsoleObserver(CONSOLE)}, CONSOLE)
    watch.start(begin(tmp_path))
    watch.statistics(1, {"loss": 1.0})
    assert not caplog.records
    watch.statistics(1, {"episode": 2})
    assert len(caplog.records) == 1


def test_memory_does_not_grow(tmp_path: Path) -> None:
    console = ConsoleObserver(CONSOLE)
    console.start(begin(tmp_path))
    for t in range(100):
        console.statistics(t, {"x": t})
    assert console._latest == {"x": 99}


def test_evaluations_say_how_far_the_run_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    console = ConsoleObserver(CONSOLE)
    console.start(begin(tmp_path, t_env=20))
    console.evaluation(20, {"test_return_mean": 0.5})  # nothing was learned yet
    assert not caplog.records
    console.evaluation(60, {"test_return_mean": 0.5})
    assert " 60 % of 100, " in caplog.records[-1].message
    assert caplog.records[-1].message.endswith("s left; test return 0.5000")


def test_tensorboard_is_asked_for_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)  # as if it were not installed
    watch = Watch({"tensorboard": lambda: TensorBoardObserver()}, CONSOLE)
    with pytest.raises(UserError, match=r"needs TensorBoard: pip install 'epymarl-cpa\[tensorboard\]'\.$"):
        watch.start(begin(tmp_path))
    watch.end(0, {})


def shown(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The points that TensorBoard shows of a folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {name: [(point.step, point.value) for point in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_series_reach_tensorboard_too(tmp_path: Path) -> None:
    """And those of a run that goes on replace what it had shown after its checkpoint."""
    pytest.importorskip("tensorboard")
    watch = Watch({"tensorboard": lambda: TensorBoardObserver()}, CONSOLE)
    watch.start(begin(tmp_path))
    watch.statistics(2, {"x": 1})
    watch.evaluation(3, {"test_x": 4})
    watch.statistics(4, {"x": 9})
    watch.end(4, {})
    assert shown(tmp_path / "tb_logs" / "a_run") == {"x": [(2, 1.0), (4, 9.0)], "test_x": [(3, 4.0)]}
    again = Watch({"tensorboard": lambda: TensorBoardObserver()}, CONSOLE)
    again.start(dataclasses.replace(begin(tmp_path), t_env=3, series={"x": ([2], [1.0]), "test_x": ([3], [4.0])}))
    again.statistics(4, {"x": 5})
    again.end(4, {})
    assert shown(tmp_path / "tb_logs" / "a_run") == {"x": [(2, 1.0), (4, 5.0)], "test_x": [(3, 4.0)]}


# --------------------------------------------------------------------------------- observers that go wrong
HOOKS: dict[str, Callable[[Watch, Path], None]] = {
    "start": lambda watch, folder: watch.start(begin(folder, t_env=5)),
    "evaluation": lambda watch, folder: watch.evaluation(5, {"x": 1.0}),
    "statistics": lambda watch, folder: watch.statistics(5, {"x": 1.0}),
    "checkpoint": lambda watch, folder: watch.checkpoint(5, folder),
    "end": lambda watch, folder: watch.end(5, {})}


@pytest.mark.parametrize("hook", HOOKS)
def test_an_observer_that_raises_is_left_out_with_one_sentence(hook: str, tmp_path: Path,
                                                               caplog: pytest.LogCaptureFixture) -> None:
    class Faulty(Observer):
        calls = 0

    def fail(self: Faulty, *told: Any) -> None:
        Faulty.calls += 1
        raise ValueError("the disk is full")

    setattr(Faulty, hook, fail)
    before, after = Recorder(), Recorder()
    watch = Watch({"before": lambda: before, "faulty": lambda: Faulty(), "after": lambda: after}, CONSOLE)
    for _ in range(2):
        HOOKS[hook](watch, tmp_path)
    assert [record.message for record in caplog.records] == [
        f"the observer 'faulty' failed in {hook} at t_env 5 (ValueError: the disk is full) and is left out from now "
        "on; the run goes on"]
    assert Faulty.calls == 1
    assert [kind for kind, _ in before.told] == [kind for kind, _ in after.told] == [hook, hook]


def test_what_cannot_work_is_told_before_a_run_begins_and_not_on_the_way(tmp_path: Path) -> None:
    class Needy(Observer):
        def start(self, run: RunStart) -> None:
            raise UserError("needs a network.")

        def evaluation(self, t_env: int, values: Mapping[str, float]) -> None:
            raise UserError("lost the network.")

    watch = Watch({"needy": lambda: Needy()}, CONSOLE)
    with pytest.raises(UserError, match=r"^needs a network\.$"):
        watch.start(begin(tmp_path))
    watch.evaluation(3, {"x": 1.0})


def test_an_interrupt_is_nobodys_fault() -> None:
    class Interrupted(Observer):
        def evaluation(self, t_env: int, values: Mapping[str, float]) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Watch({"interrupted": lambda: Interrupted()}, CONSOLE).evaluation(1, {})


def test_the_first_who_wants_the_run_to_end_is_heard() -> None:
    one, two, three = Recorder(), Recorder(), Recorder()
    watch = Watch({"one": lambda: one, "two": lambda: two, "three": lambda: three}, CONSOLE)
    assert watch.stop is None
    two.stop, three.stop = "good enough", "bad enough"
    assert watch.stop == ("two", "good enough")


def _same(observer: Observer) -> Observer:
    return observer


def test_one_that_cannot_even_be_made_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Observer):
        def __init__(self) -> None:
            raise RuntimeError("no")

    recorder = Recorder()
    Watch({"broken": Broken, "recorder": lambda: recorder}, CONSOLE).evaluation(4, {"test_return_mean": 1.0})
    assert recorder.told == [("evaluation", 4)]
    assert "the observer 'broken' failed in being made at t_env 0 (RuntimeError: no)" in caplog.text


# --------------------------------------------------------------------------------------------- whole runs
@pytest.fixture
def run(tmp_path: Path) -> Callable[..., tuple[dict[str, Any], Outcome]]:
    """Runs ``ar_bc`` on XOR with observers; returns the result and what was saved."""
    def runs(*observers: Observer, **changed: str) -> tuple[dict[str, Any], Outcome]:
        words = {**SMALL, "local_results_path": str(tmp_path / str(len([*tmp_path.iterdir()]))),
                 "datasets_path": str(tmp_path / "datasets"), **changed}
        trial = prepare(resolve("ar_bc", "xor", [f"{key}={value}" for key, value in words.items()]), None, CONSOLE)
        trial.watch = Watch({type(each).__name__.lower(): partial(_same, each) for each in observers}, CONSOLE)
        result = trial.run()
        return result, Outcome(0, None, trial.results_folder / "models" / trial.name)

    return runs


def test_a_run_tells_what_happens_in_order(run: Callable[..., tuple[dict[str, Any], Outcome]]) -> None:
    recorder = Recorder()
    result, _ = run(recorder, t_max="3", test_interval="2", learner_log_interval="100", log_interval="100",
                    save_model_interval="2")
    assert recorder.told == [("start", 0), ("evaluation", 0), ("statistics", 1), ("evaluation", 2), ("checkpoint", 2),
                             ("evaluation", 3), ("checkpoint", 3), ("end", result)]
    assert "stopped" not in result


def test_observers_change_nothing_that_is_learned(run: Callable[..., tuple[dict[str, Any], Outcome]]) -> None:
    class Faulty(Observer):
        def statistics(self, t_env: int, values: Mapping[str, float]) -> None:
            raise RuntimeError("no")

    class Meddling(Observer):
        """Draws from everybody's generators, and writes to whatever it is given."""

        def start(self, run: RunStart) -> None:
            cast(dict[str, Any], run.config)["lr"] = 9.0

        def evaluation(self, t_env: int, values: Mapping[str, float]) -> None:
            th.rand(3), np.random.random(), random.random()
            cast(dict[str, float], values).clear()

        def statistics(self, t_env: int, values: Mapping[str, float]) -> None:
            self.evaluation(t_env, values)

        def end(self, result: Mapping[str, Any]) -> None:
            cast(dict[str, Any], result)["headline"] = 99.0
            result["curve"].clear()

    alone, watched = run(), run(Recorder(), Faulty(), Meddling())
    assert alone[0] == watched[0]
    after = run(Meddling(), Recorder())[1]
    assert equal(after.state(), alone[1].state())
    manifest = json.loads((after.models / str(after.steps()[-1]) / "manifest.json").read_text()) if after.models else {}
    assert manifest["config"]["lr"] == float(SMALL.get("lr", 0.001))
    assert equal(alone[1].state(), watched[1].state())


def test_an_observer_may_end_a_run_early(run: Callable[..., tuple[dict[str, Any], Outcome]],
                                         caplog: pytest.LogCaptureFixture) -> None:
    class Enough(Recorder):
        def statistics(self, t_env: int, values: Mapping[str, float]) -> None:
            super().statistics(t_env, values)
            if t_env == 3:
                self.stop = "the loss is small enough"

    enough = Enough()
    result, models = run(enough, lr_final="1")
    assert result["stopped"] == {"by": "enough", "t_env": 3}
    assert "the observer 'enough' ends the run at t_env 3: the loss is small enough" in caplog.messages
    assert [t for t, _ in result["curve"]] == [0, 3], "the team is evaluated as at the end of any run"
    assert models.steps() == [3], "and saved"
    assert enough.told[-1] == ("end", result)
    short, same = run(t_max="3", lr_final="1")
    assert equal(models.state(), same.state()) and result["return"] == short["return"]


def test_a_run_that_ends_before_its_last_stage_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Hasty(Recorder):
        stop = "no time"

    words = {**SMALL, "local_results_path": str(tmp_path), "datasets_path": str(tmp_path), "student_t_max": "6",
             "pool_hidden": "8"}
    trial = prepare(resolve("cpa_pa", "xor", [f"{key}={value}" for key, value in words.items()]), None, CONSOLE)
    trial.watch = Watch({"hasty": Hasty}, CONSOLE)
    result = trial.run()
    assert result["stopped"] == {"by": "hasty", "t_env": 0, "stage": "teacher"}
    told = "the stage 'students' has not begun: what plays, and the result, is of the stage 'teacher'"
    assert told in caplog.messages
    assert "tv" not in result and "joint_entropy" in result, "nobody is compared with the teacher"


def test_a_run_that_is_ended_asks_whether_its_last_updates_were_sound(tmp_path: Path) -> None:
    """On a GPU nobody waits for an update; that it was not finite is asked for before a result is told."""
    class Hasty(Recorder):
        def statistics(self, t_env: int, values: Mapping[str, float]) -> None:
            self.stop = "enough" if t_env >= 3 else None

    words = {**SMALL, "local_results_path": str(tmp_path), "datasets_path": str(tmp_path), "test_interval": "50",
             "t_max": "100"}
    trial = prepare(resolve("bc", "xor", [f"{key}={value}" for key, value in words.items()]), None, CONSOLE)
    trial.watch = Watch({"hasty": Hasty}, CONSOLE)
    trial.learner.learners[0].update.diverged = lambda: 2 if trial.runner.t_env >= 3 else None  # type: ignore[method-assign]
    with pytest.raises(Diverged, match=r"not finite in update 2 of the stage 'training'.*What was learned by t_env"):
        trial.run()


def test_a_run_that_fails_ends_without_a_result(run: Callable[..., tuple[dict[str, Any], Outcome]]) -> None:
    recorder = Recorder()
    with pytest.raises(UserError, match="diverged"):
        run(recorder, lr="1e30", t_max="50")
    assert recorder.told[-1] == ("end", {})


def test_observers_are_found_and_told_of_by_their_names(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Faulty(Observer):
        def statistics(self, t_env: int, values: Mapping[str, float]) -> None:
            raise RuntimeError("no")

    assert REGISTRY["tensorboard"] is TensorBoardObserver
    REGISTRY["faulty"] = Faulty
    try:
        words = {**SMALL, "t_max": "1", "local_results_path": str(tmp_path), "datasets_path": str(tmp_path / "data"),
                 "observers": "[faulty, faulty]"}
        prepare(resolve("ar_bc", "xor", [f"{key}={value}" for key, value in words.items()]), None, CONSOLE).run()
    finally:
        del REGISTRY["faulty"]
    assert len([message for message in caplog.messages if "the observer 'faulty' failed" in message]) == 1
    with pytest.raises(UserError, match=r"unknown observer 'tensorbord' \(did you mean 'tensorboard'\?\)"):
        resolve("bc", "xor", ["observers=[tensorbord]"])


def test_the_console_logger_prints_once(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        logger = get_logger()
    logger.info("hello %d", 3)
    assert capsys.readouterr().out.count("hello 3") == 1


def test_a_run_that_is_over_is_not_ended_early(run: Callable[..., tuple[dict[str, Any], Outcome]]) -> None:
    class Late(Observer):
        def evaluation(self, t_env: int, values: Mapping[str, float]) -> None:
            if t_env == 3:
                self.stop = "at the very end"

    assert "stopped" not in run(Late(), t_max="3", test_interval="3")[0]
