"""Training steps that a GPU repeats by itself.

A small network's training step is hundreds of operations, and starting one takes a processor longer than a GPU needs
for it.  So what is computed with a batch is recorded once (a CUDA graph) and then repeated with other numbers in the
same places: one start for all of it.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Hashable
from logging import Logger
from typing import ClassVar, Generic, TypeVar

import torch as th
from torch import Tensor

from ..components.drawn import Places

Found = TypeVar("Found")
Compute = Callable[[Tensor, Tensor, Tensor | None], Found]
WAITED = "synchronizing CUDA operation"  # part of what PyTorch warns of


class Captured(Generic[Found]):
    """A computation that is made as it is at first, so that everything has its place, then recorded and repeated.

    Args:
        compute: from places of steps, on a GPU, to tensors; it must change no numbers but those of tensors in their
            places, and where the phase and the shapes are the same it must make the same operations.
        layout: tells something else whenever tensors may lie elsewhere than before.
        device: the GPU.
        console: is told where a computation cannot be recorded.

    Attributes:
        refused: whether it cannot be recorded, so that each call computes.
        failed: whether anything failed while it was recorded, in this process; PyTorch's allocator may never again be
            fit to record then.
    """

    failed: ClassVar[bool] = False

    def __init__(self, compute: Compute[Found], layout: Callable[[], Hashable], device: th.device,
                 console: Logger) -> None:
        self._compute, self._layout, self._device, self._console = compute, layout, device, console
        self._laid: Hashable = None
        self._kept: dict[Hashable, _Graph[Found] | None] = {}
        self.refused = Captured.failed

    def __call__(self, given: Places, phase: Hashable) -> Found:
        """What ``compute`` finds; it is overwritten by the next call.

        Args:
            given: places, on the processor.
            phase: another one wherever other operations are made.
        """
        there = [each for each in given if each is not None]
        if (layout := self._layout()) != self._laid:
            self._laid = layout
            self._kept.clear()
        kind = phase, *(each.shape for each in there)
        if (graph := self._kept.get(kind)) is not None:
            return graph(there)
        index, number, count = given
        inputs = index.to(self._device), number.to(self._device), None if count is None else count.to(self._device)
        if self.refused or Captured.failed:
            return self._compute(*inputs)
        if kind not in self._kept:
            found, waits = watched(lambda: self._compute(*inputs))
            self._kept[kind] = None  # the next one of this kind is recorded, if this one has laid nothing out anew
            if waits:
                self._refuse("something in them waits for it")
            return found
        try:
            graph = _Graph(self._compute, inputs)
        except RuntimeError as error:
            Captured.failed = True
            self._refuse(str(error.__context__ or error))
            return self._compute(*inputs)
        assert self._layout() == layout, "what was recorded has made room for numbers that are there already"
        self._kept[kind] = graph
        return graph(there)

    def _refuse(self, why: str) -> None:
        self.refused = True
        self._console.info("training steps are not recorded on the GPU, and take longer: %s",
                           " ".join(why.split())[:200])


def watched(compute: Callable[[], Found]) -> tuple[Found, bool]:
    """Computes something on a GPU.

    Returns:
        What is found, and whether the processor has waited for the GPU meanwhile.
    """
    before = th.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        th.cuda.set_sync_debug_mode("warn")
        try:
            found = compute()
        finally:
            th.cuda.set_sync_debug_mode(before)
    return found, any(WAITED in str(each.message) for each in told)


def capture(compute: Callable[[], Found]) -> tuple[Callable[[], None], Found]:
    """Records what a GPU would do, without doing it.

    Returns:
        Does it, each time; what is found in the same tensors then.

    Raises:
        RuntimeError: it cannot be recorded.
    """
    graph, stream, collects = th.cuda.CUDAGraph(), th.cuda.current_stream(), gc.isenabled()
    gc.collect()
    gc.disable()  # an older graph that is destroyed meanwhile would spoil the recording
    try:
        with th.cuda.graph(graph):
            found = compute()
    except RuntimeError:
        th.cuda.set_stream(stream)  # which a failure leaves behind, as it does generators that take it for going on
        for generator in th.cuda.default_generators:
            generator.graphsafe_set_state(generator.clone_state())
        raise
    finally:
        if collects:
            gc.enable()
    return graph.replay, found


class _Graph(Generic[Found]):
    """What was recorded, with its places."""

    def __init__(self, compute: Compute[Found], inputs: Places) -> None:
        self._inputs = [each for each in inputs if each is not None]
        self._repeat, self._found = capture(lambda: compute(*inputs))

    def __call__(self, given: list[Tensor]) -> Found:
        for own, each in zip(self._inputs, given, strict=True):
            own.copy_(each, non_blocking=True)
        self._repeat()
        return self._found
