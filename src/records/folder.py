"""Sacred's records as folders of files, each of which is whole at any time."""

from __future__ import annotations

import json
import logging
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from sacred.observers import FileStorageObserver
from sacred.serializer import flatten

from ..utils.files import write_text, write_with
from .alive import hold, killed, mark_killed, read, release

COUT, METRICS = "cout.txt", "metrics.json"


class Folder(FileStorageObserver):
    """A folder for each run; what cannot be written leaves the files as they were, and is written the next time.

    Records in ``basedir`` of runs that were killed are told from those that go on, and corrected.

    Args:
        basedir: of the numbered folders.
        continued: the folder in which this run goes on; None for a new one.
    """

    def __init__(self, basedir: str | Path, continued: Path | None = None) -> None:
        super().__init__(str(basedir))
        self.continued = continued
        self._held: TextIO | None = None
        self._series: dict[str, dict[str, list[Any]]] = {}
        self._before: Mapping[str, Mapping[str, Sequence[Any]]] = {}
        self._unsaved, self._written = True, 0

    def started_event(self, ex_info: Any, command: Any, host_info: Any, start_time: Any, config: Any, meta_info: Any,
                      _id: Any) -> Any:
        before = read(self.continued) if self.continued else {}
        number = super().started_event(ex_info, command, host_info, start_time, config, meta_info, _id)
        if self.continued:
            self.cout = said(self.continued)
            self.cout_write_cursor = len(self.cout)
            self._before = _series(self.continued)
            self.run_entry["start_time"] = before.get("start_time", start_time.isoformat())
            self.run_entry["resumed"] = [*before.get("resumed", []), start_time.isoformat()]
            self.save_json(self.run_entry, "run.json")
        return number

    def _make_run_dir(self, _id: Any) -> None:
        if self.continued is None:
            super()._make_run_dir(_id)
            _correct(Path(self.basedir))
        else:
            self.dir = str(self.continued)
            cout = self.continued / COUT
            self._written = cout.stat().st_size if cout.exists() else 0
        self._held = hold(Path(self.dir))
        if self._held is None:
            raise BlockingIOError(f"another process records a run in {self.dir}")

    def note(self, key: str, value: str) -> None:
        """Says something of the run at once."""
        self.run_entry[key] = value
        self.save_json(self.run_entry, "run.json")

    def log_metrics(self, metrics_by_name: Mapping[str, Mapping[str, Sequence[Any]]], info: Any) -> None:
        """Takes points, which the next heartbeat writes; one that the continued record had keeps its time."""
        for name, points in metrics_by_name.items():
            mine = self._series.setdefault(name, {"values": [], "steps": [], "timestamps": []})
            old = self._before.get(name, {"values": [], "steps": [], "timestamps": []})
            for value, step, time in zip(points["values"], points["steps"], points["timestamps"], strict=True):
                i = len(mine["steps"])
                known = old["steps"][i:i + 1] == [step] and old["values"][i:i + 1] == [value]
                mine["values"].append(value)
                mine["steps"].append(step)
                mine["timestamps"].append(old["timestamps"][i] if known else time.isoformat())
            self._unsaved = True

    def heartbeat_event(self, info: Any, captured_out: str, beat_time: Any, result: Any) -> None:
        if self._unsaved:
            self.save_json(self._series, METRICS)
            self._unsaved = False
        super().heartbeat_event(info, captured_out, beat_time, result)

    def completed_event(self, stop_time: Any, result: Any) -> None:
        super().completed_event(stop_time, result)
        self._let_go()

    def interrupted_event(self, interrupt_time: Any, status: str) -> None:
        super().interrupted_event(interrupt_time, status)
        self._let_go()

    def failed_event(self, fail_time: Any, fail_trace: Any) -> None:
        super().failed_event(fail_time, fail_trace)
        self._let_go()

    def _let_go(self) -> None:
        if self._held is not None:
            release(Path(self.dir), self._held)
            self._held = None

    def save_json(self, obj: Any, filename: str) -> None:
        write_text(Path(self.dir, filename), json.dumps(flatten(obj), sort_keys=True, indent=2), named=False)

    def save_cout(self) -> None:
        new = self.cout[self.cout_write_cursor:].encode()
        with open(Path(self.dir, COUT), "r+b" if Path(self.dir, COUT).exists() else "wb") as file:
            file.seek(self._written)  # over what a full disk has cut off
            file.write(new)
            file.truncate()
        self._written += len(new)
        self.cout_write_cursor = len(self.cout)

    def save_file(self, filename: str, target_name: str | None = None) -> None:
        with open(filename, "rb") as source:
            write_with(Path(self.dir, target_name or Path(filename).name),
                       lambda file: shutil.copyfileobj(source, file), named=False)

    def artifact_event(self, name: str, filename: str, metadata: Any = None, content_type: Any = None) -> None:
        self.save_file(filename, name)
        self.run_entry["artifacts"].append(name)  # written with the next heartbeat


def said(folder: Path) -> str:
    """What the run in a folder has said so far."""
    try:
        return (folder / COUT).read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def _series(folder: Path) -> dict[str, dict[str, list[Any]]]:
    """The series of a record; none where they cannot be read."""
    try:
        series = json.loads((folder / METRICS).read_text(encoding="utf-8"))
        return {name: {key: list(each[key]) for key in ("values", "steps", "timestamps")}
                for name, each in series.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _correct(place: Path) -> None:
    """Says in the records of killed runs that they have ended, and how they go on."""
    for folder in killed(place):
        try:
            if not mark_killed(folder):
                continue
        except OSError:
            continue  # somebody else's, perhaps
        logging.getLogger("epymarl_cpa").info("the run in %s was killed; it goes on with resume=%s", folder,
                                              shlex.quote(str(folder)))
