"""What the students learn from: the teacher's joint actions, state by state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch as th
from torch import Tensor
from torch.nn import functional as F

from .joint_law import JointLaw

#: from states ``[B, S]`` and masks ``[B, N, A]`` to their joint actions
LawOf = Callable[[Tensor, Tensor], JointLaw]


class LabelSet:
    """The teacher's law in each state, asked for once and remembered.

    The teacher's chain of N decisions is walked when a state is first seen, not in every update;
    data sets hold the same states over and over.

    Args:
        law_of: the teacher's law.
        size: largest number of joint actions kept for a state; K is what they need so far.

    Attributes:
        lost: share of the teacher's play that this leaves out, summed over the states so far.
        modes: most joint actions that the teacher has in one of the states so far.
    """

    FIELDS = ("state", "available", "actions", "probs")

    def __init__(self, law_of: LawOf, size: int) -> None:
        self._law_of, self.size = law_of, size
        self._row: dict[bytes, int] = {}
        self._data: dict[str, Tensor] = {}
        self.lost, self.modes = 0.0, 0

    def __len__(self) -> int:
        return len(self._row)

    def rows(self, state: Tensor, available: Tensor) -> Tensor:
        """The numbers ``[M]`` of states ``[M, S]`` with masks ``[M, N, A]``; new states are labelled."""
        keys = _keys(state, available)
        new = list({key: i for i, key in enumerate(keys) if key not in self._row}.values())
        if new:
            self._add(state[new].cpu(), available[new].cpu(), self._law_of(state[new], available[new]))
        return th.tensor([self._row[key] for key in keys])

    def _add(self, state: Tensor, available: Tensor, law: JointLaw) -> None:
        law = JointLaw(law.actions.cpu(), law.probs.cpu(), law.lost.cpu())
        self.modes = max(self.modes, int((law.probs > 0).sum(1).max()))
        law = law.best(self.size)
        self.lost += float(law.lost.sum())
        width = self._widen(law.probs.shape[1])
        probs = state.new_zeros(len(state), width)
        actions = th.zeros(len(state), width, law.actions.shape[-1], dtype=th.int16)
        probs[:, : law.probs.shape[1]], actions[:, : law.probs.shape[1]] = law.probs, law.actions.to(th.int16)
        first, used = len(self), len(self) + len(state)
        fresh = dict(zip(self.FIELDS, (state, available.bool(), actions, probs), strict=True))
        if not self._data or used > len(self._data["state"]):  # twice the room, so that growing stays cheap
            self._data = {name: th.cat([self._data[name][:first] if self._data else value[:0],
                                        value, value.new_zeros(used, *value.shape[1:])])
                          for name, value in fresh.items()}
        else:
            for name, value in fresh.items():
                self._data[name][first:used] = value
        self._row.update((key, first + i) for i, key in enumerate(_keys(state, available)))

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
        keys = _keys(self._data["state"], self._data["available"]) if self._data else []
        self._row = {key: row for row, key in enumerate(keys)}


def numbers_of(state: Tensor, available: Tensor) -> Tensor:
    """Numbers ``[M]`` from 0, equal where states ``[M, S]`` with masks ``[M, N, A]`` are."""
    known: dict[bytes, int] = {}
    return th.tensor([known.setdefault(key, len(known)) for key in _keys(state, available)])


def _keys(state: Tensor, available: Tensor) -> list[bytes]:
    """What tells states apart, one value for each of ``[M, S]`` and ``[M, N, A]``."""
    states, masks = (state + 0.0).cpu().numpy(), available.bool().flatten(1).cpu().numpy()  # -0.0 becomes 0.0
    return [a.tobytes() + b.tobytes() for a, b in zip(states, masks, strict=True)]
