"""Several data sets of one game as one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import UserError
from .chunks import pad
from .dataset import OfflineDataset

#: reads a data set in parts, from its first one every time
Reader = Callable[[], Iterator[OfflineDataset]]


def merge(readers: Sequence[Reader]) -> Iterator[OfflineDataset]:
    """The episodes of all data sets one after the other, in parts.

    Horizons are padded to the longest.  Where the provenances differ, what they share is kept, behaviours
    are numbered anew, and the rest is listed by data set under ``merged``.  Where only some have ``obs``,
    the others get their state for every agent.

    Raises:
        UserError: the data sets are of different games or sizes, or whatever a reader raises.
    """
    heads = [_head(reader) for reader in readers]
    for head in heads[1:]:
        _same_game(heads[0], head)
    limit = max(head.episode_limit for head in heads)
    meta, numbers = _provenance([head.meta for head in heads])
    with_obs = any(head.obs is not None for head in heads)
    some_end_open = any(head.no_next is not None for head in heads)
    for reader, renumbered in zip(readers, numbers, strict=True):
        for part in reader():
            arrays = part.arrays
            if with_obs and part.obs is None:
                arrays["obs"] = np.repeat(part.state[:, :, None], part.actions.shape[2], axis=2)
            if some_end_open and part.no_next is None:
                arrays["no_next"] = np.zeros_like(part.filled)
            arrays["behaviour"] = np.array([*renumbered, -1], dtype=np.int64)[part.behaviour]
            yield pad(OfflineDataset(**arrays, meta=meta, source=part.source, first=part.first or 0), limit)


def _head(reader: Reader) -> OfflineDataset:
    parts = reader()
    head = next(parts)
    parts.close()  # type: ignore[attr-defined]  # lets go of the file
    return head


def _same_game(one: OfflineDataset, two: OfflineDataset) -> None:
    spec, other = (data.meta.get("spec") or {} for data in (one, two))
    for key in sorted(set(spec) | set(other)) if spec and other else ():
        if spec.get(key) != other.get(key):
            raise UserError(f"{one.source} was recorded with {key}={spec.get(key)}, but {two.source} with "
                            f"{key}={other.get(key)}; only data of the same game can be merged.")
    sizes = {"agents": ("actions", 2), "actions": ("avail_actions", 3), "state values": ("state", 2)}
    for what, (key, axis) in sizes.items():
        here, there = one.arrays[key].shape[axis], two.arrays[key].shape[axis]
        if here != there:
            raise UserError(f"{one.source} has {here} {what}, but {two.source} has {there}; "
                            "only data of the same game can be merged.")
    seen, other_seen = (data.state.shape[2] if data.obs is None else data.obs.shape[3] for data in (one, two))
    if seen != other_seen:
        raise UserError(f"the agents of {one.source} see {seen} values, but those of {two.source} {other_seen}; "
                        "only data of the same game can be merged.")
    if (one.agent_reward is None) != (two.agent_reward is None):
        known, unknown = (one, two) if two.agent_reward is None else (two, one)
        raise UserError(f"{known.source} has individual rewards (key 'agent_reward'), but {unknown.source} has none; "
                        "merge data that were recorded alike.")


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
              if key not in ("behaviours", "merged") and all(key in meta and meta[key] == value for meta in metas)}
    rest = [{key: value for key, value in meta.items() if key not in shared} for meta in metas]
    return {**shared, "behaviours": union, "merged": rest}, [[union.index(name) for name in own] for own in names]
