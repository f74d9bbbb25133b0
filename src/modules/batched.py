"""Affine layers of N small networks at once, by batched matrix products."""

from __future__ import annotations

import math

import torch as th
from torch import Tensor, nn
from torch.nn import functional as F

NARROW = 16  # columns; a CPU's batched product takes several times longer for fewer than for these


def uniform(*shape: int, fan_in: int) -> nn.Parameter:
    """A parameter drawn as ``nn.Linear`` draws its own."""
    bound = 1.0 / math.sqrt(fan_in)
    return nn.Parameter(th.empty(*shape).uniform_(-bound, bound))


def affine(bias: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """``x @ weight + bias`` for each network: ``[N, 1, O]``, ``[N, M, I]`` and ``[N, I, O]`` to ``[N, M, O]``."""
    missing = NARROW - weight.shape[-1]
    if missing <= 0:
        return th.baddbmm(bias, x, weight)
    return th.baddbmm(F.pad(bias, (0, missing)), x, F.pad(weight, (0, missing)))[..., :-missing]
