"""How many small faults the tests notice (docs/promises.md)."""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
if str(TESTS) not in sys.path:  # the forked children of the attacks are used here, too
    sys.path.append(str(TESTS))
