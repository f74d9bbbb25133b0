"""Training steps that a GPU repeats by itself.

A small network's training step is hundreds of operations, and starting one takes a processor longer than a GPU needs
for it.  So what is computed with a batch is recorded once (a CUDA graph) and then repeated with other numbers in the
same places: one start for all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from logging import Logger
from typing import Generic, TypeVar

import torch as th
from torch import Tensor

Found = TypeVar("Found")


def capture(compute: Callable[[], Found]) -> tuple[Callable[[], None], Found]:
    """Records what a GPU would do, without doing it.

    Returns:
        Does it, each time; what is found in the same tensors then.

    Raises:
        RuntimeError: something of it cannot be recorded, as it waits for the GPU.
    """
    graph = th.cuda.CUDAGraph()
    with th.cuda.graph(graph):
        found = compute()
    return graph.replay, found


class Captured(Generic[Found]):
    """A computation that is made twice as it is, so that everything has its place, then recorded and repeated.

    Args:
        compute: from tensors to tensors, on a GPU; it must change no numbers but those of tensors in their places, and
            where the arguments of :meth:`__call__` are the same it must make the same operations.
        device: the GPU.
        console: is told where a computation cannot be recorded.

    Attributes:
        refused: whether it could not be recorded, so that each call computes.
    """

    def __init__(self, compute: Callable[..., Found], device: th.device, console: Logger) -> None:
        self._compute, self._device, self._console = compute, device, console
        self._layout: Hashable = None
        self._kept: dict[Hashable, _Graph[Found] | None] = {}
        self.refused = False

    def __call__(self, given: Sequence[Tensor | None], phase: Hashable, layout: Hashable) -> Found:
        """What ``compute`` finds; it is overwritten by the next call.

        Args:
            given: the arguments, on the processor.
            phase: another one wherever other operations are made.
            layout: another one wherever tensors may lie elsewhere than before.
        """
        there = [each for each in given if each is not None]
        if layout != self._layout:
            self._layout = layout
            self._kept.clear()
        kind = phase, *(each.shape for each in there)
        if (graph := self._kept.get(kind)) is not None:
            return graph(there)
        inputs = [None if each is None else each.to(self._device) for each in given]
        if kind in self._kept and not self.refused:
            try:
                self._kept[kind] = graph = _Graph(self._compute, inputs)
            except RuntimeError as error:
                self.refused = True
                self._console.info("training steps are not recorded on the GPU, and take longer: %s",
                                   " ".join(str(error).split())[:200])
            else:
                return graph(there)
        found = self._compute(*inputs)
        self._kept[kind] = None  # the next one of this kind is recorded
        return found


class _Graph(Generic[Found]):
    """What was recorded, with its places."""

    def __init__(self, compute: Callable[..., Found], inputs: Sequence[Tensor | None]) -> None:
        self._inputs = [each for each in inputs if each is not None]
        self._repeat, self._found = capture(lambda: compute(*inputs))

    def __call__(self, given: Sequence[Tensor]) -> Found:
        for own, each in zip(self._inputs, given, strict=True):
            own.copy_(each, non_blocking=True)
        self._repeat()
        return self._found
