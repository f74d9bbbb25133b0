"""Sacred's records in TinyDB."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sacred.observers import TinyDbObserver

from ..utils.files import write_text
from .same import is_same, tell_other


class TinyRuns(TinyDbObserver):
    """Several runs may write at the same time, and a killed one leaves the file whole.

    Args:
        root: folder of the database.
        continued: ``_id`` of the record in which this run goes on; None for a new one.
        times: when it began, and went on; a record of another time is another run's.
    """

    def __init__(self, root: str, continued: str | None = None, times: Sequence[datetime] = ()) -> None:
        super().__init__(root)
        middleware: Any = self.db.storage
        middleware.storage.close()
        middleware.storage = _WholeFile(Path(root) / "metadata.json")
        self.db_run_id: int | None = None
        self.continued, self.times = continued, times

    def started_event(self, ex_info: Any, command: Any, host_info: Any, start_time: Any, config: Any, meta_info: Any,
                      _id: Any) -> Any:
        found = self._found()
        if found and not is_same(found.get("start_time"), self.times):
            tell_other(self.root, self.continued)
            self.continued = None
        return super().started_event(ex_info, command, host_info, start_time, config, meta_info,
                                     self.continued or _id)

    def _found(self) -> Any:
        """The record with the number of this run, if there is one."""
        from tinydb import where

        return self.runs.get(where("_id") == self.continued) if self.continued else None

    def artifact_event(self, name: str, filename: str, metadata: Any = None, content_type: Any = None) -> None:
        """Keeps the copy open, not the file: that may be gone when the entry is written again."""
        from sacred.observers.tinydb_hashfs.bases import BufferedReaderWrapper

        number = self.fs.put(filename).id
        self.run_entry["artifacts"].append([name, filename, number, BufferedReaderWrapper(self.fs.open(number))])
        self.save()

    def save(self) -> None:
        with open(Path(self.root) / ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self.db_run_id and self.continued:
                found = self._found()
                self.db_run_id = found.doc_id if found else None
            self.runs._next_id = None  # another process may have taken it
            super().save()


class _WholeFile:
    """TinyDB's storage of JSON in one file, read anew every time and replaced in one move."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Any:
        text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        return json.loads(text) if text else None

    def write(self, data: Any) -> None:
        write_text(self.path, json.dumps(data))

    def close(self) -> None:
        """Nothing is open."""
