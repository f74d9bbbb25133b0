"""What a run asks of the operating system: signals, and memory that is kept."""

from __future__ import annotations

import ctypes
import io
import os
import resource
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1]
#: makes a folder the package, as ``main.py`` does, and runs one of its modules
STARTED = """
import importlib.util, runpy, sys
folder, module = sys.argv[1:3]
spec = importlib.util.spec_from_file_location("epymarl_cpa", folder + "/__init__.py",
                                              submodule_search_locations=[folder])
package = importlib.util.module_from_spec(spec)
sys.modules["epymarl_cpa"] = package
spec.loader.exec_module(package)
sys.argv[:3] = [module]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


def python_module(module: str) -> list[str]:
    """The words that run a module of this package in a new process, installed or not; its arguments follow."""
    return [sys.executable, "-c", STARTED, str(PACKAGE), module]


def program(script: str) -> str:
    """What to type for this program, which was started by ``script``."""
    name = Path(script).name
    return "epymarl-cpa" if name == "epymarl-cpa" else "python -m epymarl_cpa" if name == "__main__.py" else \
        f"python {shlex.quote(script)}"


@contextmanager
def handling(signals: tuple[signal.Signals, ...], handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Handles the signals by ``handler`` inside the ``with`` block, and as before after it.

    Does nothing outside the main thread, where Python allows no handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def interrupt(signum: int, frame: Any) -> None:
    """A signal handler that behaves like Ctrl-C."""
    raise KeyboardInterrupt


@contextmanager
def ending_at_once() -> Iterator[None]:
    """Inside the ``with`` block SIGINT and SIGTERM end the process with one line; nothing can be lost yet.

    Raising would not do: what is imported here may take an exception for a library that is missing.
    """
    def end(signum: int, frame: Any) -> None:
        os.write(2, b"Interrupted before anything was begun.\n")
        os._exit(130)

    with handling((signal.SIGINT, signal.SIGTERM), end):
        yield


def peak_memory() -> int:
    """The largest resident memory of this process so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def print_any_name() -> None:
    """Has names of files that are no text printed with escapes, where Python would end in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def told_if_interrupted(command: Callable[[], int]) -> int:
    """Does a command; where SIGINT or SIGTERM ends it, that is one line and the exit status 130."""
    print_any_name()
    try:
        with handling((signal.SIGTERM,), interrupt):
            return command()
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


class StopRequest:
    """Notes the first SIGINT or SIGTERM, and says so, so that work in progress can be finished; the second interrupts
    at once.

    Attributes:
        made: whether a signal has come.
    """

    def __init__(self) -> None:
        self.made = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listens inside the ``with`` block."""
        with handling((signal.SIGINT, signal.SIGTERM), self._note):
            yield

    def _note(self, signum: int, frame: Any) -> None:
        if self.made:
            raise KeyboardInterrupt
        self.made = True
        try:  # not by print(), which a signal may have interrupted
            os.write(2, b"\nending after this step; once more to end at once\n")
        except OSError:
            pass  # nobody listens


def keep_freed_memory() -> None:
    """Asks glibc to reuse large freed blocks instead of returning them to the system at once.

    Every layer of a batch frees and takes the same few megabytes; going through the kernel each
    time costs a fifth of a training step.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return  # another C library: nothing lost but speed
    m_trim_threshold, m_mmap_threshold = -1, -3
    mallopt(m_mmap_threshold, 1 << 30)
    mallopt(m_trim_threshold, (1 << 31) - 1)
