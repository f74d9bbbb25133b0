"""Colours that people with any kind of colour vision can tell apart (Okabe and Ito, 2008), on a light ground.

What is good or bad never depends on colour alone: there is a tick or a cross, too.
"""

from __future__ import annotations

Colour = tuple[int, int, int]

PAPER: Colour = (252, 252, 250)
INK: Colour = (33, 37, 43)
SOFT: Colour = (96, 103, 114)  # words of less weight
LINE: Colour = (205, 210, 217)
FLOOR: Colour = (236, 239, 243)
WALL: Colour = (86, 95, 110)
WHITE: Colour = (255, 255, 255)

BLUE: Colour = (0, 114, 178)
ORANGE: Colour = (214, 137, 0)
GREEN: Colour = (0, 140, 104)
RED: Colour = (200, 32, 38)
VERMILION: Colour = (213, 94, 0)
SKY: Colour = (86, 180, 233)
PURPLE: Colour = (176, 92, 140)
YELLOW: Colour = (240, 228, 66)
BROWN: Colour = (132, 86, 52)
INDIGO: Colour = (72, 61, 139)

#: of agents and actions; never red, which is for what went wrong
SERIES = (BLUE, ORANGE, GREEN, PURPLE, SKY, BROWN, INDIGO, SOFT)
PALE_GREEN: Colour = (216, 240, 231)
PALE_RED: Colour = (250, 222, 220)


def of(number: int) -> Colour:
    """The colour of an agent or an action."""
    return SERIES[number % len(SERIES)]


def pale(colour: Colour, share: float = 0.8) -> Colour:
    """A colour mixed with white."""
    red, green, blue = (round(part + (255 - part) * share) for part in colour)
    return red, green, blue
