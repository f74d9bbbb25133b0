"""What scripts may give as a name or a number."""

from __future__ import annotations

import operator
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

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


def flag(what: str, value: Any) -> bool:
    """A truth value, of Python or NumPy.

    Raises:
        UserError: it is something else, such as the text ``"False"``, which would be true.
    """
    if not isinstance(value, bool | np.bool_):
        raise UserError(f"{what} must be True or False, not {shown(value)}.")
    return bool(value)


def one_of(what: str, value: Any, choices: Sequence[str]) -> str:
    """One of a few words.

    Raises:
        UserError: it is another, or none.
    """
    if not isinstance(value, str) or value not in choices:
        raise UserError(f"{what} must be {', '.join(choices[:-1])} or {choices[-1]}, not {shown(value)}.")
    return value


def whole(value: Any) -> int | None:
    """A whole number; None if it is something else, as truth values are."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None
