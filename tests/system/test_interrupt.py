"""SIGINT and SIGTERM: the step is finished and saved, the record says so, and the run can go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from outcome import Outcome, equal

from epymarl_cpa.utils.process import StopRequest, handling, interrupt, told_if_interrupted

Run = Callable[..., Outcome]
WORDS = ("seed=1", "batch_size=8", "hidden_dim=8", "test_nepisode=2", "recipes.medium.episodes=40", "lr_final=1",
         "learner_log_interval=1000")


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """A shell's background jobs ignore Ctrl-C from their start, and so would these tests there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@contextmanager
def sent_at(number: int, step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Sends this process a signal in the middle of the given update."""
    from epymarl_cpa.learners.step_source import StepSource

    calls, drawn = 0, StepSource.draw

    def counted(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == step:
            os.kill(os.getpid(), number)
        return drawn(*args)

    with monkeypatch.context() as patched:
        patched.setattr(StepSource, "draw", counted)
        yield


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_step_in_progress_is_finished_and_saved(number: int, tiny_run: Run,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(number)
    with sent_at(number, 30, monkeypatch):
        cut = tiny_run("t_max=60", status=130)
    assert signal.getsignal(number) is before, "handlers are put back"
    assert cut.steps() == [30]
    assert cut.record("run")["status"] == "INTERRUPTED"
    assert cut.state()["stages"]["training"]["updates"] == 30
    whole = tiny_run("t_max=60")
    resumed = tiny_run("t_max=60", f"checkpoint_path={cut.models}")
    assert equal(resumed.state(), whole.state()), "as if nothing had happened"


def test_a_real_process_saves_and_exits_non_zero(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-m", "epymarl_cpa", "--config=ar_bc", "--env-config=xor", "with",
                                "t_max=100000000", "test_interval=50", *WORDS], cwd=tmp_path, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "")
    assert any("test return" in line for line in lines), "it is training"
    process.send_signal(signal.SIGTERM)
    rest, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "interrupted at t_env" in rest
    run, = tmp_path.glob("results/sacred/ar_bc/xor/1/run.json")
    assert '"INTERRUPTED"' in run.read_text()
    folder, = tmp_path.glob("results/models/*/*")
    assert folder.name.isdecimal()
    assert (folder / "manifest.json").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_while_everything_is_imported_it_ends_with_one_line(number: int, capfd: pytest.CaptureFixture[str]) -> None:
    """Even where what is imported takes every exception for a missing library."""
    from epymarl_cpa.main import entry

    class Interrupting:
        def find_spec(self, name: str, *rest: Any) -> None:
            if name == "epymarl_cpa.cli":
                try:
                    os.kill(os.getpid(), number)
                    time.sleep(5)
                except BaseException:
                    raise ImportError(name) from None

    child = os.fork()
    if child == 0:
        sys.modules.pop("epymarl_cpa.cli")
        del sys.modules["epymarl_cpa"].cli
        sys.meta_path.insert(0, Interrupting())  # type: ignore[arg-type]
        os._exit(entry(["main.py", "--config=bc", "--env-config=xor"]))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 130
    assert capfd.readouterr().err == "Interrupted before anything was begun.\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("where", ["epymarl_cpa.request.resolve", "epymarl_cpa.cli.rehearse",
                                   "epymarl_cpa.data.generate.generate",
                                   "epymarl_cpa.data.dataset.np.savez_compressed"])
def test_in_the_first_seconds_it_is_one_line(number: int, where: str, tiny_run: Run, monkeypatch: pytest.MonkeyPatch,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    def slow(*args: Any, **how: Any) -> Any:
        os.kill(os.getpid(), number)
        time.sleep(5)

    monkeypatch.setattr(where, slow)
    tiny_run(status=130)
    err = capsys.readouterr().err
    assert err.startswith("Interrupted") and err.count("\n") == 1
    assert not list(Path().glob("datasets/*")) and not list(Path().glob("datasets/.*"))
    assert not list(Path().rglob("*.th"))


def test_other_commands_end_with_one_line_too(monkeypatch: pytest.MonkeyPatch,
                                              capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
        return 0

    assert told_if_interrupted(command) == 130
    assert capsys.readouterr().err == "Interrupted.\n"


RUNNER = "epymarl_cpa.runners.offline_runner"


@pytest.mark.parametrize(("work", "number"), [
    (f"{RUNNER}.load_dataset", signal.SIGTERM),  # a data set is made
    # It may search for the optimum for minutes, and there is nothing to save yet.
    (f"{RUNNER}.OfflineRunner.evaluate", signal.SIGINT), (f"{RUNNER}.OfflineRunner.evaluate", signal.SIGTERM)])
def test_before_training_it_ends_at_once(work: str, number: int, tiny_run: Run,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*args: Any) -> Any:
        os.kill(os.getpid(), number)
        time.sleep(100)

    monkeypatch.setattr(work, slow)
    started = time.monotonic()
    cut = tiny_run(status=130)
    assert time.monotonic() - started < 60
    assert cut.record("run")["status"] == "INTERRUPTED"
    assert cut.models is None


def test_the_second_signal_does_not_wait(capfd: pytest.CaptureFixture[str]) -> None:
    stop = StopRequest()
    with stop.listening():
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.made
        assert capfd.readouterr().err == "\nending after this step; once more to end at once\n"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)


def test_handlers_are_put_back_after_an_error() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ZeroDivisionError), handling((signal.SIGTERM,), interrupt):
        assert signal.getsignal(signal.SIGTERM) is interrupt
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGTERM) is before


def test_outside_the_main_thread_nothing_is_handled() -> None:
    """Python forbids it there; a run started from a thread must not fail for it."""
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with StopRequest().listening():
                pass
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not failures
