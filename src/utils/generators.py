"""PyTorch's generators: that of the processor, and those of GPUs that are in use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch as th


def generators() -> dict[str, Any]:
    """Their states: ``torch``, and ``cuda``, a list with one for each GPU, where GPUs are in use."""
    gpus = {"cuda": th.cuda.get_rng_state_all()} if th.cuda.is_initialized() else {}  # type: ignore[no-untyped-call]
    return {"torch": th.get_rng_state(), **gpus}


def set_generators(states: Mapping[str, Any]) -> None:
    """Takes up what :func:`generators` gave, of GPUs as far as they are in use here, too.

    Raises:
        KeyError, RuntimeError, TypeError, ValueError: it is something else.
    """
    th.set_rng_state(states["torch"])
    gpus = states.get("cuda", [])
    if not isinstance(gpus, list):
        raise TypeError("the states of the GPUs' generators are no list")
    if th.cuda.is_initialized() and len(gpus) == th.cuda.device_count():  # type: ignore[no-untyped-call]
        th.cuda.set_rng_state_all(gpus)
