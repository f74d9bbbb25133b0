"""A stand-in for CUDA graphs: operations are noted as they are made, and made again with the same tensors.

As a graph it knows nothing of what Python decided on the way, and refuses what would wait for a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch as th
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Found = TypeVar("Found")
#: operations that a GPU's processor must wait for, as they ask for a number or for how many there are, or copy one
WAITING = ("_local_scalar_dense", "item", "nonzero", "unique", "masked_select", "equal", "bincount", "lift_fresh",
           "repeat_interleave.Tensor")


class Tape(TorchDispatchMode):
    """Notes what is done while it is on.

    Args:
        strict: whether it refuses what would wait.

    Attributes:
        waited: whether something would have waited.
    """

    def __init__(self, strict: bool) -> None:
        super().__init__()
        self.done: list[tuple[Any, Any, Any, Any]] = []
        self.strict, self.waited = strict, False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func).removeprefix("aten.")
        masks = [each for each in tree_leaves(args) if isinstance(each, Tensor) and each.dtype is th.bool]
        if name.startswith(WAITING) or (name.startswith("index") and masks and masks[-1] is not args[0]):
            self.waited = True
            if self.strict:
                raise RuntimeError(f"{name} waits for the GPU")
        out = func(*args, **(kwargs or {}))
        self.done.append((func, args, kwargs or {}, out))
        return out

    def again(self) -> None:
        """Does the same once more; what came out is in the same tensors."""
        with th._C._AutoDispatchBelowAutograd():
            for func, args, kwargs, out in self.done:
                given = {each.untyped_storage().data_ptr() for each in tree_leaves((args, kwargs))
                         if isinstance(each, Tensor)}
                for old, new in zip(tree_leaves(out), tree_leaves(func(*args, **kwargs)), strict=True):
                    if isinstance(old, Tensor) and old.untyped_storage().data_ptr() not in given:
                        old.copy_(new)


def watched(compute: Callable[[], Found]) -> tuple[Found, bool]:
    """As :func:`epymarl_cpa.learners.captured.watched`."""
    tape = Tape(strict=False)
    with tape:
        found = compute()
    return found, tape.waited


def capture(compute: Callable[[], Found]) -> tuple[Callable[[], None], Found]:
    """As :func:`epymarl_cpa.learners.captured.capture`, but that what is recorded has been done then."""
    tape = Tape(strict=True)
    with tape:
        found = compute()
    fresh = [True]

    def repeat() -> None:
        if not fresh:
            tape.again()
        fresh.clear()

    return repeat, found
