"""Episodes in PyMARL's layout that others recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..chunks import spans
from ..dataset import OfflineDataset
from ..ends import mend_ends
from .columns import NEEDED, Array, Columns, check_onehot, flags_of

ASSUMED = ("{} episodes do not say how they ended, so the last entry of each is taken for the state after its last "
           "action; if it is a step itself, that step is left out")


class Tails(NamedTuple):
    """How the episodes of foreign files end, which their layout leaves open.

    Attributes:
        lacking: whether nobody recorded the states after the last actions, so that the last entry of an episode that
            was cut off is a step.  Else it holds the last state.
        cut: number of episodes that were cut off.
        unsure: whether nothing tells, and the last entries of episodes that were cut off are taken for states.
        more: time slots to add for the entry after the last step.
    """

    lacking: bool
    cut: int
    unsure: bool
    more: int

    @classmethod
    def of(cls, files: Sequence[Columns]) -> Tails:
        """True ends with an entry after them tell of states; those without, and rewards in last entries, of steps."""
        states = steps = full = False
        cut = 0
        for columns in files:
            for span in spans(columns.episodes, columns.episode_bytes):
                filled, ended = (np.asarray(columns.read(key, span)[..., 0] == 1) for key in ("filled", "terminated"))
                paid = np.asarray((columns.read("reward", span) != 0).any(2))
                last = filled.copy()
                last[:, :-1] &= ~filled[:, 1:]
                ended &= filled
                states |= bool((ended[:, :-1] & filled[:, 1:]).any())
                open_end = last & ~ended.any(1, keepdims=True)
                steps |= bool((open_end & paid).any() or (ended & last).any())
                cut += int(open_end.any(1).sum())
                full |= bool(ended[:, -1].any())
        lacking = bool(cut) and steps and not states
        return cls(lacking, cut, bool(cut) and not steps and not states, int(lacking or full))


def foreign(files: Sequence[Columns], meta: dict[str, Any], buffer: bool = False) -> Iterator[OfflineDataset]:
    """Reads data that others recorded.

    Padding is cleaned, and ``obs`` is dropped where every agent sees the state.  Messages count episodes
    within their file.

    Args:
        files: one after the other, with all their episodes.
        meta: the provenance to give the data.
        buffer: whether they are of PyMARL's own buffer, which holds the states after the last actions.

    Raises:
        UserError: an array contradicts another one, or itself.
    """
    for columns in files:
        columns.check()
    with_obs = not all(_obs_is_state(columns) for columns in files)
    tails = Tails.of(files)
    if buffer:
        tails = Tails(False, tails.cut, tails.unsure or tails.lacking, 0)
    if tails.unsure:
        meta = {**meta, "assumed": [ASSUMED.format(tails.cut)]}
    for columns in files:
        for span in spans(columns.episodes, columns.episode_bytes):
            yield _cleaned(columns, span, meta, with_obs, tails)


def _cleaned(columns: Columns, span: slice, meta: dict[str, Any], with_obs: bool, tails: Tails) -> OfflineDataset:
    arrays = {key: columns.read(key, span) for key in (*NEEDED, *(("obs",) if with_obs else ()))}
    filled = flags_of(columns, "filled", arrays["filled"][..., 0], span)
    terminated = flags_of(columns, "terminated", np.where(filled, arrays["terminated"][..., 0], 0), span)
    # In padding all of them, so that a masked softmax has something to choose.
    available = flags_of(columns, "avail_actions", np.where(filled[..., None, None], arrays["avail_actions"], 1), span)
    actions = np.where(filled[..., None], arrays["actions"][..., 0], 0).astype(np.int64)
    paid, state = _floats(arrays["reward"], filled), _floats(arrays["state"], filled)
    whole: dict[str, Array] = {"state": state, "actions": actions, "avail_actions": available, "reward": paid[..., 0],
                               "terminated": terminated, "filled": filled}
    if paid.shape[2] > 1:  # one for each agent; until a game is known that adds them up, the team gets their mean
        whole |= {"reward": paid.mean(2, dtype=np.float64).astype(np.float32), "agent_reward": paid}
    if with_obs:
        whole["obs"] = _floats(arrays["obs"], filled)
    mend_ends(whole)
    if tails.lacking:
        last = filled.copy()
        last[:, :-1] &= ~filled[:, 1:]
        whole["no_next"] = last & ~terminated.any(1, keepdims=True)
    if tails.more:
        whole = {key: np.pad(array, [(0, int(axis == 1)) for axis in range(array.ndim)],
                             constant_values=key == "avail_actions") for key, array in whole.items()}
    ends = whole["terminated"] | whole["no_next"] if tails.lacking else whole["terminated"]
    whole["filled"][:, 1:] |= (ends & whole["filled"])[:, :-1]  # an entry for the state, which is never used
    part = OfflineDataset(**whole, behaviour=np.full(len(filled), -1, dtype=np.int64), meta=meta,
                          source=columns.source, first=span.start)
    if "actions_onehot" in columns.arrays:
        # Where the last state is, buffers hold zeros or an action that was never played.
        check_onehot(columns, part, span, part.steps)
    return part


def _floats(array: Array, filled: NDArray[np.bool_]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # becomes infinite, which validation refuses
        kept = np.array(array, dtype=np.float32)
    kept[~filled] = 0.0
    return kept


def _obs_is_state(columns: Columns) -> bool:
    if "obs" not in columns.arrays:
        return True
    if columns.arrays["obs"].shape[3] != columns.arrays["state"].shape[2]:
        return False
    return all((columns.read("obs", span) == columns.read("state", span)[:, :, None]).all((2, 3))
               [columns.read("filled", span)[..., 0] != 0].all()
               for span in spans(columns.episodes, columns.episode_bytes))
