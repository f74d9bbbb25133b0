"""The long run behind "nothing lost, nothing false, nothing executed" (docs/promises.md)."""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
# What other tests build is used here, too.
for _folder in (TESTS, TESTS / "unit", TESTS / "contract", TESTS / "property"):
    if str(_folder) not in sys.path:
        sys.path.append(str(_folder))
