"""The arrays of a Vault, read with tensorstore: one zarr array for each leaf, in an OCDBT key-value store."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...envs.game import MOST_ACTIONS
from ...errors import UserError
from ...utils.bounded import check_claim
from ..chunks import spans
from ..dataset import REMEDY
from .base import metadata, optional

NEEDED = ("observations", "actions", "rewards", "terminals")
POSSIBLE = ("truncations", "infos.state", "infos.legals")

Array = NDArray[Any]


class Leaves:
    """The arrays of one vault that we know; ``keys`` names them, ``steps`` is their length in time.

    Args:
        path: the folder with ``metadata.json``.

    Raises:
        UserError: tensorstore is missing, an array is, or it cannot be opened or is not as OG-MARL's.
    """

    def __init__(self, path: Path) -> None:
        self._store = optional("tensorstore", "OG-MARL's Vaults", "vault")
        self._path = path
        names = set(_names(metadata(path)["structure_shape"]))
        for key in NEEDED:
            if key not in names:
                raise UserError(f"{path}: metadata.json lists no '{key}', which OG-MARL's layout needs; "
                                f"it lists {', '.join(sorted(names)) or 'nothing'}.")
        self.keys = [key for key in (*NEEDED, *POSSIBLE) if key in names]
        self._leaves = {key: self._open(key, f"{key}.") for key in self.keys}
        self.steps = int(self._whole("vault_index", self._open("vault_index", "vault_index")).ravel()[0])
        self._check()
        check_claim(path, self.steps * self.step_bytes(*self.keys),
                    sum(file.stat().st_size for file in path.rglob("*") if file.is_file()))
        self.agents = int(self._leaves["actions"].shape[2])

    def _check(self) -> None:
        if self.steps < 1:
            raise UserError(f"{self._path} holds no steps.")
        axes = {"observations": 4, "actions": 3}
        for key, leaf in self._leaves.items():
            if leaf.ndim < axes.get(key, 2) or leaf.shape[0] != 1 or leaf.shape[1] < self.steps:
                raise UserError(f"{self._path}: key '{key}' has shape {tuple(leaf.shape)}, but OG-MARL's layout needs "
                                f"{axes.get(key, 2)} axes, of which the first has size 1 and the second {self.steps}.")
        actions = self._leaves["actions"]
        if actions.ndim != 3 or _dtype(actions).kind not in "iu":
            raise UserError(f"{self._path}: key 'actions' must hold a whole number for each agent, not "
                            f"{actions.dtype.name} {tuple(actions.shape[2:])}; continuous actions are not supported.")
        agents = int(actions.shape[2])
        for key in (each for each in ("rewards", "terminals", "truncations") if each in self.keys):
            if math.prod(self.shape(key)) not in (1, agents):
                raise UserError(f"{self._path}: key '{key}' has shape {self.shape(key)} in each step, which does not "
                                f"fit {agents} agents.")

    def _open(self, key: str, name: str) -> Any:
        try:
            base = {"driver": "file", "path": f"{self._path.resolve()}/"}
            spec = {"driver": "zarr", "kvstore": {"driver": "ocdbt", "base": base, "path": name}}
            return self._store.open(spec, open=True, read=True).result()
        except Exception as error:  # tensorstore raises various kinds for damaged files
            raise self._damaged(key, error) from None

    def _whole(self, key: str, view: Any) -> Array:
        try:
            return np.asarray(view.read().result())
        except Exception as error:
            raise self._damaged(key, error) from None

    def _damaged(self, key: str, error: Exception) -> UserError:
        return UserError(f"{self._path}: key '{key}' is absent or damaged ({type(error).__name__}); {REMEDY}.")

    def count_actions(self) -> int:
        """The largest recorded action and 1, for vaults that do not say how many there are.

        Raises:
            UserError: it is no number of an action.
        """
        largest = max(int(block.max()) for block in self.blocks("actions"))
        if largest > MOST_ACTIONS:
            raise UserError(f"{self._path}: key 'actions' holds {largest}; actions are numbered from 0, and more than "
                            f"{MOST_ACTIONS} are not possible here.")
        return 1 + largest

    def shape(self, key: str) -> tuple[int, ...]:
        """Shape of one step of an array."""
        return tuple(self._leaves[key].shape[2:])

    def step_bytes(self, *keys: str) -> int:
        """Size of one step of some arrays."""
        return sum(int(np.prod(self.shape(key))) * _dtype(self._leaves[key]).itemsize for key in keys)

    def read(self, key: str, start: int, stop: int) -> Array:
        """Steps ``[start, stop)`` of an array, ``[steps, ...]``.

        Raises:
            UserError: the vault is damaged there.
        """
        return self._whole(key, self._leaves[key][0, start:stop])

    def blocks(self, key: str) -> Iterator[Array]:
        """All steps of an array, a bounded number at a time."""
        for span in spans(self.steps, self.step_bytes(key)):
            yield self.read(key, span.start, span.stop)


def _dtype(leaf: Any) -> np.dtype[Any]:
    dtype: np.dtype[Any] = np.dtype(leaf.dtype.numpy_dtype)
    return dtype


def _names(structure: Any, lead: str = "") -> Iterator[str]:
    """``observations``, ``infos.state`` and so on, of a nested table."""
    if not isinstance(structure, dict):
        yield lead.rstrip(".")
        return
    for key, inner in structure.items():
        yield from _names(inner, f"{lead}{key}.")
