"""How far something is: on a live line, by plain lines, or not at all; and nothing else changes by it."""

from __future__ import annotations

import io
import itertools
import logging
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from outcome import Outcome, equal

from epymarl_cpa.errors import UserError
from epymarl_cpa.experiments.sweep import main as sweep
from epymarl_cpa.utils import live_line, progress
from epymarl_cpa.utils.live_line import duration, speed
from epymarl_cpa.utils.progress import counted, counting, showing, silent

Run = Callable[..., Outcome]


class Terminal(io.StringIO):
    """A terminal, as far as a program that writes to it can tell; keeps all that was ever written."""

    encoding = "utf-8"  # type: ignore[assignment]  # StringIO's is read-only

    def isatty(self) -> bool:
        return True

    @property
    def drawn(self) -> list[str]:
        """What stood on the line, one after the other."""
        return [words for each in self.getvalue().split("\r") if (words := each.rstrip())]

    @property
    def left(self) -> str:
        """What stands on the line at last."""
        line = ""
        for each in self.getvalue().split("\r"):
            line = each + line[len(each):]
        return line.rstrip()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal on which live lines appear without waiting."""
    pytest.importorskip("tqdm")
    there = Terminal()
    monkeypatch.setattr(progress, "terminal", lambda asked=False: there)
    monkeypatch.setattr(progress, "PACE", 0.0)
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    return there


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The time of counters, which a test moves."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    yield now


# ------------------------------------------------------------------------------------------------ a line
def test_the_line_says_how_far_it_is(terminal: Terminal) -> None:
    with showing(None, None), counting("cpa_ar aloha", 400, "updates", foremost=True) as counter:
        assert counter.is_live
        counter.at(100, "loss 0.5  score 0.92", left=75)
    last = next(each for each in reversed(terminal.drawn) if each)
    assert re.fullmatch(r"cpa_ar aloha \|█+\W* *\| 100/400  \d+/s  1:15 min left  loss 0.5  score 0.92", last)
    assert "\x1b" not in terminal.getvalue(), "nothing that a terminal has to be told to undo"
    assert terminal.left == "", "the line goes away"


def test_the_time_left_follows_from_the_speed(terminal: Terminal) -> None:
    with showing(None, None), counting("sleep", 40, "naps", start=10, foremost=True) as counter:
        for done in range(11, 16):
            time.sleep(0.02)
            counter.at(done)
    per_second, left = re.findall(r"15/40  (\d+)/s  (\d) s left", terminal.drawn[-1])[0]
    assert 10 <= int(per_second) <= 60 and int(left) <= 3


def test_one_line_shows_what_began_last(terminal: Terminal) -> None:
    with showing(None, None), counting("outer", 9, foremost=True) as outer:
        with counting("inner", unit=""):
            outer.at(3)
            assert terminal.left == "inner ..."
        assert terminal.left.startswith("outer")
        with counting("reading", unit="episodes") as unknown:
            unknown.at(7)
            assert terminal.left.startswith("reading  7 episodes")
    assert terminal.left == ""


def test_what_is_done_at_once_does_not_flicker(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 60.0)
    with showing(None, None):
        assert list(counted(range(5), "quick")) == [0, 1, 2, 3, 4]
    assert not terminal.drawn


def test_words_appear_above_the_line(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever prints them, in pieces or at once."""
    monkeypatch.setattr(sys, "stdout", terminal)  # as where both are one terminal
    with showing(None, None), counting("run", 9, foremost=True) as counter:
        print("hello", "world")
        print("half a ", end="")
        counter.at(4)
        assert terminal.left == "half a", "what is said in pieces is not overwritten"
        print("line")
        assert terminal.left.startswith("run |")
    screen = [line.rpartition("\r")[2] for line in terminal.getvalue().split("\n")]
    assert screen[:2] == ["hello world", "half a line"]
    assert sys.stdout is terminal


