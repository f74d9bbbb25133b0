"""One of Sacred's observers, apart from the others."""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from sacred.observers import RunObserver

from ..utils.files import reason
from ..utils.sacred_error import Error


class Apart(RunObserver):
    """Gives an observer a number of its own for the run and copies of its own; its failures harm nobody else.

    Sacred forces the number of the first observer on all others, and leaves one out for good that failed once.  Here
    a failure is told once, and what could not be recorded is given again with the next heartbeat.

    Args:
        observer: Sacred's.
        place: where it records, in words.
        number: of the run, if the user has given one.
        priority: which observers are told first: those with a high one.
        limit: makes a context in which what the observer does cannot take long.

    Attributes:
        id: the run's number in this observer; None until the run has begun.
    """

    def __init__(self, observer: Any, place: str, number: Any = None, priority: int | None = None,
                 limit: Callable[[], AbstractContextManager[Any]] = nullcontext) -> None:
        self.observer, self.place, self.number, self._limit = observer, place, number, limit
        self.priority = observer.priority if priority is None else priority
        self.id: Any = None
        self._begun, self._told, self._lock = False, False, threading.RLock()
        self._points: dict[str, dict[str, list[Any]]] = {}
        self._beat: Callable[[], None] | None = None  # the last heartbeat, if it failed

    def queued_event(self, ex_info: Any, command: Any, host_info: Any, queue_time: Any, config: Any, meta_info: Any,
                     _id: Any) -> Any:
        return self._begin("queued_event", ex_info, command, host_info, queue_time, config, meta_info)

    def started_event(self, ex_info: Any, command: Any, host_info: Any, start_time: Any, config: Any, meta_info: Any,
                      _id: Any) -> Any:
        return self._begin("started_event", ex_info, command, host_info, start_time, config, meta_info)

    def _begin(self, event: str, *facts: Any) -> Any:
        try:
            with self._lock, self._limit():
                self.id = getattr(self.observer, event)(*copy.deepcopy(facts), self.number)
        except FileExistsError:
            raise Error(f"{self.place} holds a run {self.number} already; leave out --id, or give another "
                        "one.") from None
        except Exception as error:  # databases raise some dozen kinds
            raise Error(f"the run cannot be recorded in {self.place} ({in_short(error)}).") from None
        self._begun = True
        return self.id

    def note(self, key: str, value: str) -> None:
        """Has the observer say something of the run at once, if it can."""
        if hasattr(self.observer, "note"):
            self._do(lambda: self.observer.note(key, value))

    def log_metrics(self, metrics_by_name: Mapping[str, Mapping[str, list[Any]]], info: dict[str, Any]) -> None:
        for name, points in metrics_by_name.items():
            waiting = self._points.setdefault(name, {key: [] for key in points})
            for key, values in points.items():
                waiting[key] += values
        self._do(lambda: self._give_points(info))

    def _give_points(self, info: dict[str, Any]) -> None:
        for name in list(self._points):  # one by one: none is given twice after a failure
            self.observer.log_metrics({name: self._points[name]}, info)
            del self._points[name]

    def heartbeat_event(self, info: dict[str, Any], captured_out: str, beat_time: Any, result: Any) -> None:
        settled = {key: list(value) if isinstance(value, list) else value for key, value in dict(info).items()}

        def beat() -> None:
            self.observer.heartbeat_event(settled, captured_out, beat_time, result)
            self._told, self._beat = False, None

        self._beat = beat
        self._do(beat)

    def _beat_again(self) -> None:
        """Gives a heartbeat that failed once more: after a run's end there is none that would make up for it."""
        if self._beat:
            self._do(self._beat)

    def completed_event(self, stop_time: Any, result: Any) -> None:
        self._beat_again()
        self._do(lambda: self.observer.completed_event(stop_time, result))

    def interrupted_event(self, interrupt_time: Any, status: Any) -> None:
        self._beat_again()
        self._do(lambda: self.observer.interrupted_event(interrupt_time, status))

    def failed_event(self, fail_time: Any, fail_trace: Any) -> None:
        self._beat_again()
        self._do(lambda: self.observer.failed_event(fail_time, fail_trace))

    def resource_event(self, filename: str) -> None:
        self._do(lambda: self.observer.resource_event(filename))

    def artifact_event(self, name: str, filename: str, metadata: Any = None, content_type: Any = None) -> None:
        self._do(lambda: self.observer.artifact_event(name, filename, metadata, content_type))

    def join(self) -> None:
        self.observer.join()

    def _do(self, event: Callable[[], object]) -> None:
        """Does what the observer is asked for, once it knows of the run; tells what it raises."""
        if not self._begun:
            return
        try:
            with self._lock, self._limit():
                event()
        except Exception as error:  # databases raise some dozen kinds
            if not self._told:
                self._told = True
                logging.getLogger("epymarl_cpa").warning("the run goes on, but is not recorded in %s at present (%s)",
                                                         self.place, in_short(error))


def in_short(error: BaseException) -> str:
    """The first line of what an error says."""
    if isinstance(error, OSError) and error.errno:
        return reason(error)
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
