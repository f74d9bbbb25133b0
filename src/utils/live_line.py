"""One line at the foot of a terminal that changes while other words appear above it; drawn by tqdm."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, TextIO, cast

WIDEST = 110  # columns
KNOWN = "{desc} |{bar}| {n}/{total}  {speed}  {rest}{also}"
UNKNOWN = "{desc}  {n} {unit}  {speed}{also}"
NOTHING = "{desc} ...{also}"


class LiveLine:
    """The line; of several things that are counted it shows the one that began last.

    What goes wrong with the terminal ends the line and nothing else.

    Args:
        stream: the terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lock = stream, threading.RLock()
        self._bars: list[Any] = []
        self._is_open = False  # whether somebody's words wait for the end of their line

    def open(self, what: str, total: int, unit: str, start: int) -> Any:
        """A place on the line, to be given to :meth:`move` and :meth:`close`."""
        with self._lock:
            self._clear()
            # A delay, since it would draw itself before it knows its width; own intervals are kept by the counter.
            form = KNOWN if total else UNKNOWN if unit else NOTHING
            bar = _bar()(desc=what, total=total or None, unit=unit, initial=start, bar_format=form, file=self._stream,
                         leave=False, position=0, mininterval=0, miniters=0, smoothing=0.05, delay=1e-9,
                         ascii=not _speaks_unicode(self._stream))
            self._bars.append(bar)
            self._draw()
            return bar

    def move(self, bar: Any, done: int, note: str, left: float | None) -> None:
        """Says how far it is; arguments as of :meth:`.progress.Counter.at`."""
        with self._lock:
            if self._bars and bar is self._bars[-1] and not self._is_open:
                bar.note, bar.left, bar.ncols = note, left, self._columns
                # Where nothing was done since, the time goes on to count for the speed.
                self._safely(bar.refresh if done == bar.n else lambda: bar.update(done - bar.n))

    def close(self, bar: Any) -> None:
        """Gives a place back."""
        with self._lock:
            if any(each is bar for each in self._bars):
                self._clear()
                self._bars = [each for each in self._bars if each is not bar]  # by identity: tqdm's equality is another
                bar.disable = self._is_open  # it would take somebody's words away
                self._safely(bar.close)
                self._draw()

    @contextmanager
    def below_all_words(self) -> Iterator[None]:
        """Inside the ``with`` block what is written to ``sys.stdout`` and ``sys.stderr`` appears above the line."""
        before = sys.stdout, sys.stderr
        own = tuple(cast(TextIO, _Above(stream, self)) for stream in before)
        sys.stdout, sys.stderr = own
        try:
            yield
        finally:
            for bar in list(self._bars):
                self.close(bar)
            if sys.stdout is own[0]:
                sys.stdout = before[0]
            if sys.stderr is own[1]:
                sys.stderr = before[1]

    @contextmanager
    def lifted(self, text: str) -> Iterator[None]:
        """Inside the ``with`` block there is room for a text in the place of the line."""
        with self._lock:
            if text and not self._is_open:
                self._clear()
            try:
                yield
            finally:
                if text:
                    self._is_open = not text.endswith("\n")
                self._draw()

    def _draw(self) -> None:
        if self._bars and not self._is_open:
            bar = self._bars[-1]
            bar.ncols = self._columns
            self._safely(bar.refresh)

    def _clear(self) -> None:
        if self._bars and not self._is_open:
            self._safely(self._bars[-1].clear)

    @property
    def _columns(self) -> int:
        try:
            return min(WIDEST, max(20, os.get_terminal_size(self._stream.fileno()).columns - 1))
        except (OSError, ValueError):
            return 79

    def _safely(self, write: Callable[[], object]) -> None:
        try:
            write()
        except (OSError, ValueError):  # the terminal has gone
            self._bars.clear()


class _Above:
    """A stream whose words appear above a live line."""

    def __init__(self, stream: TextIO, line: LiveLine) -> None:
        self._stream, self._line = stream, line

    def write(self, text: str) -> int:
        with self._line.lifted(text):
            written = self._stream.write(text)
            self._stream.flush()
            return written

    def writelines(self, lines: Any) -> None:
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@cache
def _bar() -> Any:
    """The class of bars: tqdm's, without its thread and without a lock that processes share."""
    tqdm = importlib.import_module("tqdm").tqdm

    class Bar(tqdm):  # type: ignore[valid-type,misc]
        """A bar that knows seconds and words of its own."""

        monitor_interval = 0
        note, left = "", None

        @property
        def format_dict(self) -> dict[str, Any]:
            told: dict[str, Any] = super().format_dict
            rate = told["rate"] or (self.n - self.initial) / max(told["elapsed"], 1e-9)
            left = (self.total - self.n) / rate if self.left is None and self.total and rate else self.left
            return {**told, "speed": speed(rate) if rate else "",
                    "rest": "" if left is None else f"{duration(left)} left",
                    "also": f"  {self.note}" if self.note else ""}

    Bar.set_lock(threading.RLock())
    return Bar


def speed(rate: float) -> str:
    """Such as ``52/s``, ``3.1/s``, ``14/min``."""
    return f"{rate:.0f}/s" if rate >= 10 else f"{rate:.1f}/s" if rate >= 1 else f"{60 * rate:.1f}/min"


def duration(seconds: float) -> str:
    """Such as ``34 s``, ``2:05 min``, ``1:30 h``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60}:{whole % 60:02} min" if whole < 3600 else f"{whole // 3600}:{whole % 3600 // 60:02} h"


def _speaks_unicode(stream: TextIO) -> bool:
    return "utf" in (getattr(stream, "encoding", "") or "").lower()
