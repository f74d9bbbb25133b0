"""``python -m epymarl_cpa`` is ``python src/main.py``."""

import sys

from .cli import entry

sys.exit(entry())
