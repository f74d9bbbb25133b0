"""What scripts may give as a name."""

from __future__ import annotations

import os
from typing import Any

from ..errors import UserError, clipped


def named(what: str, value: Any) -> str:
    """A name or path as text.

    Raises:
        UserError: it is something else; ``what`` says what it was to be.
    """
    if isinstance(value, str | os.PathLike) and isinstance(text := os.fspath(value), str):
        return text
    raise UserError(f"{what} must be a name or a path, not {clipped(repr(value))}.")
