"""Bridge: the corridor, both agents, their goals, where they came from and what stopped them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...envs.bridge import FREE, GOALS, MOVES, STAY, Bridge
from ...envs.game import IntArray
from .. import colours
from ..play import Played, Turn
from . import REGISTRY
from .base import WIDTH, Painter

if TYPE_CHECKING:
    from ..canvas import Canvas

CELL = (WIDTH - 4) / FREE.shape[1]
TEAM = (colours.BLUE, colours.ORANGE)


@REGISTRY.register("bridge")
class BridgePainter(Painter[Bridge]):
    """Shows the state after the step."""

    height = FREE.shape[0] * CELL + 3

    def paint(self, canvas: Canvas, episode: Played, turn: Turn | None) -> None:
        for row, col in np.ndindex(FREE.shape):
            canvas.box(2 + col * CELL + 0.5, 1 + row * CELL + 0.5, CELL - 1, CELL - 1,
                       colours.FLOOR if FREE[row, col] else colours.WALL, 1.6)
        for agent, (row, col) in enumerate(GOALS):
            x, y = 2 + col * CELL, 1 + row * CELL
            canvas.box(x + 1.2, y + 1.2, CELL - 2.4, CELL - 2.4, colours.pale(TEAM[agent]), 1.6, TEAM[agent], 0.7)
            canvas.text(x + CELL / 2, y + CELL / 2, str(agent), 7.0, colours.pale(TEAM[agent], 0.35), bold=True)
        state = episode.start if turn is None else turn.after
        places = state[1:].reshape(2, 2)
        together = bool((places[0] == places[1]).all())
        stopped = [False, False] if turn is None else self.stopped(turn)
        spots = [self._middle(place) for place in places]
        if together:
            spots = [(x + shift, y) for (x, y), shift in zip(spots, (-3.0, 3.0), strict=True)]
        for agent, (x, y) in enumerate(spots):
            if turn is not None and (turn.before != turn.after)[1:].reshape(2, 2)[agent].any():
                from_x, from_y = self._middle(turn.before[1:].reshape(2, 2)[agent])
                from_y += 2.4 * (agent - 0.5)  # beside the other's, where both go one after the other
                canvas.line(from_x, from_y, x, y + 2.4 * (agent - 0.5), colours.pale(TEAM[agent], 0.5), 1.6)
                canvas.disc(from_x, from_y, 1.6, colours.pale(TEAM[agent], 0.5))
        for agent, (x, y) in enumerate(spots):
            canvas.disc(x, y, 4.0 if together else 5.0, TEAM[agent], colours.RED if stopped[agent] else colours.WHITE,
                        1.0)
            canvas.text(x, y, str(agent), 5.0, colours.WHITE, bold=True)
            if turn is not None and stopped[agent]:  # the way that it wanted to go
                down, right = MOVES[turn.actions[agent]]
                canvas.line(x + 5.0 * right, y + 5.0 * down, x + 6.4 * right, y + 6.4 * down, colours.RED, 1.0)
                canvas.cross(x + 7.6 * right, y + 7.6 * down, 1.4, colours.RED, 0.9)

    @staticmethod
    def _middle(place: IntArray) -> tuple[float, float]:
        return 2 + (place[1] + 0.5) * CELL, 1 + (place[0] + 0.5) * CELL

    @staticmethod
    def stopped(turn: Turn) -> list[bool]:
        """Who wanted to move and could not."""
        before, after = turn.before[1:].reshape(2, 2), turn.after[1:].reshape(2, 2)
        return [bool(turn.actions[i] != STAY and (before[i] != GOALS[i]).any() and (before[i] == after[i]).all())
                for i in (0, 1)]

    def words(self, turn: Turn) -> str:
        before, after = turn.before[1:].reshape(2, 2), turn.after[1:].reshape(2, 2)
        said = []
        for agent, stopped in enumerate(self.stopped(turn)):
            name = self.game.action_names[turn.actions[agent]]
            if (before[agent] == GOALS[agent]).all():
                said.append(f"agent {agent} is home")
            elif name == "stay":
                said.append(f"agent {agent} stays")
            elif stopped:
                said.append(f"agent {agent} cannot go {name}")
            else:
                said.append(f"agent {agent} goes {name}{' home' if (after[agent] == GOALS[agent]).all() else ''}")
        return ", ".join(said)
