"""What was measured: tables, as Markdown for people and as JSON for programs, and the page that shows them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...utils.files import reason, write_text

BEGIN, END = "<!-- benchmark -->", "<!-- /benchmark -->"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        title: what it is about.
        rows: numbers and words by column; a column that a row lacks is empty there.
        note: what the columns mean, in a sentence or two.
    """

    title: str
    rows: Sequence[Row] = field(default_factory=list)
    note: str = ""

    @property
    def columns(self) -> list[str]:
        """In the order in which they first occur."""
        return [*dict.fromkeys(column for row in self.rows for column in row)]

    def markdown(self) -> str:
        """Title, table and note."""
        columns = self.columns
        lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)] if columns else []
        lines += ["| " + " | ".join(shown(row.get(column, "")) for column in columns) + " |" for row in self.rows]
        return "\n\n".join(text for text in (f"### {self.title}", "\n".join(lines), self.note) if text)


def shown(value: object) -> str:
    """A cell as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


@dataclass(frozen=True)
class Measured:
    """What a benchmark found.

    Attributes:
        made: how, by whom measured (kind of machine) and when, plain JSON.
        parts: tables by part.
    """

    made: Mapping[str, Any]
    parts: Mapping[str, Sequence[Table]]

    def json(self) -> str:
        """Everything, one document."""
        parts = {name: [{"title": table.title, "note": table.note, "rows": [dict(row) for row in table.rows]}
                        for table in tables] for name, tables in self.parts.items()}
        return json.dumps({"made": dict(self.made), "parts": parts}, indent=1, allow_nan=False) + "\n"

    def markdown(self) -> str:
        """The tables, after how they were made."""
        machine = ", ".join(f"{key} {value}" for key, value in self.made["machine"].items())
        small = " Everything was made small (`--quick`): the figures only show that the parts work." \
            if self.made["quick"] else ""
        head = f"Made by `{self.made['command']}` on {self.made['day']}, in {self.made['minutes']} minutes, on: " \
               f"{machine}; {self.made['device']}, threads: {self.made['threads']}.{small}"
        return "\n\n".join([head, *(table.markdown() for tables in self.parts.values() for table in tables)]) + "\n"


def write(path: Path, text: str) -> None:
    """Writes a file, all or nothing.

    Raises:
        UserError: the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({reason(error)}); choose another place.") from None


def put_into(page: str, tables: str, where: str = "the page") -> str:
    """The page with the tables between its marks.

    Raises:
        UserError: it does not have them, once each and in their order.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in after or END in after:
        raise UserError(f"{where} must hold the lines {BEGIN} and {END}, once each: what is between them is replaced.")
    return f"{before}{BEGIN}\n{tables}{END}{after}"


def read_page(path: Path) -> str:
    """A page that tables are put into.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = reason(error) if isinstance(error, OSError) else "it is not text"
        raise UserError(f"the page {path} cannot be read ({why}); make it first, with the lines {BEGIN} and "
                        f"{END}.") from None
