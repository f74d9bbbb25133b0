"""Imported by the line that ``epymarl-cpa install`` writes into EPyMARL's ``main.py``; does nothing elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path

from ..errors import UserError
from .checkout import MAIN, Checkout
from .launcher import ENTERED, enter


def join() -> None:
    """If the program that runs is an EPyMARL that nobody has entered yet, enters it and rewrites its command line."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    if file is None or Path(file).name != MAIN.name:
        return
    root = Path(file).resolve().parents[1]
    if root in ENTERED:  # by the launcher
        return
    try:
        sys.argv[1:] = enter(Checkout(root), sys.argv[1:])
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)


join()
