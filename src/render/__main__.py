"""``python -m epymarl_cpa.render MODEL --out=FILE``: see :mod:`.command`."""

from __future__ import annotations

import sys

from .command import main

if __name__ == "__main__":
    sys.exit(main())
