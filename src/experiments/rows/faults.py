"""What makes an object a row of a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...utils.files import is_writable

#: what every row has
NEEDED: Mapping[str, type | tuple[type, ...]] = {
    "env": str, "dataset": str, "alg": str, "seed": int, "headline": (int, float),
    "headline_optimum": (int, float, type(None)),  # None: the game's is unknown
    "seconds": (int, float), "peak_mb": (int, float)}
#: what rows may have besides, in numbers; what is unknown is missing or null
MAY_HAVE = ("headline_random", "headline_bound", "return", "collisions", "score", "marginal_entropy", "joint_entropy",
            "modes", "teacher_modes", "modes_covered", "tv", "mismatch_rate", "optimal_share", "stacked", "t_max")
LARGEST = 1e100


def fault_of(row: Mapping[str, Any]) -> str:
    """What keeps an object from being a row; empty if nothing does."""
    for key, kind in NEEDED.items():
        value = row.get(key)
        if key not in row or not isinstance(value, kind) or isinstance(value, bool):
            return f"has no usable '{key}'"
        if kind is not str and kind is not int and value is not None and not is_number(value):
            return f"has a '{key}' that is no finite number of a usual size"
        if isinstance(value, str) and not is_writable(value):
            return f"has a text under '{key}' with letters that cannot be written"
    for key in MAY_HAVE:
        value = row.get(key)
        if value is not None and not is_number(value):
            return f"has a '{key}' that is no finite number of a usual size"
    if not row["alg"].strip():
        return "has an empty 'alg'"
    if not _is_curve(row.get("curve") or []):
        return "has a 'curve' that is no list of [t_env, value] with finite numbers"
    if "joint_action" in row and not _is_joint_action(row["joint_action"]):
        return "has a 'joint_action' that is no list of the agents' actions, counted from 0"
    overrides = row.get("with", [])
    if not (isinstance(overrides, list) and all(isinstance(override, str) for override in overrides)):
        return "has a 'with' that is no list of texts"
    if not _is_origin(row.get("made_by", {})):
        return "has a 'made_by' that is no mapping with texts under 'code', 'at', 'rules' and 'data'"
    if "stopped" in row and not (isinstance(row["stopped"], dict) and isinstance(row["stopped"].get("by"), str)):
        return "has a 'stopped' that does not say by which observer"
    return ""


def _is_curve(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(point, list) and len(point) == 2 and all(map(is_number, point)) for point in value)


def is_number(value: Any) -> bool:
    """Whether it is a number such as a result may be, and sums and squares of it are finite, too."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST


def _is_joint_action(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(type(action) is int and action >= 0 for action in value)


def _is_origin(value: Any) -> bool:
    """Whether it may say what made a row; what is unknown is missing or null."""
    return isinstance(value, dict) and all(
        isinstance(value.get(key), str | None) for key in ("code", "at", "rules", "data"))