def test_words_without_an_end_stay(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", terminal)
    with showing(None, None), counting("run", 9, foremost=True):
        print("half a line", end="")
    assert terminal.left == "half a line"


def test_the_name_of_a_file_cannot_command_a_terminal(terminal: Terminal) -> None:
    with showing(None, None), counting("reading \x1b[2J\n" + 100 * "x", unit=""):
        assert terminal.left == "reading ?[2J?" + 47 * "x" + " ..."


def test_what_ends_by_an_error_leaves_a_clean_line(terminal: Terminal) -> None:
    before = sys.stdout, sys.stderr
    with pytest.raises(KeyboardInterrupt), showing(None, None), counting("run", 9, foremost=True) as counter:
        counter.at(4)
        raise KeyboardInterrupt
    assert terminal.left == ""
    assert (sys.stdout, sys.stderr) == before


def test_a_terminal_that_goes_away_costs_nothing(terminal: Terminal) -> None:
    with showing(None, None), counting("run", 9, foremost=True) as counter:
        terminal.close()
        for done in range(9):
            counter.at(done)
        print("still here")


@pytest.mark.parametrize(("rate", "words"), [(1234.5, "1234/s"), (9.94, "9.9/s"), (0.5, "30.0/min")])
def test_speeds(rate: float, words: str) -> None:
    assert speed(rate) == words


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "0 s"), (59.6, "1:00 min"), (125, "2:05 min"), (5400, "1:30 h"),
                                                (200_000, "55:33 h")])
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


# ------------------------------------------------------------------------------------------ no live line
def test_without_a_terminal_there_are_plain_lines_now_and_then(clock: list[float]) -> None:
    told: list[str] = []
    with showing(None, told.append), counting("making data", 100, "episodes", start=20) as counter:
        for clock[0], done in ((1, 30), (11, 40), (12, 50), (25, 60)):
            counter.at(done)
        assert not counter.is_live
    assert told == ["making data: 40 of 100 episodes, 33 s left", "making data: 60 of 100 episodes, 25 s left"]


def test_without_a_command_only_those_who_ask_are_told(clock: list[float]) -> None:
    told: list[str] = []
    for tell in (None, told.append):
        with counting("recording", 9, "episodes", tell=tell) as counter:
            clock[0] += 60
            counter.at(3)
    assert told == ["recording: 3 of 9 episodes, 120 s left"]


def test_nothing_is_shown_in_a_silent_place(terminal: Terminal, clock: list[float]) -> None:
    with silent(), showing(None, lambda words: pytest.fail(words)), counting("run", 9) as counter:
        clock[0] += 60
        counter.at(3)
    assert not terminal.getvalue()


def test_a_silent_place_inside_a_command_shows_nothing(terminal: Terminal, clock: list[float]) -> None:
    with showing(None, lambda words: pytest.fail(words)):
        with silent(), counting("run", 9, foremost=True) as counter:
            clock[0] += 60
            counter.at(3)
            assert not counter.is_live
        assert not terminal.drawn
        with counting("run", 9, foremost=True) as counter:
            assert counter.is_live


