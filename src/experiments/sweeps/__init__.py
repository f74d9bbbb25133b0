"""Grids of runs, and doing what is missing of them."""

#: where runs are done
BACKENDS = ("local", "ray", "serial")
