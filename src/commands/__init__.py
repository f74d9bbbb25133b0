"""The verbs of the one command: what each runs, and what is told of methods, games and keys without running anything.

Nothing here imports torch or Sacred before it is needed: help, lists, explanations and most mistakes are told at once.
"""
