"""Starting without looking for garbage: half a million new objects make Python look for it again and again."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_waiting: list[bool] = []  # whether what is there by then stays for good; empty unless within ``starting``


@contextmanager
def starting() -> Iterator[None]:
    """Until :func:`started` is called inside the ``with`` block, or it ends, no garbage is looked for.

    What the first such block has imported by then is never looked at again: it stays until the process ends.
    """
    if not gc.isenabled():  # somebody else's choice, or a block around this one
        yield
        return
    _waiting.append("torch" not in sys.modules)
    gc.disable()
    try:
        yield
    finally:
        started()


def started() -> None:
    """Ends the hurry, if there is one."""
    if _waiting:
        if _waiting.pop() and "torch" in sys.modules:
            gc.freeze()
        gc.enable()
