"""How each game is shown: one painter a game, and one for those that have none of their own."""

from __future__ import annotations

from typing import Any

from ...envs.external import ExternalGame
from ...envs.game import Game
from ...utils.registry import Registry
from .base import Painter

REGISTRY: Registry[type[Painter[Any]]] = Registry("painter", __name__, __path__)


def painter_of(game: Game) -> Painter[Any]:
    """The painter of a game; by default one of the shapes that the game itself makes of a state."""
    from .external import ExternalPainter
    from .shapes import ShapesPainter

    if isinstance(game, ExternalGame):
        return ExternalPainter(game)
    painter: type[Painter[Any]] = REGISTRY.get(game.name, ShapesPainter)
    return painter(game)


__all__ = ["REGISTRY", "Painter", "painter_of"]
