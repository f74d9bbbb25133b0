"""``python -m epymarl_cpa.view PATH --out=FILE.html``: see :mod:`.command`."""

import sys

from ..utils.process import told_if_interrupted
from .command import main

if __name__ == "__main__":
    sys.exit(told_if_interrupted(main))
