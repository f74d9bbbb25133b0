"""Games in which each agent just chooses a letter: XOR and Permutation."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from ...envs.game import Game
from ...envs.permutation import Permutation
from ...envs.xor import Xor
from .. import colours
from ..play import Played, Turn
from . import REGISTRY
from .base import WIDTH, Painter

if TYPE_CHECKING:
    from ..canvas import Canvas


class ChoicePainter(Painter[Game]):
    """A card for each agent with the letter it chooses, and whether the team wins."""

    height = 46.0
    tells = True

    @abstractmethod
    def wins(self, turn: Turn) -> bool:
        """Whether a step paid all that can be had."""

    @abstractmethod
    def clashes(self, turn: Turn) -> list[bool]:
        """Whose choices do not fit those of the others, ``[N]``."""

    @abstractmethod
    def verdict(self, turn: Turn) -> str:
        """Why, in a few words."""

    def paint(self, canvas: Canvas, episode: Played, turn: Turn | None) -> None:
        n = self.game.n_agents
        gap = min(6.0, 30.0 / n)
        size = min(22.0, (WIDTH - 8 - gap * (n - 1)) / n)
        left = (WIDTH - n * size - (n - 1) * gap) / 2
        clash = [False] * n if turn is None else self.clashes(turn)
        for agent in range(n):
            x, y = left + agent * (size + gap), 4 + (22 - size) / 2
            canvas.text(x + size / 2, 1.5, f"agent {agent}" if n <= 5 else str(agent), 3.6, colours.SOFT,
                        width=size + gap * 0.8)
            if turn is None:
                canvas.box(x, y, size, size, colours.FLOOR, size * 0.16, colours.LINE)
                canvas.text(x + size / 2, y + size / 2, "?", size * 0.5, colours.SOFT)
                continue
            action = int(turn.actions[agent])
            canvas.box(x, y, size, size, colours.of(action), size * 0.16, colours.RED if clash[agent] else None, 1.2)
            canvas.text(x + size / 2, y + size / 2, self.game.action_names[action], size * 0.62, colours.WHITE,
                        bold=True)
        if turn is None:
            canvas.text(WIDTH / 2, 36.5, self.rule(), 4.2, colours.SOFT, width=WIDTH - 8)
            return
        won = self.wins(turn)
        canvas.box(14, 30, WIDTH - 28, 13, colours.PALE_GREEN if won else colours.PALE_RED, 3)
        (canvas.tick if won else canvas.cross)(21, 36.5, 2.4, colours.GREEN if won else colours.RED, 1.2)
        canvas.text(28, 36.5, self.words(turn), 4.6, colours.INK, "l", True, WIDTH - 44)

    @abstractmethod
    def rule(self) -> str:
        """What the team should do."""

    def words(self, turn: Turn) -> str:
        return f"{self.verdict(turn)}: {'win' if self.wins(turn) else 'no win'}"


@REGISTRY.register("xor")
class XorPainter(ChoicePainter):
    """Two agents win when they choose differently."""

    game: Xor

    def wins(self, turn: Turn) -> bool:
        return bool(turn.actions.sum() % 2 == 1)

    def clashes(self, turn: Turn) -> list[bool]:
        return [not self.wins(turn)] * self.game.n_agents

    def verdict(self, turn: Turn) -> str:
        count = int(turn.actions.sum())
        if self.game.n_agents == 2:
            return "different" if self.wins(turn) else "both the same"
        return f"{count} B, {'an odd' if count % 2 else 'an even'} number"

    def rule(self) -> str:
        return "choose differently" if self.game.n_agents == 2 else "an odd number of B wins"


@REGISTRY.register("permutation")
class PermutationPainter(ChoicePainter):
    """All agents win when no two choose the same."""

    game: Permutation

    def wins(self, turn: Turn) -> bool:
        return len({*turn.actions.tolist()}) == self.game.n_agents

    def clashes(self, turn: Turn) -> list[bool]:
        chosen = turn.actions.tolist()
        return [chosen.count(action) > 1 for action in chosen]

    def verdict(self, turn: Turn) -> str:
        twice = sorted({action for action in turn.actions.tolist() if turn.actions.tolist().count(action) > 1})
        if not twice:
            return "all different"
        return f"{', '.join(self.game.action_names[action] for action in twice)} more than once"

    def rule(self) -> str:
        return f"choose {self.game.n_agents} different letters"
