"""PyMARL's episode layout, in which AlberDICE's folders and offpymarl's files hold their arrays.

Scalars of a step have a last axis of size 1, flags are 0 and 1 in whole numbers, and actions occur
one-hot a second time.  Arrays are sliced by episodes, so that mapped files need not fit into memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError, one_line
from ..chunks import spans
from ..dataset import OfflineDataset
from ..seal import Header, checked
from ..validate import LAYOUT, refuse_where

#: axes of each array; equal letters must be equal sizes
AXES = {"filled": "ET1", "state": "ETS", "actions": "ETN1", "avail_actions": "ETNA", "reward": "ET1",
        "terminated": "ET1", "obs": "ETNO", "actions_onehot": "ETNA", "behaviour": "E1", "agent_reward": "ETN",
        "no_next": "ET1"}
WORDS = {"E": "episodes", "T": "time slots", "N": "agents", "A": "actions", "S": "state values",
         "O": "observed values", "1": "values in its last axis"}
#: what any such data hold, may hold, and hold only if we wrote them
NEEDED = ("filled", "state", "actions", "avail_actions", "reward", "terminated")
POSSIBLE = ("obs", "actions_onehot")
OURS = ("behaviour", "agent_reward", "no_next")
#: types in PyMARL's buffers, where they differ from ours
DTYPES = {"avail_actions": np.int32, "filled": np.int64, "terminated": np.uint8, "no_next": np.uint8}

Array = NDArray[Any]


class Columns(NamedTuple):
    """The arrays of one file or folder.

    Attributes:
        source: what to call it in messages.
        arrays: NumPy arrays, or what is sliced like them.
        label: how messages call the array of a key.
        individual: whether rewards may be those of each agent, as in EPyMARL with common_reward=False.
    """

    source: str
    arrays: Mapping[str, Any]
    label: Callable[[str], str]
    individual: bool = False

    @property
    def episodes(self) -> int:
        return int(self.arrays["filled"].shape[0])

    @property
    def episode_bytes(self) -> int:
        """Size of an episode as it is read, roughly."""
        return sum(int(np.prod(array.shape[1:])) * array.dtype.itemsize for array in self.arrays.values())

    def read(self, key: str, span: slice) -> Array:
        """Some episodes of an array.

        Raises:
            UserError: the file is damaged there.
        """
        try:
            return np.asarray(self.arrays[key][span])
        except Exception as error:  # decompression and checksums fail in various ways
            raise UserError(f"{self.source}: {self.label(key)} is damaged ({one_line(error)}).") from None

    def check(self) -> None:
        """Compares types and shapes.

        Raises:
            UserError: an array holds no numbers, or contradicts another one in a size.
        """
        sizes: dict[str, tuple[int, str]] = {"1": (1, "")}
        for key in (key for key in AXES if key in self.arrays):
            array, axes, label = self.arrays[key], AXES[key], self.label(key)
            if key == "reward" and self.individual and array.ndim == 3 and array.shape[2] != 1:
                axes = AXES["agent_reward"]
            kinds, numbers = ("iu", "whole numbers") if key in ("actions", "behaviour") else ("fiub", "numbers")
            if array.dtype.kind not in kinds:
                raise UserError(f"{self.source}: {label} must hold {numbers}, not {array.dtype}.")
            if array.ndim != len(axes):
                raise UserError(f"{self.source}: {label} must have {len(axes)} axes, not {array.ndim} {array.shape}.")
            for axis, size in zip(axes, array.shape, strict=True):
                wanted, other = sizes.setdefault(axis, (size, f"{label} has"))
                if size != wanted:
                    raise UserError(f"{self.source}: {label} has {size} {WORDS[axis]}, "
                                    f"but {other or 'it should be'} {wanted}.")




def to_columns(part: OfflineDataset) -> dict[str, Array]:
    """Arrays for a file of this layout; those that only we know are among them."""
    arrays: dict[str, Array] = {key: array.astype(DTYPES.get(key, array.dtype)) for key, array in part.arrays.items()}
    arrays = {key: array[..., None] if AXES[key].endswith("1") else array for key, array in arrays.items()}
    arrays["actions_onehot"] = np.eye(part.avail_actions.shape[3], dtype=np.float32)[part.actions]
    return arrays


def own(columns: Columns, header: Header) -> Iterator[OfflineDataset]:
    """Reads what was made by :func:`to_columns`, exactly.

    Raises:
        UserError: an array is missing or is not what was written.
    """
    for key in header.sha256:
        if key not in columns.arrays:
            raise UserError(f"{columns.source}: {columns.label(key)} is missing.")
    columns.check()
    yield from checked(_as_written(columns, header), header, columns.source)


def _as_written(columns: Columns, header: Header) -> Iterator[OfflineDataset]:
    for span in spans(columns.episodes, columns.episode_bytes):
        arrays = {key: columns.read(key, span) for key in header.sha256}
        for key, array in arrays.items():
            dtype = LAYOUT[key][0]
            flat = array[..., 0] if AXES[key].endswith("1") else array
            arrays[key] = flags_of(columns, key, flat, span) if dtype is np.bool_ else flat.astype(dtype, copy=False)
        part = OfflineDataset(**arrays, meta=header.meta, source=columns.source, first=span.start)
        if "actions_onehot" in columns.arrays:
            check_onehot(columns, part, span, np.ones_like(part.filled))
        yield part


def flags_of(columns: Columns, key: str, array: Array, span: slice) -> NDArray[np.bool_]:
    """An array of 0 and 1 as booleans."""
    wrong = np.asarray((array != 0) & (array != 1))
    refuse_where(columns.source, key, wrong, "a value is neither 0 nor 1", span.start)
    return np.array(array, dtype=np.bool_)


def check_onehot(columns: Columns, part: OfflineDataset, span: slice, where: NDArray[np.bool_]) -> None:
    onehot = columns.read("actions_onehot", span)
    slots = onehot.shape[1]  # a slot for the last state may have been added
    expected = part.actions[:, :slots, :, None] == np.arange(onehot.shape[3])
    wrong = np.asarray((onehot != expected).any((2, 3)))
    refuse_where(columns.source, "actions_onehot", wrong & where[:, :slots], "it disagrees with 'actions'", span.start)
