"""Values and lists of names in the words of ``explain``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def in_yaml(value: Any) -> str:
    """A value as a YAML file has it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return '""' if value == "" else str(value)


def assigned(values: Mapping[str, Any], keys: Iterable[str]) -> str:
    """Some keys with their values."""
    return " ".join(f"{key}={in_yaml(values[key])}" for key in keys)


def listed(words: Iterable[str]) -> str:
    """Words with commas between them."""
    return ", ".join(words)
