"""Which code made rows: what they say of it themselves, and how it is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

from ...config import resolve
from ...errors import UserError
from ...provenance import code_digest
from .reading import Row, Rows

MADE_BY = "made_by"
#: what trains stacked seeds, besides the method's own code
STACKING = (Path(__file__).parents[1] / "sweeps/stack.py",)
TOLD = 3  # codes that are named one by one


def code_of(row: Row) -> str | None:
    """Digest of the code that made a row; None if it is unknown, as for rows from before digests were recorded."""
    code: str | None = row.get(MADE_BY, {}).get("code")
    return code


def present_code(row: Row) -> str | None:
    """Digest of the code that would make the row now; None if nothing would, as when its method has gone."""
    return _present_code(row["alg"], row["env"], tuple(row.get("with", ())), "stacked" in row)


def of_other_code(rows: Rows, present: Callable[[Row], str | None] = present_code) -> str:
    """Says how many rows other or unknown code made, which, and since when; empty if none.

    Args:
        rows: of finished runs.
        present: the digest of the code that would make a row now.
    """
    others = [row for row in rows if code_of(row) is None or code_of(row) != present(row)]
    if not others:
        return ""
    by_code = Counter(code_of(row) for row in others)
    known = [code for code, _ in by_code.most_common() if code is not None]
    told = [_told(f"code {code}", [row for row in others if code_of(row) == code]) for code in known[:TOLD]]
    if more := known[TOLD:]:
        name = f"{len(more)} further code{'s' * (len(more) > 1)}"
        told.append(_told(name, [row for row in others if code_of(row) in more]))
    if None in by_code:
        told.append(_told("unknown code", [row for row in others if code_of(row) is None]))
    return f"{len(others)} of {len(rows)} rows were made by other or unknown code: {', '.join(told)}"


def about_origin(rows: Rows) -> list[str]:
    """Sentences for readers of tables: about rows of other code, and about runs that an observer ended early."""
    other = of_other_code(rows)
    early = Counter(row["stopped"]["by"] for row in rows if row.get("stopped"))
    told = ", ".join(f"{number} by {name}" for name, number in early.most_common())
    return [*([f"{other}."] if other else []),
            *([f"{early.total()} of {len(rows)} runs were ended early by observers: {told}."] if early else [])]


def _told(code: str, rows: Rows) -> str:
    since = min((row[MADE_BY]["at"] for row in rows if row.get(MADE_BY, {}).get("at")), default="")
    return f"{len(rows)} by {code}" + (f" since {since}" if since else "")


@cache
def _present_code(alg: str, env: str, given: tuple[str, ...], stacked: bool) -> str | None:
    try:
        name, *overrides = alg.split()
        return code_digest(resolve(name, env, [*given, *overrides]), STACKING if stacked else ())
    except UserError:
        return None