def test_a_copy_of_the_process_shows_nothing(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    with showing(None, None):
        monkeypatch.setattr(os, "getpid", lambda: -1)
        with counting("run", 9, foremost=True) as counter:
            counter.at(3)
    assert not terminal.drawn


def test_without_tqdm_there_are_plain_lines_and_a_sentence_for_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(progress, "terminal", lambda asked=False: Terminal())
    with showing(None, None), counting("run", 9, foremost=True) as counter:
        assert not counter.is_live
    with pytest.raises(UserError, match=r"^progress=true needs tqdm: pip install 'epymarl-cpa\[progress\]'\.$"), \
            showing(True, None):
        pass


@pytest.mark.parametrize(("streams", "asked", "there"), [("eo", False, True), ("e", False, False), ("e", True, True),
                                                         ("o", True, False), ("", False, False)])
def test_a_terminal_is_looked_for(streams: str, asked: bool, there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "__stderr__", Terminal() if "e" in streams else io.StringIO())
    monkeypatch.setattr(sys, "__stdout__", Terminal() if "o" in streams else io.StringIO())
    assert (progress.terminal(asked) is not None) is there
    monkeypatch.setenv("TERM", "dumb")
    assert progress.terminal(asked) is None


def test_counting_costs_next_to_nothing(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short update takes about a millisecond, of which this is less than one per cent."""
    monkeypatch.setattr(progress, "PACE", 0.1)
    with showing(None, None), counting("run", 10**6, foremost=True) as counter:
        began = time.process_time()
        for done in range(20_000):
            counter.at(done)
        assert (time.process_time() - began) / 20_000 < 1e-5


# ------------------------------------------------------------------------------------------------- runs
def test_a_run_with_a_live_line_is_the_same_run(terminal: Terminal, tiny_run: Run) -> None:
    """All bits, and what Sacred keeps of its words."""
    words = ("t_max=60", "test_interval=20", "test_greedy=false")
    plain = tiny_run(*words, "progress=false", alg="cpa_ar")
    assert not terminal.getvalue()
    live = tiny_run(*words, alg="cpa_ar")
    assert equal(live.state(), plain.state())
    assert live.series() == plain.series()
    assert live.result() == plain.result()
    shown = [each for each in terminal.drawn if each.startswith("cpa_ar xor |")]
    assert re.search(r"\| [1-9]\d?/60  .* left  loss -?[\d.e-]+  score -?[\d.]+$", shown[-1])
    assert terminal.left == ""
    outputs = [[re.sub(r"\d\d:\d\d:\d\d|\d{8}-[\d-]+|xor/\d+|\d+ s\b|ID .*|after .*", "", line)
                for line in (run.sacred / "cout.txt").read_text().splitlines()]
               for run in (plain, live) if run.sacred]
    assert outputs[0][3:] == outputs[1][3:], "after where the data come from"
    assert all("\r" not in line and "|" not in line and "\x1b" not in line for line in outputs[1])


def test_a_live_run_that_is_interrupted_ends_cleanly(terminal: Terminal, tiny_run: Run) -> None:
    before = sys.stdout, sys.stderr
    real, calls = live_line.LiveLine.move, itertools.count()

    def move(*args: object) -> None:
        if next(calls) == 5:
            os.kill(os.getpid(), signal.SIGTERM)
        real(*args)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(live_line.LiveLine, "move", move)
        run = tiny_run("t_max=500", status=130)
    assert run.steps() and run.steps()[-1] < 500, "what was learned is saved"
    assert terminal.left == ""
    assert (sys.stdout, sys.stderr) == before


def test_a_wish_for_a_live_line_without_tqdm_is_told_before_anything_is_written(
        tiny_run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    tiny_run("progress=true", status=2)
    assert capsys.readouterr().err == "Error: progress=true needs tqdm: pip install 'epymarl-cpa[progress]'.\n"
    assert not Path("results/models").exists()


def test_making_and_reading_data_are_counted(terminal: Terminal, tiny_run: Run) -> None:
    small = ("env_args.rows=1", "env_args.cols=2", "env_args.episode_limit=5", "t_max=1")
    for _ in range(2):
        tiny_run(*small, env="aloha")
    for words in ("making aloha medium |", "writing aloha-medium-seed1-", "reading aloha-medium-seed1-",
                  "finding the optimum of aloha ...", "playing 4 episodes |"):
        assert any(each.startswith(words) for each in terminal.drawn), words


def test_recordings_are_counted(terminal: Terminal, tiny_run: Run) -> None:
    run = tiny_run("runner=record", "record_to=own.npz", "record_episodes=5", "dataset=", "recipes.medium.episodes=",
                   "t_max=", "test_interval=", "learner_log_interval=", "save_model_interval=")
    assert any(re.match(r"recording own.npz \|.*\| 5/5 ", each) for each in terminal.drawn)
    assert run.sacred is not None
    assert re.search(r"ar_bc on xor, seed 1:\n  episodes  5\n  return    \d\.\d{4}\n  time      0 s\n"
                     r"  record    results/sacred/ar_bc/xor/1\n  data      own.npz\n",
                     (run.sacred / "cout.txt").read_text())


def test_the_logger_of_a_run_is_heard_above_the_line(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", terminal)
    from epymarl_cpa.utils.logging import get_logger

    console = get_logger()
    with showing(None, console.info), counting("run", 9, foremost=True):
        console.info("heard")
        assert terminal.left.startswith("run |")
    logging.getLogger("epymarl_cpa").handlers.clear()
    assert re.search(r"\[INFO [\d:]{8}\] heard\n", terminal.getvalue())


def test_a_sweep_has_one_line_and_its_runs_have_none(terminal: Terminal, tmp_path: Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("two.yaml").write_text("algs: [ar_bc, bc]\nenvs: [xor]\ndatasets: [good]\nseeds: [0]\nwith: [t_max=2, "
                                "hidden_dim=4, test_nepisode=2, progress=true, recipes.good.episodes=9]\n")
    assert sweep(["two.yaml", "--out=rows", "--backend=serial"]) == 0
    assert all(each.startswith("sweep two |") for each in terminal.drawn)
    assert any(re.search(r"\| 1/2  .* left$", each) for each in terminal.drawn)
    assert terminal.left == ""
