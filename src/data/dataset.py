"""An offline data set: padded episodes in EPyMARL's layout, with their provenance."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..utils.files import write_with
from .validate import validate

FORMAT = 1
REMEDY = "copy it again, or delete it if a recipe makes it"
ARRAYS = ("state", "actions", "avail_actions", "reward", "terminated", "filled", "behaviour")
OPTIONAL = ("obs", "agent_reward")


@dataclass(frozen=True, eq=False)  # equality is that of the digests
class OfflineDataset:
    """E episodes of at most T steps; index T of the time axis holds the last state.

    Attributes:
        state: float32 ``[E, T + 1, S]``.
        actions: int64 ``[E, T + 1, N]``.
        avail_actions: bool ``[E, T + 1, N, A]``.
        reward: float32 team reward ``[E, T + 1]``, meaningful where an action was played.
        terminated: bool ``[E, T + 1]``, true at the last step of an episode that truly ended.
        filled: bool ``[E, T + 1]``; an episode of L steps has L + 1 entries (its last state too).
        behaviour: int64 ``[E]``, index into ``meta["behaviours"]``, or -1 where unknown or several.
        meta: provenance (game specification ``spec``, recipe, seed, names of the ``behaviours``),
            plain JSON values.
        obs: float32 ``[E, T + 1, N, O]``, or None where every agent sees the state.
        source: what to call the data set in messages.
        agent_reward: float32 individual rewards ``[E, T + 1, N]``, or None where only the team's reward is
            known.  Methods learn from ``reward``; these are kept for those who want them.
        first: None for a whole data set.  In a part of one: the number of its first episode, from which
            messages count; a part may lack complete steps.

    Raises:
        UserError: the arrays contradict each other (see :mod:`epymarl_cpa.data.validate`).
    """

    state: NDArray[np.float32]
    actions: NDArray[np.int64]
    avail_actions: NDArray[np.bool_]
    reward: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    filled: NDArray[np.bool_]
    behaviour: NDArray[np.int64]
    meta: dict[str, Any]
    obs: NDArray[np.float32] | None = None
    source: str = "data set"
    agent_reward: NDArray[np.float32] | None = None
    first: int | None = None

    def __post_init__(self) -> None:
        validate(self)

    @property
    def n_episodes(self) -> int:
        return len(self.filled)

    @property
    def episode_limit(self) -> int:
        """T, the longest episode the arrays can hold."""
        return int(self.filled.shape[1]) - 1

    @property
    def arrays(self) -> dict[str, Any]:
        """All arrays that are there, by name, in the order in which they are digested."""
        return {name: getattr(self, name) for name in (*ARRAYS, *OPTIONAL) if getattr(self, name) is not None}

    @cached_property
    def steps(self) -> NDArray[np.bool_]:
        """Where an action was played and its outcome is known, ``[E, T + 1]``."""
        played = self.filled.copy()
        played[:, :-1] &= self.filled[:, 1:]
        played[:, -1] = False
        ends = np.cumsum(self.terminated, axis=1, dtype=np.int64)
        return np.asarray(played & (ends == self.terminated))

    @cached_property
    def returns(self) -> NDArray[np.float64]:
        """Undiscounted return of every episode, ``[E]``."""
        return np.asarray((self.reward.astype(np.float64) * self.steps).sum(1))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all arrays and the provenance."""
        total = hashlib.sha256(json.dumps(self.meta, sort_keys=True).encode())
        for name, array in self.arrays.items():
            total.update(f"{name}{array.dtype}{array.shape}".encode())
            total.update(np.ascontiguousarray(array).tobytes())
        return total.hexdigest()

    def save(self, path: Path) -> None:
        """Writes one ``.npz`` file, all or nothing; the digest goes with it."""
        meta = json.dumps({"format": FORMAT, "digest": self.digest, "meta": self.meta})
        write_with(path, lambda file: np.savez_compressed(
            file, header=np.frombuffer(meta.encode(), dtype=np.uint8), **self.arrays))

    @classmethod
    def load(cls, path: Path, first: int | None = None) -> OfflineDataset:
        """Reads a file written by :meth:`save`.

        Args:
            path: the file.
            first: as the attribute; None where the file must be a data set by itself.

        Raises:
            UserError: the file is missing, truncated, altered, or not a data set.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            header = json.loads(arrays.pop("header").tobytes()) if "header" in arrays else {}
        except FileNotFoundError:
            raise UserError(f"there is no data set {path}.") from None
        except PermissionError:
            raise UserError(f"data set {path} may not be read; change its permissions.") from None
        except Exception as error:  # zipfile, zlib, NumPy and json raise some dozen kinds for damaged bytes
            kind = type(error).__name__
            raise UserError(f"data set {path} is damaged or not an .npz file ({kind}); {REMEDY}.") from None
        if not isinstance(header, dict) or not isinstance(header.get("meta"), dict):
            raise UserError(f"data set {path} was not written by this program: it has no header with its provenance.")
        if header.get("format") != FORMAT:
            raise UserError(f"data set {path} has format {header.get('format')!r}, but this program reads {FORMAT}.")
        for name in ARRAYS:
            if name not in arrays:
                raise UserError(f"data set {path} lacks the key '{name}'; {REMEDY}.")
        for name in arrays:
            if name not in (*ARRAYS, *OPTIONAL):
                raise UserError(f"data set {path} has the unknown key {name!r}; {REMEDY}.")
        data = cls(**arrays, meta=header["meta"], source=str(path), first=first)
        if data.digest != header.get("digest"):
            raise UserError(f"data set {path} was altered: its contents do not match its digest; {REMEDY}.")
        return data
