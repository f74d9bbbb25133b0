"""What agents see of simulated states, as the data tell."""

from __future__ import annotations

import numpy as np
import torch as th
from torch import Tensor

from ..errors import UserError
from .experience import Experience

NOTHING = -1  # of an entry that is always the same


class View:
    """Every entry of an observation repeats an entry of the state, or never changes.

    Args:
        data: recorded episodes.

    Raises:
        UserError: some entry does neither, or which actions are available changes.
    """

    def __init__(self, data: Experience) -> None:
        obs, state = data.obs[data.filled], data.state[data.filled]  # [M, N, O], [M, S]
        available = data.available[:, :-1][data.played]  # where agents acted
        if bool((available != available[0]).any()):
            raise UserError("improvement=stages and =stationary need data in which the available actions never change; "
                            "set improvement=imitation.")
        self.available = available[0]
        place = {column.tobytes(): k for k, column in reversed(list(enumerate(np.ascontiguousarray(state.numpy().T))))}
        flat = np.ascontiguousarray(obs.flatten(1).numpy().T)
        source = [NOTHING if (column == column[0]).all() else place.get(column.tobytes()) for column in flat]
        if None in source:
            raise UserError("improvement=stages and =stationary need observations that are parts of the state, and in "
                            "these data one is not; set improvement=imitation.")
        self._source = th.tensor([max(k or 0, 0) for k in source])
        self._fixed = th.tensor([k == NOTHING for k in source])
        self._shape, self._value = obs.shape[1:], obs[0].flatten()

    def of(self, state: Tensor) -> Tensor:
        """States ``[M, S]`` to observations ``[M, N, O]``."""
        return th.where(self._fixed, self._value, state[:, self._source]).view(-1, *self._shape)

    def masks(self, rows: int) -> Tensor:
        """Available actions, bool ``[rows, N, A]``."""
        return self.available.expand(rows, -1, -1)
