"""Any other game, by the shapes that it makes of its own states (``Game.picture``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...envs.game import Game
from ...envs.picture import Mark
from ...envs.rendering import PALETTE
from ..play import Played, Turn
from .base import WIDTH, Painter

if TYPE_CHECKING:
    from ..canvas import Canvas


class ShapesPainter(Painter[Game]):
    """The state after the step."""

    def see(self, played: Sequence[Played]) -> None:
        pictures = [self.game.picture(episode.start) for episode in played]
        pictures += [self.game.picture(turn.after, (turn.before, turn.actions)) for episode in played
                     for turn in episode.turns]
        self._rows, self._cols = max(p.rows for p in pictures), max(p.cols for p in pictures)
        self._cell = min((WIDTH - 4) / self._cols, 20.0)
        self.height = self._rows * self._cell + 3

    def paint(self, canvas: Canvas, episode: Played, turn: Turn | None) -> None:
        picture = self.game.picture(episode.start) if turn is None else \
            self.game.picture(turn.after, (turn.before, turn.actions))
        part = canvas.at((WIDTH - picture.cols * self._cell) / 2, 1)
        for mark in picture.marks:
            self._stamp(part, mark)

    def _stamp(self, canvas: Canvas, mark: Mark) -> None:
        cell, colour = self._cell, PALETTE[mark.colour]
        y, x = ((float(place) + 0.5) * cell for place in mark.at)
        size = mark.size * cell
        if mark.shape == "tile":
            canvas.box(x - size / 2, y - size / 2, size, size, colour, size * 0.1)
        elif mark.shape == "disc":
            canvas.disc(x, y, size / 2, colour)
        elif mark.shape == "ring":
            canvas.disc(x, y, size / 2, None, colour, cell * 0.1)
        elif mark.shape == "line":
            to_y, to_x = ((float(place) + 0.5) * cell for place in mark.end)
            canvas.line(x, y, to_x, to_y, colour, size)
        else:
            canvas.text(x, y, mark.text, size, colour, width=(WIDTH - 4))
