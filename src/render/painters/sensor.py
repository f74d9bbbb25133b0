"""Sensor: the map, the sensors, the targets, and who scans what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...envs.game import IntArray
from ...envs.sensor import NOOP, Sensor
from .. import colours
from ..play import Played, Turn
from . import REGISTRY
from .base import WIDTH, Painter

if TYPE_CHECKING:
    from ..canvas import Canvas


@REGISTRY.register("sensor")
@REGISTRY.register("sensor_large")
class SensorPainter(Painter[Sensor]):
    """Shows the targets where they were when they were scanned; they move on with the next picture."""

    def __init__(self, game: Sensor) -> None:
        super().__init__(game)
        self._cell = min((WIDTH - 4) / game.shape[1], 16.0)
        self._left = (WIDTH - self._cell * game.shape[1]) / 2
        self.height = self._cell * game.shape[0] + 3

    def _middle(self, place: IntArray) -> tuple[float, float]:
        return self._left + (place[1] + 0.5) * self._cell, 1 + (place[0] + 0.5) * self._cell

    def paint(self, canvas: Canvas, episode: Played, turn: Turn | None) -> None:
        game, cell = self.game, self._cell
        for row, col in np.ndindex(game.shape):
            sensor = row % 2 == 0 and col % 2 == 0
            canvas.box(self._left + (col + 0.05) * cell, 1 + (row + 0.05) * cell, 0.9 * cell, 0.9 * cell,
                       colours.pale(colours.BLUE, 0.82) if sensor else colours.FLOOR, cell * 0.14)
        targets = (episode.start if turn is None else turn.before)[1:]
        seen = self.seen(turn)
        if turn is not None:
            for agent, action in enumerate(turn.actions.tolist()):
                if action == NOOP:
                    continue
                x, y = self._middle(self.place(agent))
                target = game.scanned[agent, action]
                to_x, to_y = self._middle(game.cells[target])
                paid = seen.get(int(target), 0) >= 2 and target in targets
                share = 0.62 if target in targets else 0.9
                canvas.line(x, y, x + (to_x - x) * share, y + (to_y - y) * share,
                            colours.GREEN if paid else colours.RED, cell * 0.13, dashed=not paid)
        for target in targets.tolist():
            x, y = self._middle(game.cells[target])
            count = seen.get(target, 0)
            if count >= 2:
                canvas.disc(x, y, cell * 0.44, colours.PALE_GREEN, colours.GREEN, cell * 0.09)
            canvas.diamond(x, y, cell * 0.3, colours.ORANGE)
            if count:
                canvas.text(x, y, str(count), cell * 0.34, colours.WHITE, bold=True)
        for agent in range(game.n_agents):
            x, y = self._middle(self.place(agent))
            canvas.disc(x, y, cell * 0.3, colours.BLUE, colours.WHITE, cell * 0.05)
            canvas.text(x, y, str(agent), cell * 0.32, colours.WHITE, bold=True)

    def place(self, agent: int) -> IntArray:
        """Row and column of a sensor on the map."""
        return np.array(divmod(agent, self.game.cols)) * 2

    def seen(self, turn: Turn | None) -> dict[int, int]:
        """How many sensors scan each cell."""
        if turn is None:
            return {}
        cells = self.game.scanned[np.arange(self.game.n_agents), turn.actions]
        return dict(zip(*(each.tolist() for each in np.unique(cells[cells >= 0], return_counts=True)), strict=True))

    def words(self, turn: Turn) -> str:
        seen = self.seen(turn)
        caught = sum(seen.get(target, 0) >= 2 for target in turn.before[1:].tolist())
        lone = sum(count for cell, count in seen.items() if count < 2 or cell not in turn.before[1:])
        wasted = f", {lone} scan{'s' * (lone != 1)} wasted" if lone else ""
        return f"{caught} of {self.game.n_preys} targets caught by {sum(seen.values())} scans{wasted}"

    def doing(self, turn: Turn) -> str:
        names = self.game.action_names
        said = [f"{agent} scans {names[turn.actions[agent]]}" for agent in np.flatnonzero(turn.actions != NOOP)]
        return ", ".join(said) or "nobody scans"
