"""A trivial encoder with a memory, known to training and to exported agents once this module is imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch as th
from numpy.typing import NDArray
from torch import Tensor, nn

from epymarl_cpa.deploy import policy
from epymarl_cpa.modules.encoders import REGISTRY, Encoder, Sight


@REGISTRY.register("running")
class Running(Encoder):
    """What is seen now, and a sum of what was seen so far that forgets at a learned rate."""

    exported = "running"

    def build(self, sight: Sight, hidden: int) -> None:
        self.n_out, self.n_hidden = 2 * sight.n_spread, sight.n_spread
        self.keep = nn.Parameter(th.tensor(0.5))

    def forward(self, seen: Tensor) -> Tensor:
        hidden, features = self.init_hidden(seen[:, 0]), []
        for t in range(seen.shape[1]):
            now, hidden = self.step(seen[:, t], hidden)
            features.append(now)
        return th.stack(features, 1)

    def step(self, seen: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.sight.spread(seen)
        hidden = self.keep * hidden + seen
        return th.cat([seen, hidden], -1), hidden


class ExportedRunning(policy.Memoryless):
    """Its counterpart in NumPy."""

    def __init__(self, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        super().__init__(meta, arrays)
        self._keep = np.float32(arrays["keep"])
        self.begin()

    def begin(self) -> None:
        self._hidden: NDArray[np.float32] | np.float32 = np.float32(0)

    def step(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        seen = self.spread(seen)
        self._hidden = self._keep * self._hidden + seen
        return np.concatenate([seen, self._hidden])


policy.ENCODERS["running"] = ExportedRunning
