"""Paints a state of any game as an RGB image, with NumPy alone.

The games say what to show (``Game.picture``); this module knows shapes, colours and letters.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .game import FloatArray, Game, IntArray
from .picture import Last, Mark

CELL = 48  # pixels
PALETTE = {
    "paper": (250, 250, 247), "ink": (40, 42, 48), "wall": (88, 94, 106), "floor": (226, 229, 233),
    "faint": (176, 182, 192), "blue": (45, 108, 190), "light blue": (150, 187, 230), "orange": (226, 120, 24),
    "light orange": (246, 196, 140), "green": (36, 148, 86), "red": (200, 48, 52),
}
LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ.,:-/*+()#_'!?<>=|%"
DOTS = (  # five rows of three dots for each letter: one octal digit a row, from the top
    "75557262277174771717557117471774757711227575775717"
    "257556565634443655567464774644345535575572227111525565544447577556555525552656442556365655"
    "3421672222555575555255775552555522271247"
    "00002000240202000700112440525002720122214222457575000072200022202712021242142124070702222251245")
FONT = {letter: DOTS[5 * i:5 * i + 5] for i, letter in enumerate(LETTERS)}


def paint(game: Game, state: IntArray, last: Last | None = None) -> NDArray[np.uint8]:
    """Paints one state.

    Args:
        game: its rules.
        state: ``[K]``.
        last: the state before it and the joint action chosen there, if what happened is to be shown too.

    Returns:
        RGB image, ``[H, W, 3]``.
    """
    picture = game.picture(state, last)
    image = np.empty((round(picture.rows * CELL), round(picture.cols * CELL), 3))
    image[:] = PALETTE["paper"]
    for mark in picture.marks:
        (_write if mark.shape == "text" else _stamp)(image, mark)
    return image.round().astype(np.uint8)


def _blend(part: FloatArray, coverage: FloatArray, colour: str) -> None:
    """Lays a colour over a part of the image, as far as ``coverage`` (0 to 1) says."""
    part += coverage[..., None] * (np.array(PALETTE[colour]) - part)


def _stamp(image: FloatArray, mark: Mark) -> None:
    ends = np.array([mark.at, mark.end if mark.shape == "line" else mark.at], dtype=np.float64)
    reach = mark.size / 2 + 0.1
    first = np.maximum(((ends.min(0) + 0.5 - reach) * CELL).astype(int), 0)
    stop = np.ceil((ends.max(0) + 0.5 + reach) * CELL).astype(int)
    part = image[first[0]:stop[0], first[1]:stop[1]]
    pixels = np.indices(part.shape[:2]).transpose(1, 2, 0) + first  # [h, w, 2]
    away = (pixels + 0.5) / CELL - 0.5 - ends[0]  # from the mark's start to each pixel, in cells
    if mark.shape == "line":
        along = ends[1] - ends[0]
        share = np.clip(away @ along / max(along @ along, 1e-9), 0.0, 1.0)
        away -= share[..., None] * along
    distance = abs(away).max(2) if mark.shape == "tile" else np.sqrt((away ** 2).sum(2))
    outside = distance - mark.size / 2
    if mark.shape == "ring":
        outside = abs(outside + 0.05) - 0.05  # a rim of a tenth of a cell
    _blend(part, np.clip(0.5 - outside * CELL, 0.0, 1.0), mark.colour)  # edges one pixel soft


def _write(image: FloatArray, mark: Mark) -> None:
    dot = max(1, round(mark.size * CELL / 5))
    rows = ["".join(f"{int(FONT[c][row]):03b}0" if c in FONT else "0000" for c in mark.text.upper())
            for row in range(5)]
    dots = np.array([[digit == "1" for digit in row] for row in rows], dtype=np.float64).reshape(5, -1)[:, :-1]
    letters = dots.repeat(dot, axis=0).repeat(dot, axis=1)
    middle = (np.asarray(mark.at) + 0.5) * CELL
    top, left = np.maximum((middle - np.array(letters.shape) / 2).round().astype(int), 0)
    part = image[top:top + letters.shape[0], left:left + letters.shape[1]]
    _blend(part, letters[:part.shape[0], :part.shape[1]], mark.colour)
