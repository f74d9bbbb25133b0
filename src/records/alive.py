"""Which records are of runs that go on, and which of runs that were killed."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from ..errors import UserError
from ..utils.bounded import read_text
from ..utils.files import write_text

#: held by the process whose record lies in the folder; the system lets go of it when the process ends, however it does
LOCK = ".lock"
RECORD = "run.json"
GLANCES = 20  # tries to take a folder: whoever asks whether it is taken holds it for a moment, too


def hold(folder: Path) -> TextIO | None:
    """Takes a record's folder for this process, until the file is closed; None if another process has it.

    Raises:
        OSError: the folder cannot be written, or its disk has no locks.
    """
    for left in reversed(range(GLANCES)):
        file = open(folder / LOCK, "a", encoding="utf-8")  # noqa: SIM115 (it stays open)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_there(folder / LOCK, file):
                break
        except BlockingIOError:
            if left:
                time.sleep(0.02)
        except BaseException:
            file.close()
            raise
        file.close()
    else:
        return None
    file.truncate(0)
    file.write(f"{os.getpid()} on {socket.gethostname()}\n")
    file.flush()
    return file


def _is_there(path: Path, file: TextIO) -> bool:
    """Whether an open file still has its name: who had it before may have let go, and removed it, meanwhile."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except OSError:
        return False


def release(folder: Path, file: TextIO) -> None:
    """Gives a folder back, whose run has ended and has said so."""
    (folder / LOCK).unlink(missing_ok=True)
    file.close()


def is_alive(folder: Path) -> bool:
    """Whether a process is at work on the record in the folder."""
    try:
        with open(folder / LOCK, encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no such file: it has ended
        return False
    return False


def read(folder: Path) -> dict[str, Any]:
    """What Sacred's ``run.json`` in the folder says; nothing if it cannot be read."""
    try:
        entry = json.loads(read_text(folder / RECORD))
    except (OSError, ValueError, RecursionError, UserError):
        return {}
    return entry if isinstance(entry, dict) else {}


def killed(place: Path) -> Iterator[Path]:
    """The records below ``place`` that say that their run goes on, though it was killed."""
    for lock in sorted(place.glob(f"*/{LOCK}")):
        if not is_alive(lock.parent) and read(lock.parent).get("status") == "RUNNING":
            yield lock.parent


def mark_killed(folder: Path) -> bool:
    """Says in a record that its run has ended.

    Returns:
        Whether it was done; not if another process has taken the record meanwhile.

    Raises:
        OSError: it cannot be written.
    """
    file = hold(folder)
    if file is None:
        return False
    try:
        entry = read(folder)
        if entry.get("status") != "RUNNING":  # somebody was quicker
            return False
        write_text(folder / RECORD, json.dumps({**entry, "status": "INTERRUPTED", "killed": True,
                                                "stop_time": entry.get("heartbeat") or entry.get("start_time")},
                                               sort_keys=True, indent=2))
        return True
    finally:
        release(folder, file)
