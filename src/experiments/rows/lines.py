"""Rows as lines of one file, which is never made shorter without a word."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from ...errors import UserError
from ...utils.bounded import size_of
from ...utils.files import reason, write_text
from .reading import Row


def write_lines(path: Path, rows: Sequence[Row]) -> None:
    """Writes rows to a file, one a line; lines of other runs that it held are kept in a file beside it.

    Args:
        path: of the file, such as ``x.jsonl``; what it held and ``rows`` have not goes to ``x.left_out.jsonl``.
        rows: with an ``id`` each.

    Raises:
        UserError: it cannot be written, or what is there is no file of lines.
    """
    told = ({key: value for key, value in row.items() if key != "model"} for row in rows)  # a path of this machine
    text = "".join(json.dumps(row) + "\n" for row in told)
    beside = path.with_name(f"{path.stem}.left_out{path.suffix}")
    try:
        if left := _others(path, {row["id"] for row in rows}):
            known = _lines(beside)
            write_text(beside, "".join(f"{line}\n" for line in dict.fromkeys([*known, *left])))
            print(f"{len(left)} lines of {path} are of no run that counts in this grid now; they are in {beside}",
                  file=sys.stderr, flush=True)
        write_text(path, text)
    except (OSError, UnicodeDecodeError) as error:
        why = reason(error) if isinstance(error, OSError) else "what is there is no text"
        raise UserError(f"{path} cannot be written ({why}); choose another file with --jsonl.") from None


def _others(path: Path, ids: Collection[str]) -> list[str]:
    """The lines of a file that are of other runs, or of none."""
    return [line for line in _lines(path) if _id(line) not in ids]


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    size_of(path)  # a pipe would never end
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _id(line: str) -> str:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    found = row.get("id") if isinstance(row, dict) else None
    return found if isinstance(found, str) else ""
