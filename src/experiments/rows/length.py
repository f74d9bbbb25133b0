"""Whether rows are of runs that were long enough to mean anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from ...config import resolve
from ...errors import UserError
from .reading import Rows

SHARE = 10  # runs shorter than a tenth of what their configuration says show only that the method runs
LENGTHS = ("t_max", "student_t_max")
TOLD = 8  # methods that are named


def about_length(rows: Rows) -> list[str]:
    """A sentence about the rows that are too short to mean anything; none if there are none."""
    short = [(row, length) for row in rows if (length := too_short(row)) is not None]
    if not short:
        return []
    algs = list(dict.fromkeys(row["alg"] for row, _ in short))
    more = f" and {len(algs) - TOLD} more" if len(algs) > TOLD else ""
    count = f"All {len(rows)} rows are" if len(short) == len(rows) > 1 else \
        f"{len(short)} of {len(rows)} rows {'is' if len(short) == 1 else 'are'}"
    return [f"Too short to mean anything: {count} of runs of less than a tenth of what their method's configuration "
            f"says ({short[0][1]}); such runs show that a method works, not how well: {', '.join(algs[:TOLD])}{more}."]


def too_short(row: Mapping[str, Any]) -> str | None:
    """By which key a run was too short, as ``t_max=20 instead of 600``; None if it was not.

    Only overrides make it so: what somebody's own configuration says is taken to be long enough.
    """
    words = row["alg"].split()
    given = dict(word.partition("=")[::2] for word in (*row.get("with", ()), *words[1:]))
    for key in LENGTHS:
        said = given.get(key, "")
        usual = _usual(words[0], row["env"]).get(key) if words and re.fullmatch("[0-9]{1,18}", said) else None
        if usual is not None and int(said) * SHARE < usual:
            return f"{key}={said} instead of {usual}"
    return None


@cache
def _usual(alg: str, env: str) -> dict[str, int]:
    """The lengths that a configuration says; none of one that is not here."""
    try:
        config = resolve(alg, env)
    except UserError:
        return {}
    return {key: config[key] for key in LENGTHS if key in config}
