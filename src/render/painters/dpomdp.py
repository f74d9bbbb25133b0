"""Dec-POMDPs: what nobody sees, what each agent has seen, and what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...envs.dpomdp.game import DecPomdp
from .. import colours
from ..play import Played, Turn
from . import REGISTRY
from .base import WIDTH, Painter

if TYPE_CHECKING:
    from ..canvas import Canvas


@REGISTRY.register("dpomdp")
class DecPomdpPainter(Painter[DecPomdp]):
    """A card for the hidden state and a row for each agent."""

    def __init__(self, game: DecPomdp) -> None:
        super().__init__(game)
        self.height = 16.0 + 13.0 * game.n_agents

    def paint(self, canvas: Canvas, episode: Played, turn: Turn | None) -> None:
        model = self.game.model
        state = episode.start if turn is None else turn.before
        canvas.box(4, 1, WIDTH - 8, 11, colours.WALL, 2)
        canvas.text(8, 6.5, "hidden state", 3.6, colours.LINE, "l")
        canvas.text(WIDTH - 8, 6.5, model.state_names[state[1]], 4.8, colours.WHITE, "r", True, WIDTH - 44)
        for agent in range(self.game.n_agents):
            y = 15 + 13.0 * agent
            colour = colours.of(agent)
            canvas.box(4, y, WIDTH - 8, 11, colours.FLOOR, 2)
            canvas.disc(10, y + 5.5, 3.8, colour)
            canvas.text(10, y + 5.5, str(agent), 4.4, colours.WHITE, bold=True)
            seen = state[2 + agent]
            canvas.text(17, y + 3.2, "saw", 3.0, colours.SOFT, "l")
            canvas.text(17, y + 7.6, model.observation_names[agent][seen] if seen >= 0 else "nothing yet", 4.0,
                        colours.INK, "l", width=34)
            if turn is not None:
                canvas.box(55, y + 1.5, WIDTH - 61, 8, colours.pale(colour, 0.75), 4)
                canvas.text((55 + WIDTH - 6) / 2, y + 5.5, self.action(turn, agent), 4.2,
                            colours.INK, bold=True, width=WIDTH - 67)

    def words(self, turn: Turn) -> str:
        names = self.game.model.state_names
        return f"{names[turn.before[1]]}, then {names[turn.after[1]]}"

    def action(self, turn: Turn, agent: int) -> str:
        return str(self.game.model.action_names[agent][turn.actions[agent]])
