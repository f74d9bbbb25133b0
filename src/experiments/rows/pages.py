"""Tables of rows inside Markdown pages, between marks that hold the words of the command that makes them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence

from ...errors import UserError

BEGIN, END = re.compile(r"<!-- table (.+) -->"), "<!-- /table -->"


def filled(page: str, name: str, made: Callable[[Sequence[str]], str]) -> str:
    """The page with new tables.

    Args:
        page: its text.
        name: of its file, for messages.
        made: the table of the words of a mark, without a last line end.

    Raises:
        UserError: a mark has no end, or its words cannot be read; or what ``made`` raises, with the line.
    """
    lines, told = page.split("\n"), []
    at = 0
    while at < len(lines):
        told.append(lines[at])
        if mark := BEGIN.fullmatch(lines[at].strip()):
            end = next((k for k in range(at + 1, len(lines)) if lines[k].strip() == END), None)
            if end is None or any(BEGIN.fullmatch(line.strip()) for line in lines[at + 1:end]):
                raise UserError(f"{name}, line {at + 1}: the table that begins here has no end; put a line {END} "
                                "behind it.")
            try:
                told += [*made(shlex.split(mark[1])).split("\n"), END]
            except (UserError, ValueError) as error:
                raise UserError(f"{name}, line {at + 1}: {error}") from None
            at = end
        at += 1
    return "\n".join(told)
