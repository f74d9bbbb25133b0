"""Imported by the line that ``epymarl-cpa install`` writes into EPyMARL's ``main.py``; does nothing elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path

from ..errors import UserError
from .checkout import Checkout
from .launcher import enter

_main = getattr(sys.modules["__main__"], "__file__", None)
if _main is not None and Path(_main).name == "main.py" and (Path(_main).resolve().parent / "run.py").is_file():
    try:
        sys.argv[1:] = enter(Checkout(Path(_main).resolve().parents[1]), sys.argv[1:])
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
