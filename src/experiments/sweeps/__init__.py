"""Grids of runs, and doing what is missing of them."""
