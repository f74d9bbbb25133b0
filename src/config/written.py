"""Python values as the ``key=value`` words of a command line."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import UserError, clipped
from .reading import parse_overrides


def word(key: str, value: Any) -> str:
    """``key=value``, from which a configuration reads back the same value.

    Args:
        key: of the configuration.
        value: None, a truth value, a number, text, a path, or a list or mapping of such; NumPy's numbers, too.

    Raises:
        UserError: it is something else.
    """
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str) and value and parse_overrides([f"text={value}"]) == {"text": value}:
        return f"{key}={value}"  # as people write it
    return f"{key}={_flow(key, value)}"


def _flow(key: str, value: Any) -> str:
    """The value as YAML on one line."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_flow(key, each) for each in value)}]"
    if isinstance(value, Mapping):
        parts = [f"{_quoted(str(name))}: {_flow(key, each)}" for name, each in value.items()]
        return f"{{{', '.join(parts)}}}"
    raise UserError(f"the config key '{key}' cannot be {clipped(repr(value))}, a {type(value).__name__}; give a "
                    "number, text, a truth value, a path, or a list or dict of such.")


def _quoted(text: str) -> str:
    plain = (letter if " " <= letter <= "~" and letter not in '"\\' else f"\\U{ord(letter):08x}" for letter in text)
    return f'"{"".join(plain)}"'
