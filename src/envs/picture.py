"""Pictures of states as lists of simple shapes, which a painter turns into pixels.

Rows and columns count cells, whole numbers are the centres of cells and rows grow downwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

#: the state ``[K]`` before the current one and the joint action ``[N]`` that led on from there
Last = tuple[NDArray[np.int64], NDArray[np.int64]]
#: row and column
Place = Sequence[float] | NDArray[Any]


class Mark(NamedTuple):
    """One shape; later marks cover earlier ones.

    Attributes:
        shape: filled square, filled circle, circle, line or text.
        at: its centre, or the start of a line.
        colour: a name in ``rendering.PALETTE``.
        size: side, diameter, thickness of a line or height of the text, in cells.
        end: where a line ends.
        text: what to write.
    """

    shape: Literal["tile", "disc", "ring", "line", "text"]
    at: Place
    colour: str
    size: float = 1.0
    end: Place = ()
    text: str = ""


class Picture(NamedTuple):
    """Marks on a canvas of ``rows x cols`` cells."""

    rows: float
    cols: float
    marks: list[Mark]


def text_picture(text: str) -> Picture:
    """Lines of text, one a cell row."""
    lines = text.splitlines() or [""]
    cols = 8 * ceil(max(len(line) for line in lines) / 16 + 0.125)  # rarely changes from state to state
    marks = [Mark("text", (row, (cols - 1) / 2), "ink", 0.6, text=line) for row, line in enumerate(lines)]
    return Picture(len(lines), cols, marks)


def choice_picture(step: int, limit: int, choices: Sequence[str], won: bool | None) -> Picture:
    """The number of rounds played over one box for each agent's choice; green after a win, red after a loss."""
    caption = f"round {step:>{len(str(limit))}}/{limit}"  # always of one length, as pictures of a film must be
    colour = {None: "wall", True: "green", False: "red"}[won]
    cols = max(len(choices), 0.5 * len(caption) + 0.5)
    first = (cols - len(choices)) / 2
    marks = [Mark("text", (0, (cols - 1) / 2), "ink", 0.5, text=caption)]
    for agent, choice in enumerate(choices):
        marks += [Mark("tile", (1, first + agent), colour, 0.9),
                  Mark("text", (1, first + agent), "paper", 0.6, text=choice)]
    return Picture(2, cols, marks)
