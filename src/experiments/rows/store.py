"""The rows of a sweep's finished runs: one file each in its folder, and rows that were given beside them."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ...errors import UserError
from ...utils.bounded import read_text
from ...utils.files import reason, sync, write_text
from .faults import fault_of
from .reading import Row, read_rows

LOCK = ".lock"


def given_rows(sources: Sequence[Path]) -> dict[str, Row]:
    """The rows of ``.jsonl`` files (or folders of rows) by their ``id``; those without one are left out and counted.

    Raises:
        UserError: as :func:`read_rows`.
    """
    rows = read_rows(sources)
    known = {row["id"]: row for row in rows if isinstance(row.get("id"), str)}
    nameless = sum(not isinstance(row.get("id"), str) for row in rows)
    if nameless:
        print(f"{nameless} of {len(rows)} given rows have no 'id' and are ignored", file=sys.stderr, flush=True)
    return known


class Store:
    """The rows of one folder.

    Args:
        folder: of the row files, made if needed; the models of the runs are below it.
        given: further rows by their ``id``, which count where the folder has none.

    Raises:
        UserError: the folder cannot be written.
    """

    def __init__(self, folder: Path, given: Mapping[str, Row] | None = None) -> None:
        self.folder, self._given, self._told = folder, given or {}, set[str]()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _not_writable(folder, error) from None

    def rows(self, ids: Sequence[str], counts: Callable[[Row], bool] = lambda row: True) -> list[Row]:
        """The rows of runs that belong together; none unless all are there, all from the same source, and all count."""
        for found in ([self._read(name) for name in ids], [self._given.get(name) for name in ids]):
            rows = [row for row in found if row and counts(row)]
            if len(rows) == len(ids):
                return rows
        return []

    def all_of(self, name: str) -> list[Row]:
        """The rows of one run, of this folder and given ones, whether they count or not."""
        return [row for row in (self._read(name), self._given.get(name)) if row]

    def model(self, name: str, counts: Callable[[Row], bool] = lambda row: True) -> str:
        """Absolute path of the model that the run left; empty if it did not, its row does not count, or it is gone."""
        row = self._read(name) or {}
        model = self.folder / str(row.get("model") or "")
        return str(model.resolve()) if row.get("model") and model.exists() and counts(row) else ""

    def write(self, rows: Sequence[Row]) -> None:
        """Writes rows that belong together; a crash leaves all of them or too few to count, never old beside new ones.

        Raises:
            UserError: the folder cannot be written.
        """
        files = [self.folder / f"{row['id']}.json" for row in rows]
        try:
            for file in files if len(files) > 1 else []:
                file.unlink(missing_ok=True)
            sync(self.folder)
            for file, row in zip(files, rows, strict=True):
                write_text(file, json.dumps(row) + "\n")
        except OSError as error:
            raise UserError(f"rows cannot be written to {self.folder} ({reason(error)}); the same command continues "
                            "once they can.") from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other sweeps out of the folder inside the ``with`` block; the lock ends with the process.

        Raises:
            UserError: another sweep is in it, or it cannot be written.
        """
        try:
            handle = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise _not_writable(self.folder, error) from None
        try:
            self._hold(handle)
            yield
        finally:
            os.close(handle)

    def _hold(self, handle: int) -> None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = os.pread(handle, 20, 0).decode(errors="replace").strip() or "?"
            raise UserError(f"another sweep is writing to {self.folder} (process {other}); wait for its end, or "
                            "choose another folder with --out.") from None
        except OSError as error:
            raise UserError(f"{self.folder} cannot be locked ({reason(error)}); choose a folder on another disk "
                            "with --out.") from None
        try:
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            raise _not_writable(self.folder, error) from None

    def _read(self, name: str) -> Row | None:
        file = self.folder / f"{name}.json"
        try:
            text = read_text(file)
            row = json.loads(text)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError, UserError):
            row = None
        fault = _fault(row, name)
        if fault and name not in self._told:
            self._told.add(name)
            print(f"{file} {fault}; that run counts as missing", file=sys.stderr, flush=True)
        return None if fault else row


def _not_writable(folder: Path, error: OSError) -> UserError:
    return UserError(f"{folder} cannot be written ({reason(error)}); choose another folder with --out.")


def _fault(row: object, name: str) -> str:
    """What is wrong with a row; empty if nothing is."""
    if not isinstance(row, dict):
        return "is damaged or half-written"
    if row.get("id") != name:
        return f"holds the row of another run ({row.get('id')})"
    return fault_of(row)
