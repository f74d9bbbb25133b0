"""Sacred's records in SQL databases."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sacred.observers import SqlObserver

from .same import is_same, tell_other

ATTEMPTS = 100  # to find a number that no other run takes at the same moment


class SqlRuns(SqlObserver):
    """One session for the run's thread and that of its heartbeat, which :class:`.Apart` keeps from each other.

    Sacred's own has a session for each thread, so that what the heartbeat says is written only at the end.

    Args:
        engine: SQLAlchemy's.
        continued: ``run_id`` of the row in which this run goes on; None for a new one.
        times: when it began, and went on; a row of another time is another run's.
    """

    def __init__(self, engine: Any, continued: str | None = None, times: Sequence[datetime] = ()) -> None:
        from sqlalchemy.orm import Session

        made = SqlObserver.create_from(engine, Session(engine))
        self.__dict__.update(vars(made))
        self.continued, self.times = continued, times

    def _add_event(self, ex_info: Any, command: Any, host_info: Any, config: Any, meta_info: Any, _id: Any, status: str,
                   **kwargs: Any) -> Any:
        from sqlalchemy.exc import IntegrityError, OperationalError, SADeprecationWarning, SAWarning

        if self.continued is not None and (known := self._go_on(status)) is not None:
            return known
        for attempt in range(ATTEMPTS):
            try:
                with warnings.catch_warnings():
                    # Sacred is written for SQLAlchemy 1, which its user cannot help.
                    warnings.filterwarnings("ignore", category=SADeprecationWarning)
                    warnings.filterwarnings("ignore", category=SAWarning)
                    return super()._add_event(ex_info, command, host_info, config, meta_info, _id, status, **kwargs)
            except (IntegrityError, OperationalError):  # another run has taken the number, or makes the tables
                self.session.rollback()
                if _id is not None or attempt + 1 == ATTEMPTS:
                    raise
        return None

    def _go_on(self, status: str) -> str | None:
        from sacred.observers.sql_bases import Run

        self.run = self.session.query(Run).filter_by(run_id=str(self.continued)).one_or_none()
        if self.run is None:  # another database
            return None
        if not is_same(self.run.start_time, self.times):
            tell_other("the SQL database", self.continued)
            self.run = None
            return None
        self.run.status, self.run.stop_time, self.run.fail_trace = status, None, None
        self.save()
        return self.continued

    def save(self) -> None:
        try:
            super().save()
        except BaseException:
            self.session.rollback()
            raise
