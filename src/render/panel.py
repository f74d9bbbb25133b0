"""One team's episodes as a column of a film: a heading, the painted step, and what it brought."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from . import colours
from .painters import Painter
from .painters.base import WIDTH
from .play import Played, Turn

if TYPE_CHECKING:
    from .canvas import Canvas

HEAD, LINE, FOOT = 11.0, 5.4, 3.0  # units


class Panel:
    """The pictures of some episodes one after another.

    Args:
        painter: of the game.
        title: what is played by whom.
        heading: what tells this column from others; empty where there is but one.
        played: the episodes.
        order: a line that says in which order the agents decide; empty where all decide at once.

    Attributes:
        frames: which episode and turn each picture shows; no turn for its start.
    """

    def __init__(self, painter: Painter[Any], title: str, heading: str, played: Sequence[Played],
                 order: str = "") -> None:
        self.painter, self.title, self.heading, self.played, self.order = painter, title, heading, played, order
        self.frames: list[tuple[int, Turn | None]] = []
        for number, episode in enumerate(played):
            self.frames += [(number, None), *((number, turn) for turn in episode.turns)]
        self._agrees = any(turn.agreed for episode in played for turn in episode.turns)

    @property
    def height(self) -> float:
        """In units."""
        lines = 2 - self.painter.tells + bool(self.heading) + self._agrees + bool(self.order)
        return HEAD + self.painter.height + LINE * (lines + 1.2 * bool(self.order)) + FOOT

    def paint(self, canvas: Canvas, index: int) -> None:
        """Paints one picture; after the last one, the last."""
        number, turn = self.frames[min(index, len(self.frames) - 1)]
        episode, limit = self.played[number], self.painter.game.episode_limit
        step = 0 if turn is None else turn.step + 1
        clock = f"step {step}/{limit}"
        if len(self.played) > 1:
            clock = f"episode {number + 1}/{len(self.played)}, {clock}"
        canvas.text(3, 6, self.title, 4.6, colours.INK, "l", True, WIDTH - 8 - 2.2 * len(clock))
        canvas.text(WIDTH - 3, 6, clock, 4.0, colours.SOFT, "r")
        y = HEAD
        if self.heading:
            canvas.text(3, y + 0.5, self.heading, 3.9, colours.PURPLE, "l", True, WIDTH - 6)
            y += LINE
        self.painter.paint(canvas.at(0, y), episode, turn)
        y += self.painter.height + LINE / 2 + 0.5
        reward, total = (0.0, 0.0) if turn is None else (turn.reward, turn.total)
        canvas.text(3, y, f"reward {reward:.2f}" if turn else "start", 4.0, colours.INK, "l")
        canvas.text(WIDTH - 3, y, f"return {total:.2f}", 4.4, colours.INK, "r", True)
        lines = [] if self.painter.tells else [(self.painter.words(turn) if turn else "", colours.INK)]
        if self._agrees:
            lines.append((str(turn.agreed) if turn and turn.agreed else "", colours.PURPLE))
        if self.order:
            lines.append((self.order, colours.SOFT))
        for words, colour in lines:
            y += LINE
            canvas.text(3, y, words, 3.8, colour, "l", width=WIDTH - 6)
        if self.order and turn is not None:
            self._chain(canvas, y + LINE, turn)

    def _chain(self, canvas: Canvas, y: float, turn: Turn) -> None:
        """Who decides what, one after the other, as far to the right as there are agents."""
        n = len(turn.actions)
        size = min(22.0, (WIDTH - 6) / n)
        gap = min(4.0, size * 0.2)
        for agent in range(n):
            x, wide = 3 + agent * size, size - gap
            canvas.box(x, y - 2.3, wide, 5.4, colours.FLOOR, 1.2, colours.LINE, 0.3)
            words = self.painter.action(turn, agent)
            canvas.text(x + wide / 2, y + 0.4, f"{agent} {words}" if n <= 8 else words, 3.2, colours.INK,
                        width=wide - 1.2)
            if agent + 1 < n:
                canvas.arrow(x + wide, y + 0.4, x + size, y + 0.4, colours.SOFT, 0.4, min(1.2, gap * 0.8))


def transcript(panel: Panel) -> str:
    """The same in text: each state, what the agents do there, and what it brings."""
    lines = [panel.title + (f", {panel.heading}" if panel.heading else "")]
    lines += [panel.order] if panel.order else []
    painter = panel.painter
    for number, turn in panel.frames:
        if turn is None:
            lines += ["", f"episode {number + 1}", "", painter.text(panel.played[number].start)]
            continue
        lines += ["", f"step {turn.step + 1}: {painter.doing(turn)}"]
        lines += [str(turn.agreed)] if turn.agreed else []
        happened = painter.words(turn)
        lines.append(f"reward {turn.reward:.4g}, return {turn.total:.4g}" + (f"; {happened}" if happened else ""))
        if not turn.done:
            lines += ["", painter.text(turn.after)]
    return "\n".join(lines) + "\n"
