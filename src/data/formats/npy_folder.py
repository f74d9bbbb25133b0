"""Import of AlberDICE's buffers: folders of ``.npy`` arrays in PyMARL's episode layout.

``state, actions, avail_actions, reward, terminated, filled`` must be there; ``obs``,
``actions_onehot`` and ``meta.json`` may be.  The arrays are mapped, not read, so that only what is
kept takes memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import UserError, one_line
from ...utils.bounded import read_text, size_of
from ..chunks import join
from ..dataset import OfflineDataset
from .columns import NEEDED, POSSIBLE, Array, Columns
from .foreign import foreign


def load_npy_folder(path: Path) -> OfflineDataset:
    """Reads a buffer folder; the horizon is that of the arrays.

    Padding is cleaned, and ``obs`` is dropped where every agent sees the state.

    Args:
        path: the folder.

    Raises:
        UserError: a file is missing, truncated, pickled, of the wrong shape, or contradicts another.
    """
    return join(read_buffer(path), str(path))


def read_buffer(path: Path) -> Iterator[OfflineDataset]:
    """As :func:`load_npy_folder`, a few episodes at a time."""
    columns = open_columns(path, [*NEEDED, *(key for key in POSSIBLE if (path / f"{key}.npy").exists())])
    columns.check()
    meta = _read_meta(path)
    recorded = meta.get("episodes_in_buffer", columns.episodes)
    if not columns.episodes:
        raise UserError(f"{path} holds no episodes.")
    if type(recorded) is not int or not 1 <= recorded <= columns.episodes:
        raise UserError(f"{path}: meta.json tells of {recorded!r} episodes, but the arrays hold {columns.episodes}.")
    # The rest of the buffer was never written.
    columns = columns._replace(arrays={key: array[:recorded] for key, array in columns.arrays.items()})
    yield from foreign([columns], {"format": "alberdice", "provenance": meta}, buffer=True)


def open_columns(path: Path, keys: Iterable[str]) -> Columns:
    """Maps the files of a folder.

    Raises:
        UserError: a file is missing, truncated or pickled.
    """
    return Columns(str(path), {key: _open(path, key) for key in keys}, lambda key: f"{key}.npy")


def _open(path: Path, key: str) -> Array:
    try:
        size_of(path / f"{key}.npy")
        return np.asarray(np.lib.format.open_memmap(path / f"{key}.npy", mode="r"))  # never unpickles
    except FileNotFoundError:
        raise UserError(f"{path}: the file {key}.npy is missing, which a buffer folder must have.") from None
    except UserError:
        raise
    except Exception as error:  # NumPy raises various kinds for damaged headers
        raise UserError(f"{path}: {key}.npy is truncated, holds pickled objects, or is no .npy file "
                        f"({one_line(error)}).") from None


def _read_meta(path: Path) -> dict[str, Any]:
    try:
        meta = json.loads(read_text(path / "meta.json"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError):
        raise UserError(f"{path}: meta.json cannot be read as JSON.") from None
    if not isinstance(meta, dict):
        raise UserError(f"{path}: meta.json must hold an object, not {type(meta).__name__}.")
    return meta
