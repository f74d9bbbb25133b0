"""What the provenance of a data set says of each of those that it was merged from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MERGED = "merged"


def origins(meta: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A provenance for each data set that was merged, whatever was merged first; of one that was not, its own.

    What all of them share, which stands above the list, is in each.
    """
    found: list[dict[str, Any]] = []
    waiting: list[Mapping[str, Any]] = [meta]
    while waiting:
        here = waiting.pop()
        own = {key: value for key, value in here.items() if key != MERGED}
        inner = here.get(MERGED)
        within = [each for each in inner if isinstance(each, Mapping)] if isinstance(inner, list) else []
        if within:
            waiting += [{**own, **each} for each in reversed(within)]
        else:
            found.append(own)
    return found


def specs(meta: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The specifications of games in a provenance, one for each data set that it was merged from and that has one."""
    found = (origin.get("spec") for origin in origins(meta))
    return [spec for spec in found if isinstance(spec, dict) and spec]


def listed(origin: Mapping[str, Any], key: str) -> list[str]:
    """The texts that an origin lists under a key; none where it holds something else."""
    found = origin.get(key)
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
