"""What every painter is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from ...envs.game import Game
from ..play import Played, Turn

if TYPE_CHECKING:  # Pillow is optional, and text needs none
    from ..canvas import Canvas

G = TypeVar("G", bound=Game)
WIDTH = 100.0  # units of a scene


class Painter(ABC, Generic[G]):
    """Shows the steps of a game, by a picture and in words.

    Args:
        game: the rules.

    Attributes:
        height: of a scene, in units of which it is 100 wide.
        tells: whether the scene itself says what :meth:`words` says.
    """

    height: float = 50.0
    tells: ClassVar[bool] = False

    def __init__(self, game: G) -> None:
        self.game = game

    @abstractmethod
    def paint(self, canvas: Canvas, episode: Played, turn: Turn | None) -> None:
        """Paints what is done in a step and what comes of it; before the first step just where all begins."""

    def see(self, played: Sequence[Played]) -> None:
        """Looks at all that is to be painted, and may choose the height."""

    def words(self, turn: Turn) -> str:
        """What happened in a step, in a few words."""
        return ""

    def text(self, state: Any) -> str:
        """A state in lines of text."""
        return self.game.draw(state)

    def action(self, turn: Turn, agent: int) -> str:
        """A word for what an agent does."""
        names, number = self.game.action_names, int(turn.actions[agent])
        return names[number] if number < len(names) else str(number)

    def doing(self, turn: Turn) -> str:
        """What each agent does, on one line."""
        return ", ".join(f"{agent}: {self.action(turn, agent)}" for agent in range(len(turn.actions)))
