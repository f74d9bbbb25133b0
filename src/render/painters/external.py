"""Environments of other packages, by their own ``render``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...envs.calls import called
from ...envs.external import ExternalGame
from ...envs.game import Game, IntArray
from ...errors import UserError
from .. import colours
from ..play import Played, Turn
from .base import WIDTH, Painter

if TYPE_CHECKING:
    from ..canvas import Canvas

AS_TEXT = "To see its episodes as text, use --out=- or a name that ends in .txt."
MOST = 600  # pixels of a picture that are kept along each side


class ExternalPainter(Painter[ExternalGame]):
    """The picture that the environment made after the step."""

    def see(self, played: Sequence[Played]) -> None:
        first = played[0].image
        assert first is not None
        self._wide = min(WIDTH - 4, (WIDTH - 4) * 0.8 * first.shape[1] / first.shape[0])
        self.height = self._wide * first.shape[0] / first.shape[1] + 3

    def paint(self, canvas: Canvas, episode: Played, turn: Turn | None) -> None:
        image = episode.image if turn is None else turn.image
        assert image is not None
        left, high = (WIDTH - self._wide) / 2, self.height - 3
        canvas.paste(left, 1, self._wide, high, image)
        canvas.box(left, 1, self._wide, high, None, 0, colours.LINE, 0.3)

    def words(self, turn: Turn) -> str:
        return f"actions {', '.join(map(str, turn.actions.tolist()))}"


def photographed(game: Game, state: IntArray) -> NDArray[np.uint8]:
    """What the environment that plays this state shows now, ``[H, W, 3]``, at most 600 pixels along each side.

    Raises:
        UserError: it cannot paint itself.
    """
    assert isinstance(game, ExternalGame)
    env = game._episode(int(state[1])).view
    try:
        shown = called(game.key, "render()", env.render)
    except UserError as error:
        raise UserError(f"{error} Some need a screen, which xvfb-run can stand in for. {AS_TEXT}") from None
    if isinstance(shown, list) and shown:  # some hand out all pictures since the last time
        shown = shown[-1]
    if not isinstance(shown, np.ndarray) or shown.ndim != 3 or shown.shape[2] not in (3, 4) or 0 in shown.shape:
        raise UserError(f"{game.key} paints no picture of itself (its render() gave {type(shown).__name__}, not an "
                        f"array of pixels). {AS_TEXT}")
    if shown.dtype != np.uint8:
        shown = np.clip(shown * (255 if shown.max() <= 1 else 1), 0, 255).astype(np.uint8)
    each = -(-max(shown.shape[:2]) // MOST)
    return np.array(shown[::each, ::each, :3])
