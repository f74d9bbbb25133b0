"""The report of a run: promise by promise, what guards it, how often it was tried, and what was found."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from .forked import Tally

PACKAGES = ("torch", "numpy", "h5py", "minari", "tensorstore", "sacred")
BEGIN, END = "<!-- attack -->", "<!-- /attack -->"


class Result(NamedTuple):
    """What one attack came to."""

    name: str
    promise: str
    guards: Sequence[str]
    tally: Tally
    seconds: float


def report(results: Sequence[Result], command: str, seed: int) -> str:
    """Markdown: how it was made, a table, and a list of the findings."""
    head = [f"Made by `{command}` (seed {seed}) on {datetime.now(UTC).date()}, code {_commit()}, "
            f"Python {platform.python_version()}, {', '.join(_versions())}, {platform.system()}, in "
            f"{sum(result.seconds for result in results) / 60:.0f} minutes.", "",
            "| attack | promise | tests that guard it, in `tests/` | tried | found |", "|---|---|---|---|---|"]
    rows = [f"| `{result.name}` | {result.promise}. | {', '.join(f'`{guard}`' for guard in result.guards)} | "
            f"{result.tally.cases} in {result.seconds:.0f} s | {len(result.tally.findings) or 'nothing'} |"
            for result in results]
    kinds = [f"- `{result.name}`: " + "; ".join(f"{count} {kind}" for kind, count in sorted(result.tally.kinds.items()))
             for result in results]
    found = [f"- `{result.name}`, {finding}" for result in results for finding in result.tally.findings]
    return "\n".join([*head, *rows, "", "What the cases were, or came to:", "", *kinds, "",
                      *(["Found:", "", *found] if found else ["Nothing was found."]), ""])


def _versions() -> list[str]:
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"no {package}")
    return found


def _commit() -> str:
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=Path(__file__).parent, capture_output=True,
                          text=True)
    return done.stdout.strip() or "of no commit"


def put_into(page: str, text: str) -> str:
    """A page with the report between its two marks."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{text}{END}{rest.partition(END)[2]}"
