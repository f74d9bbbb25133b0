"""What painters draw on: shapes and words in units of the picture, whatever its size in pixels.

The only file that needs Pillow for single pictures.  Everything is drawn larger and made smaller at the end, so that
edges are smooth.
"""

from __future__ import annotations

from functools import cache
from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from .colours import INK, PAPER, Colour

FINER = 3  # pixels drawn for each pixel shown
BASELINE = 0.36  # of the height of letters, from their middle down to the line that they stand on


@cache
def _font(pixels: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(pixels)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


class Canvas:
    """A part of a picture, with the origin at its top left.

    Args:
        image: the whole picture, in drawn pixels.
        scale: drawn pixels in a unit.
        x, y: of the origin in the whole picture, in units.
    """

    def __init__(self, image: Image.Image, scale: float, x: float = 0.0, y: float = 0.0) -> None:
        self._image, self._draw = image, ImageDraw.Draw(image)
        self._scale, self._x, self._y = scale, x, y

    @staticmethod
    def new(width: float, height: float, pixels: int) -> Canvas:
        """An empty picture of ``width x height`` units that will be ``pixels`` wide and even in both directions."""
        scale = pixels / width
        size = (2 * round(pixels / 2), 2 * round(height * scale / 2))
        return Canvas(Image.new("RGB", (size[0] * FINER, size[1] * FINER), PAPER), scale * FINER)

    def at(self, x: float, y: float) -> Canvas:
        """The part of this one that begins at ``(x, y)``."""
        return Canvas(self._image, self._scale, self._x + x, self._y + y)

    def pixels(self) -> NDArray[np.uint8]:
        """The whole picture ``[H, W, 3]`` as shown."""
        size = (self._image.width // FINER, self._image.height // FINER)
        return np.asarray(self._image.resize(size, Image.Resampling.BOX))

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return (self._x + x) * self._scale, (self._y + y) * self._scale

    def _thick(self, thickness: float) -> int:
        return max(FINER, round(thickness * self._scale))

    def box(self, x: float, y: float, width: float, height: float, colour: Colour | None, radius: float = 0.0,
            edge: Colour | None = None, thickness: float = 0.5) -> None:
        """A filled rectangle with round corners, from its top left, and its edge."""
        place = (*self._at(x, y), *self._at(x + width, y + height))
        self._draw.rounded_rectangle(place, radius * self._scale, colour, edge, self._thick(thickness) if edge else 0)

    def disc(self, x: float, y: float, radius: float, colour: Colour | None, edge: Colour | None = None,
             thickness: float = 0.5) -> None:
        """A filled circle around ``(x, y)``, and its edge."""
        place = (*self._at(x - radius, y - radius), *self._at(x + radius, y + radius))
        self._draw.ellipse(place, colour, edge, self._thick(thickness) if edge else 0)

    def diamond(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """A square that stands on its corner."""
        self._draw.polygon([self._at(x, y - radius), self._at(x + radius, y), self._at(x, y + radius),
                            self._at(x - radius, y)], colour)

    def arc(self, x: float, y: float, radius: float, middle: float, spread: float, colour: Colour,
            thickness: float = 0.6) -> None:
        """A part of a circle; angles in degrees, 0 to the right, 90 downwards."""
        place = (*self._at(x - radius, y - radius), *self._at(x + radius, y + radius))
        self._draw.arc(place, middle - spread, middle + spread, colour, self._thick(thickness))

    def line(self, x: float, y: float, to_x: float, to_y: float, colour: Colour, thickness: float = 0.6,
             dashed: bool = False) -> None:
        """A line with round ends."""
        length = ((to_x - x) ** 2 + (to_y - y) ** 2) ** 0.5
        pieces = max(1, round(length / (4 * thickness))) if dashed else 1
        for piece in range(pieces):
            start, stop = piece / pieces, (piece + (0.5 if dashed else 1.0)) / pieces
            ends = [(x + (to_x - x) * share, y + (to_y - y) * share) for share in (start, stop)]
            self._draw.line([self._at(*end) for end in ends], colour, self._thick(thickness))
            for end in ends:
                self.disc(*end, thickness / 2, colour)

    def arrow(self, x: float, y: float, to_x: float, to_y: float, colour: Colour, thickness: float = 0.8,
              head: float = 2.2) -> None:
        """A line with a head at its end."""
        angle = np.arctan2(to_y - y, to_x - x)
        back = to_x - head * cos(angle), to_y - head * sin(angle)
        self.line(x, y, *back, colour, thickness)
        sides = [(to_x - head * 1.25 * cos(angle + turn), to_y - head * 1.25 * sin(angle + turn))
                 for turn in (-pi / 5, pi / 5)]
        self._draw.polygon([self._at(to_x, to_y), *(self._at(*side) for side in sides)], colour)

    def cross(self, x: float, y: float, radius: float, colour: Colour, thickness: float = 1.0) -> None:
        """What did not work."""
        self.line(x - radius, y - radius, x + radius, y + radius, colour, thickness)
        self.line(x - radius, y + radius, x + radius, y - radius, colour, thickness)

    def tick(self, x: float, y: float, radius: float, colour: Colour, thickness: float = 1.0) -> None:
        """What worked."""
        self.line(x - radius, y, x - 0.25 * radius, y + 0.75 * radius, colour, thickness)
        self.line(x - 0.25 * radius, y + 0.75 * radius, x + radius, y - 0.75 * radius, colour, thickness)

    def text(self, x: float, y: float, words: str, size: float, colour: Colour = INK, align: str = "m",
             bold: bool = False, width: float = 0.0) -> None:
        """One line of words, in the middle of its height.

        Args:
            x, y: where its left end (``align`` l), its middle (m) or its right end (r) is.
            words: what to write.
            size: height of the letters in units.
            colour: of the letters.
            align: see ``x``.
            bold: whether they are thicker.
            width: if given, letters become smaller until the line is not longer.
        """
        pixels = max(1, round(size * self._scale))
        if width and (length := _font(pixels).getlength(words)) > width * self._scale:
            pixels = max(1, int(pixels * width * self._scale / length))
        place = self._at(x, y)
        place = place[0], place[1] + BASELINE * pixels
        self._draw.text(place, words, colour, _font(pixels), f"{align}s", stroke_width=pixels * bold / 55)

    def paste(self, x: float, y: float, width: float, height: float, picture: NDArray[np.uint8]) -> None:
        """A picture ``[H, W, 3]``, made to fit."""
        place = self._at(x, y)
        size = max(1, round(width * self._scale)), max(1, round(height * self._scale))
        self._image.paste(Image.fromarray(picture).resize(size), (round(place[0]), round(place[1])))
