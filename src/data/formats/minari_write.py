"""Writing Minari's data sets; see :mod:`.minari` for the convention."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...utils.bounded import size_of
from ..dataset import OfflineDataset
from ..seal import NAME, Seal, sealing
from .base import optional
from .h5 import append, created
from .minari_spaces import joint_spaces
from .parts import HEADER
from .patient_file import patient

SIDE = f"{NAME}.h5"
MAIN = "main_data.hdf5"
WHAT, EXTRA = "Minari's data sets", "minari"


def write_minari(parts: Iterator[OfflineDataset], path: Path) -> None:
    """Makes the folder ``path``, whose name becomes the data set's."""
    storage_class, buffer_class = package()
    data = path / "data"
    data.mkdir(parents=True)
    seal, storage = Seal(), None
    with ExitStack() as stack:
        side, kept = stack.enter_context(created(data / SIDE, WHAT, EXTRA))
        for part in sealing(parts, seal):
            if storage is None:
                observation, action = joint_spaces(part)
                storage = storage_class.new(data, observation, action)
                main = stack.enter_context(patient(data / MAIN, "r+"))
                storage._file_path = main  # which Minari gives to h5py
                side.attrs["limit"] = part.episode_limit
            storage.update_episodes(_episodes(part, buffer_class))
            main.check()
            _write_rest(part, side)
            kept.check()
        assert storage is not None
        storage.update_metadata({"dataset_id": path.name, "description": "Joint-agent episodes of a team.",
                                 "minari_version": optional("minari", WHAT, EXTRA).__version__})
        side.attrs["main"] = np.bytes_(sha256(data / MAIN))  # of fixed length, as the header in hdf5.py
    (data / HEADER).write_text(seal.header().text(), encoding="ascii")


def package() -> tuple[Any, Any]:
    """Minari's classes of storages and of episodes; raises UserError where it is not installed."""
    optional("h5py", WHAT, EXTRA)
    optional("PIL", WHAT, EXTRA)
    return (optional("minari.dataset.minari_storage", WHAT, EXTRA).MinariStorage,
            optional("minari.data_collector.episode_buffer", WHAT, EXTRA).EpisodeBuffer)


def sha256(path: Path) -> str:
    """Of a regular file; raises NotRegular for a device or a pipe, which might never end."""
    size_of(path)
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _lengths(part: OfflineDataset) -> NDArray[np.int64]:
    """Complete steps of every episode, ``[E]``."""
    return np.asarray(part.filled.sum(1) - 1, dtype=np.int64)


def held(key: str, length: NDArray[np.int64], limit: int) -> NDArray[np.bool_]:
    """Which entries ``[E, T + 1]`` of an array Minari holds."""
    time, length = np.arange(limit + 1), length[:, None]
    if key == "no_next":
        return np.zeros((len(length), limit + 1), dtype=np.bool_)
    if key in ("actions", "reward", "agent_reward"):
        return np.asarray(time < length)
    return np.asarray((time <= length) & (length > 0))


def _episodes(part: OfflineDataset, buffer_class: Any) -> Iterator[Any]:
    for e, steps in enumerate(_lengths(part).tolist()):
        if not steps:
            continue
        observations = {"state": part.state[e, : steps + 1],
                        "action_mask": part.avail_actions[e, : steps + 1].astype(np.int8)}
        if part.obs is not None:
            observations["obs"] = part.obs[e, : steps + 1]
        ends = part.terminated[e, :steps]
        cut = (np.arange(steps) == steps - 1) & ~ends[-1]
        infos = None if part.agent_reward is None else {"agent_reward": part.agent_reward[e, :steps]}
        yield buffer_class(observations=observations, actions=part.actions[e, :steps], rewards=part.reward[e, :steps],
                           terminations=ends, truncations=cut, infos=infos)


def _write_rest(part: OfflineDataset, side: Any) -> None:
    length = _lengths(part)
    append(side, "length", length)
    append(side, "behaviour", part.behaviour)
    for key, array in part.arrays.items():
        if key not in ("filled", "terminated", "behaviour"):
            append(side, key, array[~held(key, length, part.episode_limit)])
