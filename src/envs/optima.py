"""Exact optima that take minutes to compute, kept after the first time.

The package ships ``optima.json`` with the values of the games' defaults, written by
``python -m epymarl_cpa.envs``; other variants are kept in the user's cache folder.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..utils.bounded import read_text
from ..utils.files import write_text

SHIPPED = Path(__file__).with_name("optima.json")


def user_cache() -> Path:
    """Folder for values that can be computed again at any time."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "epymarl_cpa"


def _read(path: Path) -> dict[str, float]:
    try:
        table = json.loads(read_text(path))
    except (OSError, ValueError, RecursionError, UserError):
        return {}
    return table if isinstance(table, dict) else {}


def cached_optimum(spec: dict[str, Any], compute: Callable[[], float]) -> float:
    """The value stored for ``spec``, or that of ``compute``, which is then stored if possible."""
    key = json.dumps(spec, sort_keys=True)
    own = user_cache() / "optima.json"
    for path in (SHIPPED, own):
        value = _read(path).get(key)
        if isinstance(value, float) and math.isfinite(value):
            return value
    value = compute()
    try:
        own.parent.mkdir(parents=True, exist_ok=True)
        write_text(own, json.dumps({**_read(own), key: value}, indent=1))
    except OSError:
        pass  # a cache that cannot be written costs time only
    return value
