"""What the students learn from: the teacher's joint actions, state by state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch as th
from torch import Tensor
from torch.nn import functional as F

from .fingerprint import Fingerprint
from .joint_law import JointLaw

#: from states ``[B, S]`` and masks ``[B, N, A]`` to their joint actions
LawOf = Callable[[Tensor, Tensor], JointLaw]
SMALL, MIDDLE = 2**7, 2**15  # actions whose numbers fit one byte, and two


class LabelSet:
    """The teacher's law in each state, asked for once and remembered.

    The teacher's chain of N decisions is walked when a state is first seen, not in every update;
    data sets hold the same states over and over.

    Args:
        law_of: the teacher's law.
        size: largest number of joint actions kept for a state; K is what they need so far.

    Attributes:
        lost: share of the teacher's play that this leaves out, summed over the states so far.
        modes: most joint actions that the law holds in one of the states so far.
    """

    FIELDS = ("state", "available", "actions", "probs")

    def __init__(self, law_of: LawOf, size: int) -> None:
        self._law_of, self.size = law_of, size
        self._fingerprint = Fingerprint()
        self._row: dict[bytes, int] = {}
        self._data: dict[str, Tensor] = {}
        self.lost, self.modes = 0.0, 0

    def __len__(self) -> int:
        return len(self._row)

    @property
    def device(self) -> th.device:
        """Where the labels are."""
        return self._data["state"].device

    def _move(self, device: th.device) -> None:
        """Brings those of a checkpoint to where they are needed."""
        if self._data and self.device != device:
            self._data = {name: value.to(device) for name, value in self._data.items()}

    def rows(self, state: Tensor, available: Tensor) -> Tensor:
        """The numbers ``[M]`` of states ``[M, S]`` with masks ``[M, N, A]``; new states are labelled."""
        self._move(state.device)
        keys = self._fingerprint(state, available)
        new = {key: i for i, key in enumerate(keys) if key not in self._row}
        if new:
            at = th.tensor(list(new.values()), device=state.device)
            self._add(state[at], available[at], self._law_of(state[at], available[at]))
            self._row.update(zip(new, range(len(self), len(self) + len(new)), strict=True))
        return th.tensor([self._row[key] for key in keys], device=state.device)

    def _add(self, state: Tensor, available: Tensor, law: JointLaw) -> None:
        self.modes = max(self.modes, int((law.probs > 0).sum(1).max()))
        law = law.best(self.size)
        self.lost += float(law.lost.sum())
        width = self._widen(law.probs.shape[1])
        room = width - law.probs.shape[1]
        fresh = dict(zip(self.FIELDS, (
            state, available.bool(), F.pad(law.actions.to(_smallest(available.shape[-1])), (0, 0, 0, room)),
            F.pad(law.probs.to(state.dtype), (0, room))), strict=True))
        first, used = len(self), len(self) + len(state)
        if not self._data or used > len(self._data["state"]):  # more room, so that growing stays cheap
            self._data = {name: th.cat([self._data[name][:first] if self._data else value[:0],
                                        value, value.new_zeros(used // 2, *value.shape[1:])])
                          for name, value in fresh.items()}
        else:
            for name, value in fresh.items():
                self._data[name][first:used] = value

    def _widen(self, width: int) -> int:
        """Makes room for that many joint actions in every state, and tells how much there is."""
        if not self._data:
            return width
        probs, actions = self._data["probs"], self._data["actions"]
        if (more := width - probs.shape[1]) > 0:
            self._data |= {"probs": F.pad(probs, (0, more)), "actions": F.pad(actions, (0, 0, 0, more))}
        return self._data["probs"].shape[1]

    def __getitem__(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """States ``[M, S]``, masks ``[M, N, A]``, joint actions ``[M, K, N]``, probabilities ``[M, K]``."""
        self._move(rows.device)
        state, available, actions, probs = (self._data[name][rows] for name in self.FIELDS)
        used = max(1, int((probs > 0).sum(1).max()))
        return state, available, actions[:, :used].long(), probs[:, :used]

    def state_dict(self) -> dict[str, Any]:
        """All labels; made again in other company, their last bits could differ."""
        return {"lost": self.lost, "modes": self.modes,
                **{name: value[: len(self)].clone() for name, value in self._data.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.lost, self.modes = state["lost"], state["modes"]
        self._data = {name: state[name] for name in self.FIELDS if name in state}
        keys = self._fingerprint(self._data["state"], self._data["available"]) if self._data else []
        self._row = {key: row for row, key in enumerate(keys)}


def _smallest(n_actions: int) -> th.dtype:
    """The smallest type of numbers that holds all actions."""
    return th.int8 if n_actions <= SMALL else th.int16 if n_actions <= MIDDLE else th.int32
