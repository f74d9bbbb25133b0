"""Damage: to bytes, to values in a JSON-like tree, to arrays."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

WORDS = ["nan", "1e999", "-1", "99999999999999999999", "''", "null", "[]", "{}", "true", "0x",
         "!!python/name:os.system", "&a [*a]", "0", "1.5", "٣", "\x00", "os:system", "../../x"]
VALUES = [None, True, -1, 0, 1, 7, 10**30, 1.5, 1e308, float("nan"), float("inf"), "", "x", "os:system", "../../../x",
          [], {}, [1], [[None]], {"a": 1}, "\ud800", "0" * 500]
DTYPES = ["float16", "float64", "int8", "uint64", "bool", "complex64", "S3", "U4", ">f4", "float32"]


def of_bytes(whole: bytes, luck: random.Random) -> tuple[str, bytes]:
    """One kind of damage to a file's bytes, by name, and what it leaves."""
    size, at = len(whole), luck.randrange(len(whole) or 1)
    span = 1 + luck.randrange(max(1, min(size - at, 4 ** luck.randrange(1, 7))))
    other = luck.randrange(size or 1)
    ways: dict[str, Callable[[], bytes]] = {
        "truncation": lambda: whole[:at],
        "bit flip": lambda: _flipped(whole, luck),
        "zeroed range": lambda: whole[:at] + bytes(span) + whole[at + span:],
        "lost range": lambda: whole[:at] + whole[at + span:],
        "repeated range": lambda: whole[:at] + whole[at:at + span] + whole[at:],
        "moved range": lambda: whole[:at] + whole[other:other + span] + whole[at + span:],
        "random bytes": lambda: whole[:at] + luck.randbytes(min(span, 64)) + whole[at + span:],
        "swapped word": lambda: _other_word(whole, luck),
        "empty file": lambda: b"",
    }
    name = luck.choices(list(ways), [3, 4, 2, 2, 1, 2, 2, 4, 0.2])[0]
    return name, ways[name]()


def _flipped(whole: bytes, luck: random.Random) -> bytes:
    found = bytearray(whole)
    for _ in range(luck.randint(1, 4) if found else 0):
        found[luck.randrange(len(found))] ^= 1 << luck.randrange(8)
    return bytes(found)


def _other_word(whole: bytes, luck: random.Random) -> bytes:
    """A word or number of a text becomes another; anything else is flipped."""
    found = list(re.finditer(rb"[-\w.]+", whole[:200_000]))
    if b"\x00" in whole[:4096] or not found:
        return _flipped(whole, luck)
    word = luck.choice(found)
    put = luck.choice(WORDS).encode() if luck.random() < 0.7 else luck.choice(found)[0]
    return whole[:word.start()] + put + whole[word.end():]


def of_tree(tree: Any, luck: random.Random) -> tuple[str, Any]:
    """A copy of a tree of mappings and lists in which one value is nonsense, missing, or under another name."""
    places = list(_places(tree))
    if not places:
        return "wrong value", luck.choice(VALUES)
    path = luck.choice(places)
    kind = luck.choices(["wrong value", "missing key", "other key"], [6, 2, 1])[0]
    return kind, _changed(tree, path, kind, luck)


def _places(tree: Any, path: tuple[Any, ...] = ()) -> Any:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list | tuple) else ()
    for key, inner in items:
        yield (*path, key)
        yield from _places(inner, (*path, key))


def _changed(tree: Any, path: tuple[Any, ...], kind: str, luck: random.Random) -> Any:
    key, *rest = path
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    if rest:
        copy[key] = _changed(copy[key], tuple(rest), kind, luck)
    elif kind == "wrong value":
        copy[key] = luck.choice(VALUES)
    elif kind == "missing key" or not isinstance(copy, dict):
        del copy[key]
    else:
        copy[f"{key}x"] = copy.pop(key)
    return copy


def of_array(array: NDArray[Any], luck: random.Random) -> tuple[str, NDArray[Any]]:
    """A copy of an array with another type, shape or length, or with a value that cannot be right."""
    flat = array.reshape(-1).copy()
    at = luck.randrange(flat.size or 1)
    with np.errstate(all="ignore"):
        if (kind := luck.choice(["dtype", "shape", "length", "value", "value", "empty"])) == "dtype":
            try:
                return "wrong dtype", array.astype(luck.choice(DTYPES))
            except (ValueError, TypeError):
                kind = "value"
        if kind == "shape":
            return "wrong shape", luck.choice([array[None], array[..., None], flat, array.T.copy(), np.array(flat[:1])])
        if kind == "length":
            return "wrong length", luck.choice([array[:-1], np.concatenate([array, array]), array[:1]])
        if kind == "empty" or not flat.size:
            return "wrong length", array[:0]
        value = luck.choice([np.nan, np.inf, -np.inf, -1, 2, 255, 1e30, 2**31])
        name = "wrong value" if np.isfinite(value) else "non-finite value"
        if flat.dtype.kind == "f":
            flat[at] = value
        else:
            flat[at] = np.array(value if np.isfinite(value) else 7).astype(flat.dtype)
    return name, flat.reshape(array.shape)
