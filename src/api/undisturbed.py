"""Work that leaves the caller's process as it was."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch as th


@contextmanager
def undisturbed() -> Iterator[None]:
    """Inside the ``with`` block PyTorch is as a fresh process has it; after it, all that is shared is as before.

    These are the generators of Python, NumPy and PyTorch (of its GPUs, too, where they are in use), the number of
    threads, the default type and device, and whether gradients are recorded.
    """
    states = random.getstate(), np.random.get_state(), th.get_rng_state()
    gpus = th.cuda.get_rng_state_all() if th.cuda.is_initialized() else []  # type: ignore[no-untyped-call]
    threads, dtype = th.get_num_threads(), th.get_default_dtype()
    with ExitStack() as stack:
        stack.enter_context(th.inference_mode(False))
        stack.enter_context(th.enable_grad())
        if th.get_default_device().type != "cpu":  # the block costs time, so only then
            stack.enter_context(th.device("cpu"))
        try:
            th.set_default_dtype(th.float32)
            yield
        finally:
            th.set_default_dtype(dtype)
            th.set_num_threads(threads)
            random.setstate(states[0])
            np.random.set_state(states[1])
            th.set_rng_state(states[2])
            if gpus:
                th.cuda.set_rng_state_all(gpus)
