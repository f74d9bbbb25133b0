"""Programs of other people, each driven by one file in a process of its own (:mod:`.child`).

These files need the standard library, NumPy and what the other program needs, and nothing of this package: they run in
whatever Python the other program runs in.  They import the other program from the folder that the command names, and
hold none of its code.
"""
