"""Which libraries there are."""

from __future__ import annotations

import importlib.util


def is_installed(library: str) -> bool:
    """Whether a library can be imported; looked for without importing it."""
    try:
        return importlib.util.find_spec(library) is not None
    except (ImportError, ValueError):  # such as an empty name, or one that was taken away
        return False


def film() -> str:
    """A file for a film that can be made with what is installed."""
    return "team.gif" if is_installed("PIL") else "team.txt"
