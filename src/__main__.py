"""``python -m epymarl_cpa`` is ``python src/main.py``."""

import sys

from .cli import main

sys.exit(main(sys.argv))
