"""Agreement keys for the episodes of a controller in EPyMARL's contract."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch as th
from torch import Tensor

from ..components.episode_buffer import EpisodeBatch
from .key import AgreementKey

TRAINING_STREAM = 2**40  # keeps the keys of training apart from those of tests


class EpisodeKeys:
    """Agreement keys for the rows of episode batches.

    A key depends on seed, episode and step only, so neither the layout of batches nor extra queries
    change what comes later.  Row r of a batch is episode ``first + r``, counted over the batches that
    were begun, in training and in tests apart.

    Args:
        seed: shared by the agents.
        per: ``step`` or ``episode``, how often there is a new key.
    """

    def __init__(self, seed: int, per: str = "step") -> None:
        self._keys = {False: AgreementKey(seed + TRAINING_STREAM, per), True: AgreementKey(seed, per)}
        self._next, self._first, self._begun = {False: 0, True: 0}, {False: 0, True: 0}, 0

    def begin(self, batch_size: int) -> None:
        """The next query is about ``batch_size`` new episodes."""
        self._begun = batch_size

    def restart_tests(self) -> None:
        """Counts the episodes of tests from 0 again."""
        self._next[True] = 0

    def count_from(self, number: int) -> None:
        """The next episode is that of this number, in training and in tests."""
        self._next = {False: number, True: number}

    def settle(self, test_mode: bool) -> None:
        """Gives the episodes just begun their numbers."""
        if self._begun:
            self._first[test_mode] = self._next[test_mode]
            self._next[test_mode] += self._begun
            self._begun = 0

    def draw(self, ep_batch: EpisodeBatch, bs: Any, t: int, size: int, test_mode: bool) -> Tensor:
        """Keys ``[len(bs), size]``, uniform in (0, 1), of the rows ``bs`` at time ``t``; double, on the CPU."""
        rows = np.arange(ep_batch.batch_size)[bs.cpu().numpy() if isinstance(bs, Tensor) else bs]
        first = self._first[test_mode]
        return th.from_numpy(self._keys[test_mode].draw([first + int(row) for row in rows], t, size))

    def state_dict(self) -> dict[str, Any]:
        return {"next": [self._next[False], self._next[True]]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._next = dict(zip((False, True), state["next"], strict=True))
