"""OG-MARL's Vaults, read only: folders that Flashbax writes, one time axis with all episodes in a row.

A vault holds ``observations`` ``[1, T, N, O]``, ``actions`` and ``rewards`` ``[1, T, N]``, ``terminals`` and
``truncations`` ``[1, T, N]``, and in ``infos`` perhaps ``state`` ``[1, T, S]`` and ``legals`` ``[1, T, N, A]``.

An episode is over when every agent has terminated or been truncated (:mod:`..ends`).  The state after its last action
is not recorded.  Where it truly ended, nothing depends on it; where it was cut off, ``no_next`` says so.  Without
``state``, the observations of all agents in a row are taken for it; without ``legals``, all actions are available.
Places that hold ``-inf`` in every step are padding, as of OG-MARL's MPE, and become 0.  The team's reward is the mean
of the agents' rewards, as in OG-MARL's own evaluation, until a game is known that adds them up.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import UserError
from ..chunks import spans
from ..dataset import OfflineDataset
from ..ends import ends_of
from ..validate import refuse_where
from .base import REGISTRY, Format, metadata
from .vault_leaves import Array, Leaves

#: arrays that may be padded with -inf
PADDED = ("observations", "infos.state")


@REGISTRY.register("vault")
class Vault(Format):
    """Read in slices of the time axis."""

    title = "an OG-MARL Vault (read only)"
    folder = True
    writable = False

    def recognises(self, path: Path) -> bool:
        return path.is_dir() and bool(_vaults(path))

    def read(self, path: Path) -> Iterator[OfflineDataset]:
        found = _vaults(path)
        if len(found) != 1:
            names = ": " + ", ".join(folder.name for folder in found) if found else ""
            raise UserError(f"{path} holds {len(found)} vaults, but the path must name one{names}.")
        leaves, provenance = Leaves(found[0]), metadata(found[0])
        meta = {"format": "vault",
                "provenance": {key: provenance[key] for key in provenance if not key.startswith("structure_")}}
        seen = _overview(leaves)
        meta |= {} if "infos.legals" in leaves.keys else {"unrecorded": ["avail_actions"]}
        bytes_each = leaves.step_bytes(*leaves.keys) * seen.slots
        for span in spans(len(seen.start), bytes_each):
            yield _part(leaves, seen, span, meta, str(found[0]))


def _vaults(path: Path) -> list[Path]:
    """The folder itself if it is a vault, else the vaults in it (named by their uids)."""
    folders = [path, *(sorted(path.iterdir()) if path.suffix == ".vlt" else ())]
    return [folder for folder in folders if "structure_shape" in metadata(folder)]


class Overview(NamedTuple):
    """What a first pass over the small arrays tells.

    Attributes:
        start: index of the first step of every episode ``[E]``.
        length: recorded steps of every episode ``[E]``.
        ended: whether it truly ended ``[E]``.
        slots: entries of the longest episode, that after its last step among them.
        n_actions: A, or the largest recorded number plus 1 where A is not recorded.
        padding: for observations and states, where they hold -inf in every step.
    """

    start: NDArray[np.int64]
    length: NDArray[np.int64]
    ended: NDArray[np.bool_]
    slots: int
    n_actions: int
    padding: dict[str, NDArray[np.bool_]]


def _overview(leaves: Leaves) -> Overview:
    def flagged(key: str) -> NDArray[np.bool_]:
        """The agents' flags ``[steps, N]``, or the team's ``[steps, 1]``."""
        return np.concatenate([(block != 0).reshape(len(block), -1) for block in leaves.blocks(key)])

    terminal = flagged("terminals")
    truncated = flagged("truncations") if "truncations" in leaves.keys else np.zeros_like(terminal)
    ends = ends_of(*np.broadcast_arrays(terminal, truncated))
    start = np.concatenate([[0], ends.stop[:-1]])
    n_actions = leaves.shape("infos.legals")[-1] if "infos.legals" in leaves.keys else leaves.count_actions()
    length = ends.stop - start
    padding = {key: _padding(leaves, key) for key in PADDED if key in leaves.keys}
    return Overview(start, length, ends.ended, int(length.max()) + 1, max(1, n_actions), padding)


def _padding(leaves: Leaves, key: str) -> NDArray[np.bool_]:
    """Where an array holds -inf in every step, of the shape of one step."""
    found = np.ones(leaves.shape(key), np.bool_)
    for block in leaves.blocks(key):
        found &= np.isneginf(block).all(0) if block.dtype.kind == "f" else False
        if not found.any():
            break
    return found


def _part(leaves: Leaves, seen: Overview, span: slice, meta: dict[str, Any], source: str) -> OfflineDataset:
    length, agents = seen.length[span], leaves.agents
    begin, stop = int(seen.start[span][0]), int(seen.start[span][-1] + length[-1])
    steps, time = stop - begin, np.arange(seen.slots)
    played = time < length[:, None]  # [E, T + 1]

    def laid_out(rows: Array, dtype: type, empty: float = 0) -> Array:
        """Steps in a row, ``[steps, ...]``, as padded episodes."""
        padded = np.full((*played.shape, *rows.shape[1:]), empty, dtype=dtype)
        with np.errstate(over="ignore"):  # becomes infinite, which validation refuses
            padded[played] = rows
        return padded

    for key, lead in (("observations", (agents,)), ("infos.legals", (agents, seen.n_actions))):
        if key in leaves.keys and leaves.shape(key)[: len(lead)] != lead:
            raise UserError(f"{source}: key '{key}' has shape {leaves.shape(key)} in each step, which does not fit "
                            f"{agents} agents and {seen.n_actions} actions.")
    rows = {key: leaves.read(key, begin, stop) for key in leaves.keys}
    for key, place in seen.padding.items():
        if place.any():
            rows[key] = np.where(place, rows[key].dtype.type(0), rows[key])
    legal = laid_out(rows.get("infos.legals", np.ones((steps, agents, seen.n_actions), np.bool_)), np.float32, 1)
    refuse_where(source, "infos.legals", (legal != 0) & (legal != 1), "a value is neither 0 nor 1", span.start)
    reward = rows["rewards"].reshape(steps, -1)
    obs = laid_out(rows["observations"].reshape(steps, agents, -1), np.float32)
    state = obs.reshape(*played.shape, -1)
    if "infos.state" in rows:
        state = laid_out(rows["infos.state"].reshape(steps, -1), np.float32)
    individual = reward.shape[1] == agents
    team = reward.mean(1, dtype=np.float64)
    last, ended = time == length[:, None] - 1, seen.ended[span, None]
    return OfflineDataset(
        state, laid_out(rows["actions"], np.int64), legal != 0, laid_out(team, np.float32), terminated=last & ended,
        filled=time <= length[:, None], behaviour=np.full(len(length), -1, dtype=np.int64), meta=meta, obs=obs,
        source=source, agent_reward=laid_out(reward, np.float32) if individual else None,
        no_next=None if seen.ended.all() else last & ~ended, first=span.start)
