"""What scripts may give as a name or a number."""

from __future__ import annotations

import operator
import os
from typing import Any

from ..errors import UserError, shown

LONGEST = 4096  # bytes of a path


def named(what: str, value: Any) -> str:
    """A name or path as text.

    Raises:
        UserError: it is something else, or a text that no file can be called by; ``what`` says what it was to be.
    """
    if not isinstance(value, str | os.PathLike) or not isinstance(text := os.fspath(value), str):
        raise UserError(f"{what} must be a name or a path, not {shown(value)}.")
    try:
        fits = "\0" not in text and len(os.fsencode(text)) < LONGEST
    except UnicodeEncodeError:  # half a character
        fits = False
    if not fits:
        raise UserError(f"{what} must be a name or a path; no file can be called {shown(text)}.")
    return text


def whole(value: Any) -> int | None:
    """A whole number; None if it is something else, as truth values are."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None
