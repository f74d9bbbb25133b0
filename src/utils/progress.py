"""How far something long is: one live line at the foot of a terminal, else now and then a plain line.

Whatever takes long counts (:func:`counting`); only a command decides whether anybody sees it (:func:`showing`).  So
the same code is silent in a sweep's workers and in programs that import it.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO, TypeVar

from ..errors import UserError
from .libraries import is_installed
from .live_line import LiveLine

PACE = 0.1  # seconds between changes of the live line
PATIENCE = 0.4  # seconds before something takes over the live line: what is done at once does not flicker
LONGEST = 60  # letters of what is counted
PAUSE = 10.0  # seconds between plain lines, and before the first

Tell = Callable[[str], None]
Thing = TypeVar("Thing")


class Counter:
    """How far one thing is.

    Args:
        what: in a few words.
        total: where it ends; 0 where nobody knows.
        unit: what is counted, in the plural; empty where nothing is.
        start: what was done before.
        line: the live line, if there is one.
        at_once: whether it takes over the line at its beginning, and not only after :data:`PATIENCE`.
        tell: takes plain lines, if somebody does.
    """

    def __init__(self, what: str, total: int, unit: str, start: int, line: LiveLine | None, at_once: bool,
                 tell: Tell | None) -> None:
        self._what = "".join(letter if letter.isprintable() else "?" for letter in what[:LONGEST])  # it may name a file
        self._total, self._unit, self._start = total, unit, start
        self._line, self._tell, self._place = line, tell, None
        self._began = time.monotonic()
        self._due = self._began + (PATIENCE if line is not None else PAUSE if tell is not None else math.inf)
        if line is not None and at_once:
            self._due, self._place = self._began, line.open(self._what, total, unit, start)

    @property
    def is_live(self) -> bool:
        """Whether there is a line on a terminal."""
        return self._line is not None

    def at(self, done: int, note: str = "", left: float | None = None) -> None:
        """Says how far it is; may be called as often as one likes.

        Args:
            done: how much of the total.
            note: what else to show on the live line.
            left: seconds that are left, where they do not follow from the speed so far.
        """
        now = time.monotonic()
        if now < self._due:
            return
        if self._line is not None:
            self._due = now + PACE
            if self._place is None:
                self._place = self._line.open(self._what, self._total, self._unit, self._start)
            self._line.move(self._place, done, note, left)
        elif self._tell is not None:
            self._due = now + PAUSE
            self._tell(self._words(done, now - self._began))

    def close(self) -> None:
        """Takes the live line away."""
        if self._line is not None and self._place is not None:
            self._line.close(self._place)
        self._line, self._due = None, math.inf

    def _words(self, done: int, seconds: float) -> str:
        if not self._total:
            return f"{self._what}: {done} {self._unit}"
        made = done - self._start
        left = f", {seconds * (self._total - done) / made:.0f} s left" if made > 0 else ""
        return f"{self._what}: {done} of {self._total} {self._unit}{left}"


class _Shown:
    """Where progress is shown: on a live line, by plain lines, or (neither) nowhere."""

    def __init__(self, line: LiveLine | None, tell: Tell | None) -> None:
        self.line, self.tell, self._process = line, tell, os.getpid()

    @property
    def is_here(self) -> bool:
        """Whether it was begun in this process, and not in one that this is a copy of."""
        return self._process == os.getpid()


_shown: list[_Shown] = []


@contextmanager
def counting(what: str, total: int = 0, unit: str = "steps", start: int = 0, tell: Tell | None = None,
             foremost: bool = False) -> Iterator[Counter]:
    """A counter, for as long as the ``with`` block takes; within another one it takes over the live line.

    Args:
        what, total, unit, start: as for :class:`Counter`.
        tell: takes plain lines where no command has said who does.
        foremost: whether it is what the command is about: it is there from the beginning, and has plain lines of its
            own, so that none are written here.
    """
    here = _shown[-1] if _shown and _shown[-1].is_here else None
    counter = Counter(what, total, unit, start, here.line if here else None, foremost or not unit,
                      None if foremost else here.tell if here else tell)
    try:
        yield counter
    finally:
        counter.close()


def counted(things: Sequence[Thing], what: str, unit: str = "steps") -> Iterator[Thing]:
    """The things one after the other, counted as they are asked for; arguments as for :class:`Counter`."""
    with counting(what, len(things), unit) as counter:
        for done, thing in enumerate(things):
            counter.at(done)
            yield thing


@contextmanager
def showing(live: bool | None, tell: Tell | None) -> Iterator[None]:
    """Shows what is counted inside the ``with`` block, unless somebody around it shows or hides it already.

    Args:
        live: on a live line. None: where there is a terminal and tqdm is installed; true: also where only the standard
            error is a terminal.
        tell: takes plain lines, where there is no live line; None: nobody does.

    Raises:
        UserError: a live line is asked for, but tqdm is not installed.
    """
    if live:
        check_library()
    if _shown and _shown[-1].is_here:
        yield
        return
    stream = None if live is False or not is_installed("tqdm") else terminal(bool(live))
    with _on_top(_Shown(None if stream is None else LiveLine(stream), tell)) as shown:
        if shown.line is None:
            yield
        else:
            with shown.line.below_all_words():
                yield


@contextmanager
def silent() -> Iterator[None]:
    """Nothing that is counted inside the ``with`` block is shown, whoever asks for it."""
    with _on_top(_Shown(None, None)):
        yield


def is_live() -> bool:
    """Whether what is counted now appears on a terminal."""
    return bool(_shown) and _shown[-1].is_here and _shown[-1].line is not None


def check_library() -> None:
    """Raises:
        UserError: there can be no live line for want of tqdm.
    """
    if not is_installed("tqdm"):
        raise UserError("progress=true needs tqdm: pip install 'epymarl-cpa[progress]'.")


def terminal(asked: bool = False) -> TextIO | None:
    """The terminal for a live line, if there is one.

    The line goes to standard error.  Where standard output is led elsewhere there is none, since its words may come
    back to the same terminal by way of another program; unless it is ``asked`` for.
    """
    try:
        streams = [sys.__stderr__] if asked else [sys.__stderr__, sys.__stdout__]
        there = all(stream is not None and stream.isatty() for stream in streams)
    except ValueError:  # closed
        return None
    return sys.__stderr__ if there and os.environ.get("TERM") != "dumb" else None


@contextmanager
def _on_top(shown: _Shown) -> Iterator[_Shown]:
    _shown.append(shown)
    try:
        yield shown
    finally:
        _shown.remove(shown)
