"""Arrays in a page: compressed, and as texts that a browser turns back into typed arrays."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: bits of a float's fraction that are kept: four significant digits
KEPT_BITS = 14
KINDS = ("u1", "i1", "u2", "i2", "i4")


def packed(array: NDArray[Any], exact: bool = False) -> dict[str, Any]:
    """One array as JSON: ``type`` (u1, i1, u2, i2, i4, f4 or f8), ``shape`` and ``data`` (base64 of zlib's bytes).

    Whole numbers take the smallest type that holds them all; other floats keep four significant digits, which makes
    them small.

    Args:
        array: of numbers or truth values; whole ones below 2^31.
        exact: whether floats keep all their digits.
    """
    values = np.asarray(array)
    whole = values.dtype.kind in "biu" or bool(np.isfinite(values).all() and (values == np.rint(values)).all()
                                               and (np.abs(values) < 2**31).all())
    if whole:
        low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
        kind = next(kind for kind in KINDS if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
        stored = values.astype(f"<{kind}")
    elif exact:
        kind, stored = "f8", values.astype("<f8")
    else:
        kind, stored = "f4", _short(values)
    data = base64.b64encode(zlib.compress(np.ascontiguousarray(stored).tobytes(), 6)).decode()
    return {"type": kind, "shape": list(values.shape), "data": data}


def unpacked(column: dict[str, Any]) -> NDArray[Any]:
    """The array of :func:`packed`."""
    raw = zlib.decompress(base64.b64decode(column["data"]))
    return np.frombuffer(raw, dtype=f"<{column['type']}").reshape(column["shape"])


def size(columns: object) -> int:
    """Characters that the columns in a JSON value take, about."""
    if isinstance(columns, dict):
        return len(columns["data"]) if "data" in columns and "type" in columns else sum(map(size, columns.values()))
    return sum(map(size, columns)) if isinstance(columns, list) else 0


def _short(values: NDArray[Any]) -> NDArray[np.float32]:
    """Floats whose fraction ends in zeros; those that are not finite stay as they are."""
    bits = np.ascontiguousarray(values, dtype="<f4").view("<u4")
    drop = 23 - KEPT_BITS
    rounded = (bits.astype(np.uint64) + (1 << (drop - 1))) & np.uint64(0xFFFFFFFF & ~((1 << drop) - 1))
    short = rounded.astype("<u4").view("<f4")
    return np.where(np.isfinite(values) & np.isfinite(short), short, values).astype("<f4")
