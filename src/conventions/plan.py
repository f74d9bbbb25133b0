"""What a planner hands over: conventions as episodes to imitate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch as th
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Plan:
    """P conventions, best first, as R episodes that show what the agents do in them.

    Attributes:
        entry: which convention each episode shows, ``[R]``.
        obs: ``[R, T, N, O]``.
        actions: ``[R, T, N]``.
        available: bool ``[R, T, N, A]``.
        values, errors: what each convention is estimated to be worth, and the standard error of that, ``[P]``.
        lengths: how many steps of each episode are shown, ``[R]``; None: all T.
    """

    entry: Tensor
    obs: Tensor
    actions: Tensor
    available: Tensor
    values: Tensor
    errors: Tensor
    lengths: Tensor | None = None

    def __len__(self) -> int:
        return len(self.values)

    def state_dict(self) -> dict[str, Any]:
        return dict(vars(self))


def best_first(values: NDArray[np.float64], errors: NDArray[np.float64], caution: float) -> NDArray[np.intp]:
    """Numbers of conventions ``[P]``, those first that are worth most with ``caution`` standard errors taken off."""
    return np.argsort(caution * errors - values, kind="stable")


def spread_of(returns: Tensor) -> float:
    """The standard deviation of recorded returns ``[E]``; 0 of a single one."""
    return float(returns.std()) if len(returns) > 1 else 0.0


def law_of(values: Tensor, errors: Tensor, prior: Tensor, caution: float, temperature: float, spread: float) -> Tensor:
    """How likely a key is to mean each of the conventions, ``[P]``: the better, the likelier.

    Args:
        values, errors: of each, ``[P]``.
        prior: how likely each would be if all were worth the same, up to a factor, ``[P]``.
        caution: how many standard errors are taken off.
        temperature: by how large a share of ``spread`` a convention must be worse to be played e times less.
        spread: the standard deviation of recorded returns.
    """
    lower = values - caution * errors
    return th.softmax((lower - lower.max()) / max(temperature * spread, 1e-9) + prior.log(), 0)
