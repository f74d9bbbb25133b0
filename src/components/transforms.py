"""Transforms that an :class:`EpisodeBatch` applies to a key when it is written."""

from __future__ import annotations

import torch as th
from torch import Tensor


class OneHot:
    """Integers ``[..., 1]`` to one-hot vectors ``[..., out_dim]`` (EPyMARL's ``preprocess`` entry)."""

    def __init__(self, out_dim: int) -> None:
        self.out_dim = out_dim

    def transform(self, tensor: Tensor) -> Tensor:
        hot = tensor.new_zeros(*tensor.shape[:-1], self.out_dim, dtype=th.float32)
        return hot.scatter_(-1, tensor.long(), 1.0)

    def infer_output_info(self, vshape: tuple[int, ...], dtype: th.dtype) -> tuple[tuple[int, ...], th.dtype]:
        return (self.out_dim,), th.float32
