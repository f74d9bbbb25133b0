"""``python -m epymarl_cpa`` is ``python src/main.py``."""

import sys

from .main import entry

sys.exit(entry())
