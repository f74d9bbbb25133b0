"""Overcooked: the kitchen, both cooks with what they hold and where they look, pots and counters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...envs.overcooked import COOKED, DISH, FULL, NOTHING, ONION, SOUP, Overcooked
from .. import colours
from ..play import Played, Turn
from . import REGISTRY
from .base import WIDTH, Painter

if TYPE_CHECKING:
    from ..canvas import Canvas

THINGS = {NOTHING: "nothing", ONION: "an onion", DISH: "a dish", SOUP: "a soup"}
WAYS = ((0, -1), (0, 1), (1, 0), (-1, 0))  # to the right and down, by facing
GROUND = {"X": colours.pale(colours.BROWN, 0.55), "O": colours.pale(colours.YELLOW, 0.35),
          "D": colours.pale(colours.SKY, 0.5), "P": colours.WALL, "S": colours.pale(colours.GREEN, 0.5)}
SIGNS = {"O": "onions", "D": "dishes", "S": "serve"}


@REGISTRY.register("overcooked")
class OvercookedPainter(Painter[Overcooked]):
    """Shows the kitchen after the step."""

    def __init__(self, game: Overcooked) -> None:
        super().__init__(game)
        self._rows = len(game.terrain) // game.width
        self._cell = min((WIDTH - 4) / game.width, 14.0)
        self._left = (WIDTH - self._cell * game.width) / 2
        self.height = self._cell * self._rows + 3

    def _corner(self, cell: int) -> tuple[float, float]:
        row, col = divmod(cell, self.game.width)
        return self._left + col * self._cell, 1 + row * self._cell

    def paint(self, canvas: Canvas, episode: Played, turn: Turn | None) -> None:
        game, size = self.game, self._cell
        state = (episode.start if turn is None else turn.after).tolist()
        for cell, kind in enumerate(game.terrain.tolist()):
            x, y = self._corner(cell)
            canvas.box(x + 0.3, y + 0.3, size - 0.6, size - 0.6, GROUND.get(kind, colours.FLOOR), size * 0.1)
            if kind in SIGNS:
                canvas.text(x + size / 2, y + size / 2, SIGNS[kind], size * 0.24, colours.INK, width=size - 1)
        rest = state[7:]
        for number, cell in enumerate(game.pots.tolist()):
            onions, time = rest[2 * number:2 * number + 2]
            x, y = self._corner(cell)
            for onion in range(onions):
                canvas.disc(x + size * (0.25 + 0.25 * onion), y + size * 0.35, size * 0.1, colours.YELLOW)
            ready = time == COOKED
            canvas.text(x + size / 2, y + size * 0.7, "ready" if ready else f"{time}/{COOKED}" if onions == FULL else
                        "pot", size * 0.26, colours.WHITE, bold=ready)
        for thing, cell in zip(rest[2 * len(game.pots):], game.counters.tolist(), strict=True):
            x, y = self._corner(cell)
            self._thing(canvas, x + size / 2, y + size / 2, thing)
        for agent in (0, 1):
            cell, facing, held = state[1 + 3 * agent:4 + 3 * agent]
            x, y = (place + size / 2 for place in self._corner(cell))
            right, down = WAYS[facing]
            canvas.disc(x, y, size * 0.36, colours.of(agent), colours.WHITE, size * 0.05)
            canvas.disc(x + right * size * 0.34, y + down * size * 0.34, size * 0.12, colours.INK)
            canvas.text(x - size * 0.1 * bool(held), y, str(agent), size * 0.34, colours.WHITE, bold=True)
            self._thing(canvas, x + size * 0.2, y + size * 0.18, held)

    def _thing(self, canvas: Canvas, x: float, y: float, thing: int) -> None:
        radius = self._cell * 0.17
        if thing == ONION:
            canvas.disc(x, y, radius, colours.YELLOW, colours.INK, 0.3)
        elif thing in (DISH, SOUP):
            canvas.disc(x, y, radius, colours.WHITE, colours.INK, 0.3)
            if thing == SOUP:
                canvas.disc(x, y, radius * 0.6, colours.ORANGE)

    def words(self, turn: Turn) -> str:
        held = [THINGS[turn.after[3 + 3 * agent]] for agent in (0, 1)]
        served = "a soup is served; " if turn.reward > 0 else ""
        return f"{served}agent 0 holds {held[0]}, agent 1 {held[1]}"
