"""Import of AlberDICE's buffers: folders of ``.npy`` arrays in PyMARL's episode layout.

``state, actions, avail_actions, reward, terminated, filled`` must be there; ``obs``,
``actions_onehot`` and ``meta.json`` may be.  The arrays are mapped, not read, so that only what is
kept takes memory.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from .dataset import OfflineDataset
from .validate import refuse_where

#: axes of each array; equal letters must be equal sizes
AXES = {"filled": "ET1", "state": "ETS", "actions": "ETN1", "avail_actions": "ETNA", "reward": "ET1",
        "terminated": "ET1", "obs": "ETNO", "actions_onehot": "ETNA"}
WORDS = {"E": "episodes", "T": "time slots", "N": "agents", "A": "actions", "S": "state values",
         "O": "observed values", "1": "values in its last axis"}
OPTIONAL = ("obs", "actions_onehot")
CHUNK = 256  # episodes compared at once

Array = NDArray[Any]


def load_npy_folder(path: Path) -> OfflineDataset:
    """Reads a buffer folder; the horizon is that of the arrays.

    Padding is cleaned, and ``obs`` is dropped where every agent sees the state.

    Args:
        path: the folder.

    Raises:
        UserError: a file is missing, truncated, pickled, of the wrong shape, or contradicts another.
    """
    arrays = {key: _open(path, key) for key in AXES if key not in OPTIONAL or (path / f"{key}.npy").exists()}
    _check_shapes(path, arrays)
    meta = _read_meta(path)
    slots = len(arrays["filled"])
    recorded = meta.get("episodes_in_buffer", slots)
    if type(recorded) is not int or not 1 <= recorded <= slots:
        raise UserError(f"{path}: meta.json tells of {recorded!r} episodes, but the arrays hold {slots}.")
    arrays = {key: array[:recorded] for key, array in arrays.items()}  # the rest of the buffer was never written

    source = str(path)
    filled, terminated = (_flags(source, key, arrays[key])[..., 0] for key in ("filled", "terminated"))
    available = _flags(source, "avail_actions", arrays["avail_actions"])
    available[~filled] = True  # so that a masked softmax over padding has something to choose
    actions = np.where(filled[..., None], arrays["actions"][..., 0], 0).astype(np.int64)
    reward = _floats(arrays["reward"][..., 0], filled)
    state = _floats(arrays["state"], filled)
    obs = None
    if "obs" in arrays and not _obs_is_state(arrays["obs"], arrays["state"], filled):
        obs = _floats(arrays["obs"], filled)
    filled[:, 1:] |= (terminated & filled)[:, :-1]  # the state after a true end is never used, but has an entry
    data = OfflineDataset(state, actions, available, reward, terminated, filled, np.full(recorded, -1, dtype=np.int64),
                          {"format": "alberdice", "provenance": meta}, obs, source)
    if "actions_onehot" in arrays:
        _check_onehot(data, arrays["actions_onehot"])
    return data


def _open(path: Path, key: str) -> Array:
    file = path / f"{key}.npy"
    try:
        array: Array = np.lib.format.open_memmap(file, mode="r")  # never unpickles
    except FileNotFoundError:
        raise UserError(f"{path}: the file {key}.npy is missing, which a buffer folder must have.") from None
    except Exception as error:  # NumPy raises various kinds for damaged headers
        raise UserError(f"{path}: {key}.npy is truncated, holds pickled objects, or is no .npy file "
                        f"({' '.join(str(error).split()).rstrip('.')}).") from None
    kinds, numbers = ("iu", "whole numbers") if key == "actions" else ("fiub", "numbers")
    if array.dtype.kind not in kinds:
        raise UserError(f"{path}: {key}.npy must hold {numbers}, not {array.dtype}.")
    return array


def _check_shapes(path: Path, arrays: dict[str, Array]) -> None:
    sizes: dict[str, tuple[int, str]] = {"1": (1, "")}
    for key, array in arrays.items():
        axes = AXES[key]
        if array.ndim != len(axes):
            raise UserError(f"{path}: {key}.npy must have {len(axes)} axes, not {array.ndim} {array.shape}.")
        for axis, size in zip(axes, array.shape, strict=True):
            wanted, other = sizes.setdefault(axis, (size, f"{key}.npy has"))
            if size != wanted:
                raise UserError(f"{path}: {key}.npy has {size} {WORDS[axis]}, but {other or 'it should be'} {wanted}.")


def _read_meta(path: Path) -> dict[str, Any]:
    try:
        meta = json.loads((path / "meta.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError):
        raise UserError(f"{path}: meta.json cannot be read as JSON.") from None
    if not isinstance(meta, dict):
        raise UserError(f"{path}: meta.json must hold an object, not {type(meta).__name__}.")
    return meta


def _flags(source: str, key: str, array: Array) -> NDArray[np.bool_]:
    """An array of 0 and 1 as booleans."""
    refuse_where(source, key, np.asarray((array != 0) & (array != 1)), "a value is neither 0 nor 1")
    return np.array(array, dtype=np.bool_)


def _floats(array: Array, filled: NDArray[np.bool_]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # becomes infinite, which validation refuses
        kept = np.array(array, dtype=np.float32)
    kept[~filled] = 0.0
    return kept


def _obs_is_state(obs: Array, state: Array, filled: NDArray[np.bool_]) -> bool:
    if obs.shape[3] != state.shape[2]:
        return False
    chunks = (slice(start, start + CHUNK) for start in range(0, len(obs), CHUNK))
    return all((obs[c] == state[c][:, :, None]).all((2, 3))[filled[c]].all() for c in chunks)


def _check_onehot(data: OfflineDataset, onehot: Array) -> None:
    wrong = np.zeros_like(data.filled)
    for start in range(0, len(onehot), CHUNK):
        c = slice(start, start + CHUNK)
        own = data.actions[c][..., None] == np.arange(onehot.shape[3])
        wrong[c] = (onehot[c] != own).any((2, 3))
    # Where the last state is, buffers hold zeros or an action that was never played.
    refuse_where(data.source, "actions_onehot", wrong & data.steps, "it disagrees with 'actions'")
