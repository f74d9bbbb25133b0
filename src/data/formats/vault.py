"""OG-MARL's Vaults, read only: folders that Flashbax writes, one time axis with all episodes in a row.

A vault holds ``observations`` ``[1, T, N, O]``, ``actions`` and ``rewards`` ``[1, T, N]``, ``terminals`` and
``truncations`` ``[1, T, N]``, and in ``infos`` perhaps ``state`` ``[1, T, S]`` and ``legals`` ``[1, T, N, A]``.

The state after an episode's last action is not recorded.  Where the episode truly ended, nothing depends on
it; where it was cut off, its last action has no known outcome, and the entry serves as the last state.  Without
``state``, the observations of all agents in a row are taken for it.  The team's reward is the mean of the
agents' rewards, as in OG-MARL's own evaluation; these are kept where they differ.
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
from ..validate import refuse_where
from .base import REGISTRY, Format, metadata
from .vault_leaves import Array, Leaves


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
        seen = _overview(leaves, str(found[0]))
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
        slots: entries of the longest episode, its last state among them.
        individual: whether agents differ in their rewards.
        n_actions: A.
    """

    start: NDArray[np.int64]
    length: NDArray[np.int64]
    ended: NDArray[np.bool_]
    slots: int
    individual: bool
    n_actions: int

    def entries(self, span: slice) -> NDArray[np.int64]:
        """Entries of some episodes: the last state of one that ended has an entry."""
        return np.asarray(self.length[span] + self.ended[span])


def _overview(leaves: Leaves, source: str) -> Overview:
    def flagged(key: str) -> NDArray[np.bool_]:
        """Where all agents have a flag, ``[steps]``."""
        return np.concatenate([(block != 0).reshape(len(block), -1).all(1) for block in leaves.blocks(key)])

    terminal = flagged("terminals")
    done = terminal | flagged("truncations") if "truncations" in leaves.keys else terminal.copy()
    done[-1] = True  # the writer may have stopped within an episode
    stop = np.flatnonzero(done) + 1
    start = np.concatenate([[0], stop[:-1]])
    individual = any(bool((block != block[:, :1]).any()) for block in leaves.blocks("rewards") if block.ndim == 2)
    n_actions = leaves.shape("infos.legals")[-1] if "infos.legals" in leaves.keys else leaves.count_actions()
    ended = terminal[stop - 1]
    slots = int((stop - start + ended).max())
    if slots < 2:
        raise UserError(f"{source}: no episode has a complete step, so there is nothing to learn from.")
    return Overview(start, stop - start, ended, slots, individual, max(1, n_actions))


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
    legal = laid_out(rows.get("infos.legals", np.ones((steps, agents, seen.n_actions), np.bool_)), np.float32, 1)
    refuse_where(source, "infos.legals", (legal != 0) & (legal != 1), "a value is neither 0 nor 1", span.start)
    reward = rows["rewards"].reshape(steps, -1)
    obs = laid_out(rows["observations"].reshape(steps, agents, -1), np.float32)
    state = obs.reshape(*played.shape, -1)
    if "infos.state" in rows:
        state = laid_out(rows["infos.state"].reshape(steps, -1), np.float32)
    team = reward.mean(1, dtype=np.float64) if seen.individual else reward[:, 0]
    return OfflineDataset(
        state, laid_out(rows["actions"], np.int64), legal != 0, laid_out(team, np.float32),
        terminated=(time == length[:, None] - 1) & seen.ended[span, None], filled=time < seen.entries(span)[:, None],
        behaviour=np.full(len(length), -1, dtype=np.int64), meta=meta, obs=obs, source=source,
        agent_reward=laid_out(reward, np.float32) if seen.individual else None, first=span.start)
