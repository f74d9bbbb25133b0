"""Plain tables for the terminal."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Sequence

GAP = "  "
NARROWEST = 24  # letters of the last column


def width() -> int:
    """Letters of a line: those of the terminal, or of ``COLUMNS``."""
    return max(60, shutil.get_terminal_size((120, 24)).columns)


def table(rows: Iterable[Sequence[object]], head: Sequence[str] = (), indent: str = "") -> list[str]:
    """Lines of aligned columns, of which the last is wrapped to the width of the terminal."""
    cells = [[str(cell) for cell in row] for row in rows]
    if not cells:
        return []
    whole = [list(head), *cells] if head else cells
    widths = [max(len(row[i]) for row in whole) for i in range(len(whole[0]) - 1)]
    left = len(indent) + sum(widths) + len(GAP) * len(widths)
    room = max(NARROWEST, width() - left)
    lines: list[str] = []
    for row in whole:
        first = indent + GAP.join([*(f"{cell:<{wide}}" for cell, wide in zip(row, widths, strict=False)), ""])
        parts = textwrap.wrap(row[-1], room, break_long_words=False, break_on_hyphens=False) or [""]
        lines += [(first + part).rstrip() if number == 0 else " " * left + part for number, part in enumerate(parts)]
        if head and row is whole[0]:
            lines += [indent + GAP.join(["-" * wide for wide in widths] + ["-" * min(room, len(row[-1]))])]
    return lines


def paragraph(text: str, indent: str = "") -> list[str]:
    """A text wrapped to the width of the terminal."""
    return textwrap.wrap(text, width(), initial_indent=indent, subsequent_indent=indent, break_long_words=False,
                         break_on_hyphens=False)
