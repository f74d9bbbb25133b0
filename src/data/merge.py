"""Several data sets of one game as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import UserError
from .chunks import pad, some
from .dataset import OfflineDataset
from .origins import MERGED, origins, specs

#: reads a data set in parts, from its first one every time
Reader = Callable[[], Iterator[OfflineDataset]]


def merge(readers: Sequence[Reader]) -> Iterator[OfflineDataset]:
    """The episodes of all data sets one after the other, in parts.

    Horizons are padded to the longest.  Where the provenances differ, what they share is kept, behaviours
    are numbered anew, and the rest is listed by data set under ``merged``; data sets that were merged before are there
    one by one.  Where only some have ``obs``, the others get their state for every agent.

    Raises:
        UserError: the data sets are of different games or sizes, or whatever a reader raises.
    """
    heads = [_head(reader) for reader in readers]
    _same_variant(heads)
    for head in heads[1:]:
        _same_sizes(heads[0], head)
    limit = max(head.episode_limit for head in heads)
    meta, numbers = _provenance([head.meta for head in heads])
    with_obs = any(head.obs is not None for head in heads)
    some_end_open = any(head.no_next is not None for head in heads)
    for reader, renumbered in zip(readers, numbers, strict=True):
        for part in reader():
            yield pad(_completed(part, meta, renumbered, with_obs, some_end_open), limit)


def adding(old: OfflineDataset, parts: Iterable[OfflineDataset]) -> Iterator[OfflineDataset]:
    """Episodes as they are to be added to a data set whose own arrays stay as they are.

    Raises:
        UserError: the data set would have to change for them, or they are of another game.
    """
    meta: dict[str, Any] | None = None
    for part in some(parts, "what is to be added"):
        if meta is None:
            _same_variant([old, part])
            _same_sizes(old, part)
            meta, (kept, numbers) = _provenance([old.meta, part.meta])
            lacking = next((f"the key '{key}'" for key in ("obs", "no_next")
                            if old.shape(key) is None and part.shape(key) is not None), "")
            if part.episode_limit > old.episode_limit:
                lacking = f"episodes of {part.episode_limit} steps"
            if kept != list(range(len(kept))):
                lacking = "behaviours of the same name"
            if lacking:
                raise UserError(f"{part.source} has {lacking}, for which {old.source} has no room; join the two with "
                                "'merge'.")
        yield pad(_completed(part, meta, numbers, old.shape("obs") is not None, old.shape("no_next") is not None),
                  old.episode_limit)


def _completed(part: OfflineDataset, meta: dict[str, Any], numbers: list[int], with_obs: bool,
               with_no_next: bool) -> OfflineDataset:
    """A part with the provenance, the numbers of behaviours and the arrays of all."""
    arrays = part.arrays
    if with_obs and part.obs is None:
        arrays["obs"] = np.repeat(part.state[:, :, None], part.actions.shape[2], axis=2)
    if with_no_next and part.no_next is None:
        arrays["no_next"] = np.zeros_like(part.filled)
    arrays["behaviour"] = np.array([*numbers, -1], dtype=np.int64)[part.behaviour]
    return OfflineDataset(**arrays, meta=meta, source=part.source, first=part.first or 0)


def _head(reader: Reader) -> OfflineDataset:
    parts = reader()
    head = next(parts)
    parts.close()  # type: ignore[attr-defined]  # lets go of the file
    return head


def _same_variant(heads: Sequence[OfflineDataset]) -> None:
    """Compares what all data sets, and those that they were merged from, say of their game; some may say nothing."""
    known = [(head.source, spec) for head in heads for spec in specs(head.meta)]
    for source, spec in known[1:]:
        first, wanted = known[0]
        for key in sorted(set(spec) | set(wanted)):
            if spec.get(key) != wanted.get(key):
                raise UserError(f"{first} was recorded with {key}={wanted.get(key)}, but {source} with "
                                f"{key}={spec.get(key)}; only data of the same game can be merged.")


def _same_sizes(one: OfflineDataset, two: OfflineDataset) -> None:
    sizes = {"agents": ("actions", 2), "actions": ("avail_actions", 3), "state values": ("state", 2)}
    for what, (key, axis) in sizes.items():
        here, there = _size(one, key, axis), _size(two, key, axis)
        if here != there:
            raise UserError(f"{one.source} has {here} {what}, but {two.source} has {there}; "
                            "only data of the same game can be merged.")
    seen, other_seen = (_size(data, "obs", 3) or _size(data, "state", 2) for data in (one, two))
    if seen != other_seen:
        raise UserError(f"the agents of {one.source} see {seen} values, but those of {two.source} {other_seen}; "
                        "only data of the same game can be merged.")
    paid, other_paid = (data.shape("agent_reward") is not None for data in (one, two))
    if paid != other_paid:
        known, unknown = (one, two) if paid else (two, one)
        raise UserError(f"{known.source} has individual rewards (key 'agent_reward'), but {unknown.source} has none; "
                        "merge data that were recorded alike.")


def _size(data: OfflineDataset, key: str, axis: int) -> int:
    """Of an array along an axis; 0 if there is no such array."""
    shape = data.shape(key)
    return 0 if shape is None else shape[axis]


def _provenance(metas: list[dict[str, Any]]) -> tuple[dict[str, Any], list[list[int]]]:
    """One provenance for all, and for each data set the new numbers of its behaviours."""
    names = [meta.get("behaviours", []) for meta in metas]
    if all(meta == metas[0] for meta in metas):
        return metas[0], [list(range(len(own))) for own in names]
    union: list[Any] = []
    for name in (name for own in names for name in own):
        if name not in union:
            union.append(name)
    shared = {key: value for key, value in metas[0].items()
              if key not in ("behaviours", MERGED) and all(key in meta and meta[key] == value for meta in metas)}
    every = [each for meta in metas for each in origins(meta)]
    rest = [{key: value for key, value in each.items() if key not in shared} for each in every]
    return {**shared, "behaviours": union, MERGED: rest}, [[union.index(name) for name in own] for own in names]
