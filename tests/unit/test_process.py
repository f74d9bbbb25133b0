"""Signals: what is begun can be finished, a second one interrupts, and afterwards all is as before."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from epymarl_cpa.utils.process import StopRequest, handling, interrupt, program, told_if_interrupted
from epymarl_cpa.utils.sacred_error import Error

BOTH = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def in_the_foreground() -> Iterator[None]:
    """Programs that a shell starts in the background ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def now() -> list[object]:
    return [signal.getsignal(number) for number in BOTH]


@pytest.mark.parametrize("number", BOTH)
def test_the_first_signal_is_noted_and_the_second_interrupts(number: signal.Signals) -> None:
    before, request = now(), StopRequest()
    with pytest.raises(KeyboardInterrupt), request.listening():
        assert not request.made
        os.kill(os.getpid(), number)
        assert request.made
        os.kill(os.getpid(), number)
    assert now() == before


@pytest.mark.parametrize("number", BOTH)
def test_an_interrupted_command_is_one_line(number: signal.Signals, capsys: pytest.CaptureFixture[str]) -> None:
    before = now()

    def command() -> int:
        os.kill(os.getpid(), number)
        return 0

    assert told_if_interrupted(command) == 130
    assert capsys.readouterr() == ("", "Interrupted.\n")
    assert now() == before
    assert told_if_interrupted(lambda: 7) == 7


def test_outside_the_main_thread_signals_are_left_alone() -> None:
    seen: list[list[object]] = []

    def elsewhere() -> None:
        with handling(BOTH, interrupt):
            seen.append(now())

    before = now()
    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [before]


@pytest.mark.parametrize(("script", "typed"), [
    ("/usr/bin/epymarl-cpa", "epymarl-cpa"), ("/x/epymarl_cpa/__main__.py", "python -m epymarl_cpa"),
    ("src/main.py", "python src/main.py")])
def test_what_to_type_for_this_program(script: str, typed: str) -> None:
    assert program(script) == typed


def test_a_mistake_is_told_by_sacred_without_a_traceback_or_how_to_use_it() -> None:
    error = Error("the file is damaged.")
    assert (str(error), error.print_traceback, error.print_usage) == ("the file is damaged.", False, False)
    assert type(error).__module__ == "builtins", "else its name would be told with that of a file"
