"""At home in EPyMARL: our classes inside an unmodified checkout, and its baselines on our games.

Nothing here imports EPyMARL before it is asked to; everything else in this project does without it.
"""
