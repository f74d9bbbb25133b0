"""What the students learn from where the teacher is sampled: joint actions that it has drawn, put together."""

from __future__ import annotations

import torch as th
from torch import Tensor

from .fingerprint import Fingerprint


class DrawnIn:
    """The states in which the teacher has drawn, so that each has a number."""

    def __init__(self) -> None:
        self._fingerprint = Fingerprint()
        self._row: dict[bytes, int] = {}

    def rows(self, state: Tensor, available: Tensor) -> Tensor:
        """The numbers ``[M]`` of states ``[M, S]`` with masks ``[M, N, A]``, in the order in which they first came."""
        keys = self._fingerprint(state, available)
        return th.tensor([self._row.setdefault(key, len(self._row)) for key in keys], device=state.device)


def put_together(place: Tensor, actions: Tensor, n_places: int) -> tuple[Tensor, Tensor]:
    """The different joint actions that were drawn at each place, and their shares there.

    A mean over these by share is the mean over all that was drawn.

    Args:
        place: where each of M joint actions was drawn, ``[M]``, every place at least once.
        actions: ``[M, N]``.
        n_places: D, number of places.

    Returns:
        Joint actions ``[D, K, N]``, in lexicographic order, and shares ``[D, K]``, 0 for padding.
    """
    different, times = th.unique(th.cat([place[:, None], actions], 1), dim=0, return_counts=True)
    at = different[:, 0]
    many = th.bincount(at, minlength=n_places)
    rank = th.arange(len(at), device=at.device) - (many.cumsum(0) - many)[at]
    joint = actions.new_zeros(n_places, int(many.max()), actions.shape[1])
    shares = th.zeros(joint.shape[:2], device=actions.device)
    joint[at, rank] = different[:, 1:]
    shares[at, rank] = times / th.bincount(place, minlength=n_places)[at]
    return joint, shares
