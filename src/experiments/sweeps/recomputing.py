"""Rows computed anew by the present code, and how far they agree with what was recorded."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from ...config import word
from ..rows.origin import MADE_BY, code_of
from ..rows.reading import Row, curve_of
from .backends import Backend
from .grid import RunSpec
from .sweep import Sweep
from .validity import code_now

RELATIVE = 1e-6  # sums taken in another order differ by less
RULE = ("\"To the last digit\": the headline and every point of the learning curve are equal. \"Within what another "
        f"machine does\": the headlines differ by at most {RELATIVE:g} of their size, or print the same with two "
        "decimals, as tables do.")


class Agreement(Enum):
    """How far a recorded row and the same run done anew agree."""

    EXACT = "to the last digit"
    CLOSE = "within what another machine does"
    DIFFERENT = "not"
    FAILED = "could not be recomputed"


@dataclass(frozen=True)
class Recomputed:
    """One row and what came of its run.

    Attributes:
        row: as recorded.
        now: the row of the run done anew; None if it failed.
        same_code: whether the recorded row says that the present code made it.
        agreement: of the two.
    """

    row: Row
    now: Row | None
    same_code: bool
    agreement: Agreement


def draw(rows: Mapping[str, Row], specs: Sequence[RunSpec], size: int, seed: int) -> list[RunSpec]:
    """A random sample of the runs that have rows, in the order of the grid; all if there are fewer."""
    known = [spec for spec in specs if spec.id in rows]
    chosen = sorted(random.Random(seed).sample(range(len(known)), min(size, len(known))))
    return [known[index] for index in chosen]


def recompute(rows: Mapping[str, Row], specs: Sequence[RunSpec], folder: Path, make: Callable[[], Backend],
              ) -> tuple[list[Recomputed], list[str]]:
    """Does the runs anew, with data, teachers and stacks of their own, and compares them with their rows.

    Args:
        rows: by ``id``; at least those of ``specs``.
        specs: the runs.
        folder: for data sets, models and rows; an empty one.
        make: makes the backend.

    Returns:
        the comparisons in the order of ``specs``, and a sentence for every run that failed.

    Raises:
        UserError: the folder cannot be written.
    """
    apart = [_apart(spec, folder) for spec in specs]
    sweep = Sweep(folder / "rows", {})
    failed = sweep.run(apart, make)
    found = {row["id"]: row for row in sweep.rows(apart)}
    return [compared(rows[spec.id], found.get(spec.id), code_now(spec)) for spec in specs], failed


def compared(row: Row, now: Row | None, code: str) -> Recomputed:
    """A recorded row beside that of the same run done anew by the code of digest ``code``."""
    if now is None:
        agreement = Agreement.FAILED
    elif row["headline"] == now["headline"] and (not curve_of(row) or curve_of(row) == curve_of(now)):
        agreement = Agreement.EXACT
    elif math.isclose(row["headline"], now["headline"], rel_tol=RELATIVE) or \
            f"{row['headline']:.2f}" == f"{now['headline']:.2f}":
        agreement = Agreement.CLOSE
    else:
        agreement = Agreement.DIFFERENT
    return Recomputed(row, now, code_of(row) == code, agreement)


def summary(found: Sequence[Recomputed]) -> str:
    """How many rows agree how far, in one sentence."""
    told = [f"{sum(each.agreement is kind for each in found)} {'agree ' if kind is Agreement.EXACT else ''}{kind.value}"
            for kind in Agreement if kind is not Agreement.FAILED or any(each.now is None for each in found)]
    return f"Of {len(found)} rows, {', '.join(told)}."


def as_markdown(found: Sequence[Recomputed], title: str) -> str:
    """The comparisons as a page."""
    lines = [f"# {title}", "", summary(found), "", RULE, "", "| row | made | recorded | now | agrees |",
             "|---|---|---|---|---|"]
    for each in found:
        now = "-" if each.now is None else f"{each.now['headline']:.10g}"
        lines.append(f"| {each.row['id']} | {made(each)} | {each.row['headline']:.10g} | {now} "
                     f"| {each.agreement.value} |")
    return "\n".join(lines) + "\n"


def made(each: Recomputed) -> str:
    """By which code the recorded row was made, and when."""
    code = "this code" if each.same_code else "other code" if code_of(each.row) else "unknown code"
    return ", ".join(filter(None, (code, each.row.get(MADE_BY, {}).get("at"))))


def _apart(spec: RunSpec, folder: Path) -> RunSpec:
    """The same run with data sets in a folder of its own; its id does not depend on that."""
    place = str(folder / "datasets")
    kept = [override for override in spec.overrides if not override.startswith("datasets_path=")]
    first = spec.first and _apart(spec.first, folder)
    return replace(spec, overrides=(word("datasets_path", place), *kept),
                   config={**spec.config, "datasets_path": place}, first=first)
