"""Many runs at once.  The modules here are commands; what they do is in the folders.

``rows`` (what runs leave) is below all; ``sweeps`` makes rows, ``analysis`` computes with them, ``figures`` draws,
``reports`` writes all that down, and ``measure`` times all parts of the program.
"""
