"""Aloha: the islands with their queues, who sends, what gets through and what collides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...envs.aloha import SEND, Aloha
from ...envs.game import BoolArray
from .. import colours
from ..play import Played, Turn
from . import REGISTRY
from .base import WIDTH, Painter

if TYPE_CHECKING:
    from ..canvas import Canvas


@REGISTRY.register("aloha")
@REGISTRY.register("aloha_large")
class AlohaPainter(Painter[Aloha]):
    """Shows the queues as they were when the islands decided; what is sent is gone in the next picture."""

    def __init__(self, game: Aloha) -> None:
        super().__init__(game)
        self._cell = min((WIDTH - 4) / game.cols, 24.0)
        self._left = (WIDTH - self._cell * game.cols) / 2
        self.height = self._cell * game.rows + 3

    def _middle(self, island: int) -> tuple[float, float]:
        row, col = divmod(island, self.game.cols)
        return self._left + (col + 0.5) * self._cell, 1 + (row + 0.5) * self._cell

    def outcome(self, turn: Turn) -> tuple[BoolArray, BoolArray, BoolArray]:
        """Whose message gets through, whose collides, and who sends without one, ``[N]`` each."""
        sends = turn.actions == SEND
        crowded = sends @ self.game.neighbours
        full = turn.before[3:] > 0
        return sends & full & ~crowded, sends & full & crowded, sends & ~full

    def paint(self, canvas: Canvas, episode: Played, turn: Turn | None) -> None:
        game, cell = self.game, self._cell
        none = np.zeros(game.n_agents, dtype=np.bool_)
        sent, collided, empty = (none, none, none) if turn is None else self.outcome(turn)
        sends = sent | collided | empty
        for i, j in np.argwhere(np.triu(game.neighbours)):
            clash = bool(sends[i] and sends[j] and (collided[i] or collided[j]))
            (x, y), (to_x, to_y) = self._middle(i), self._middle(j)
            if abs(int(i) // game.cols - int(j) // game.cols) == 1 and abs(int(i) - int(j)) == 1 and game.cols > 1:
                self._wrapped(canvas, i, j, clash)  # from the end of a row to the beginning of the next
                continue
            canvas.line(x, y, to_x, to_y, colours.RED if clash else colours.LINE, 1.6 if clash else 0.7)
        state = episode.start if turn is None else turn.before
        for island in range(game.n_agents):
            x, y = self._middle(island)
            waves = colours.GREEN if sent[island] else colours.RED if collided[island] else colours.SOFT
            if sends[island]:
                canvas.disc(x, y, cell * 0.44, colours.pale(waves, 0.82))
                for turn_to in (0, 180):
                    for ring in (0.34, 0.41):
                        canvas.arc(x, y, cell * ring, turn_to, 38, waves, cell * 0.035)
            queue = int(state[3 + island])
            canvas.disc(x, y, cell * 0.27, waves if sends[island] else colours.BLUE if queue else colours.WALL,
                        colours.WHITE, cell * 0.03)
            canvas.text(x, y - cell * 0.03, str(queue), cell * 0.26, colours.WHITE, bold=True)
            canvas.text(x - cell * 0.4, y - cell * 0.36, str(island), max(2.8, cell * 0.13), colours.SOFT)
            if sent[island]:
                canvas.tick(x + cell * 0.31, y - cell * 0.31, cell * 0.08, colours.GREEN, cell * 0.05)
            elif collided[island]:
                canvas.cross(x + cell * 0.31, y - cell * 0.31, cell * 0.08, colours.RED, cell * 0.05)

    def _wrapped(self, canvas: Canvas, i: int, j: int, clash: bool) -> None:
        """Stubs at both ends of a link across the end of a row."""
        colour, reach = colours.RED if clash else colours.LINE, 0.47 * self._cell
        (x, y), (to_x, to_y) = self._middle(i), self._middle(j)
        canvas.line(x, y, x + reach, y, colour, 1.6 if clash else 0.7, dashed=True)
        canvas.line(to_x - reach, to_y, to_x, to_y, colour, 1.6 if clash else 0.7, dashed=True)

    def words(self, turn: Turn) -> str:
        sent, collided, empty = (int(each.sum()) for each in self.outcome(turn))
        said = [f"{sent} sent", f"{collided} collided", *([f"{empty} had nothing to send"] if empty else [])]
        return f"{', '.join(said)} (so far {turn.after[1]} and {turn.after[2]})"

    def doing(self, turn: Turn) -> str:
        who = np.flatnonzero(turn.actions == SEND).tolist()
        return f"{', '.join(map(str, who)) or 'nobody'} send{'s' * (len(who) < 2)}"
