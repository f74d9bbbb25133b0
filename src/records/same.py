"""Whether an entry of a database is of a run that goes on, or of another one with the same number."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from .alive import read

#: how much databases change a time: MongoDB keeps thousandths of a second, some of SQL's whole seconds
FINE, COARSE = timedelta(milliseconds=2), timedelta(seconds=1)


def beginnings(folder: Path | None) -> list[datetime]:
    """When the run in a record's folder began, and when it went on each time; nothing where that is not told.

    Every place of a run has been told the same times.
    """
    entry = read(folder) if folder else {}
    resumed = entry.get("resumed")
    times = list[datetime]()
    for said in (entry.get("start_time"), *(resumed if isinstance(resumed, list) else ())):
        try:
            times.append(datetime.fromisoformat(said).replace(tzinfo=None))
        except (TypeError, ValueError):
            continue
    return times


def is_same(began: object, times: Sequence[datetime]) -> bool:
    """Whether an entry that began then is of the run that began, or went on, at one of these times."""
    if not isinstance(began, datetime):
        return False
    began = began.replace(tzinfo=None)
    near = FINE if began.microsecond else COARSE
    return any(abs(began - time) < near for time in times)


def tell_other(place: str, number: object) -> None:
    """Says that a run is recorded as a new one where another has its number."""
    logging.getLogger("epymarl_cpa").warning(
        "run %s of %s is another one, or nothing tells that it is this one; it is left as it is, and this run is "
        "recorded there as a new one", number, place)
