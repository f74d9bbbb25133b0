"""Films of panels side by side: painted one picture at a time, written as GIF, MP4 or text."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError, clipped, one_line
from ..utils.files import named_path, reason, write_text, write_with
from ..utils.libraries import is_installed
from . import colours
from .painters.base import WIDTH
from .panel import Panel, transcript

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

ENDINGS = (".gif", ".mp4", ".txt")
MOST = 3000  # pictures
LINGER = 4  # pictures for which the end of an episode is seen
SAMPLES, COLOURS = 6, 64  # pictures that a GIF's colours are chosen by, and how many
NEEDED = {".gif": ("PIL",), ".mp4": ("PIL", "imageio", "imageio_ffmpeg")}


def check_out(out: str) -> str:
    """The ending that a film is written by; ``.txt`` for ``-``.

    Raises:
        UserError: it is no known one, what it needs is not installed, or its folder is not there.
    """
    if out == "-":
        return ".txt"
    path = named_path(out)
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise UserError(f"--out={out} must end in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}, or be - for text here.")
    missing = [name for name in NEEDED.get(ending, ()) if not is_installed(name)]
    if missing:
        raise UserError(f"a film that ends in {ending} needs {' and '.join(missing)}, which "
                        f"{'is' if len(missing) == 1 else 'are'} not installed: pip install 'epymarl-cpa[render]'. "
                        "Text needs nothing: --out=-")
    try:
        there, is_folder = path.parent.is_dir(), path.is_dir()
    except OSError as error:  # such as a name that is too long
        raise UserError(f"--out={clipped(out)} cannot be written ({reason(error)}).") from None
    if not there:
        raise UserError(f"--out={out}: there is no folder {path.parent}.")
    if is_folder:
        raise UserError(f"--out={out} is a folder; name a file.")
    return ending


class Film:
    """Pictures of several panels side by side.

    Args:
        panels: all of the same game.
        width: of a picture, in pixels.
        fps: steps shown in a second.
    """

    def __init__(self, panels: Sequence[Panel], width: int, fps: float) -> None:
        self.panels, self.width, self.fps = panels, width, fps
        self._length = max(len(panel.frames) for panel in panels)

    def __len__(self) -> int:
        """Number of pictures."""
        return self._length

    @cached_property
    def _height(self) -> float:
        """Of all pictures, in units; asked for only where there are pictures."""
        for painter in {id(panel.painter): panel.painter for panel in self.panels}.values():  # most films have one
            painter.see([episode for each in self.panels for episode in each.played])
        return max(panel.height for panel in self.panels)

    def picture(self, index: int) -> NDArray[np.uint8]:
        """One picture, ``[H, W, 3]``; both sides are even numbers."""
        from .canvas import Canvas  # Pillow is optional

        height, width = self._height, WIDTH * len(self.panels)
        canvas = Canvas.new(width, height, self.width)
        for column, panel in enumerate(self.panels):
            if column:
                canvas.line(WIDTH * column, 4, WIDTH * column, height - 4, colours.LINE, 0.4)
            panel.paint(canvas.at(WIDTH * column, 0), index)
        return canvas.pixels()

    def _stays(self, index: int) -> int:
        """For how many steps a picture is seen: the end of an episode for longer."""
        longest = max(self.panels, key=lambda panel: len(panel.frames))
        turn = longest.frames[index][1]
        return LINGER if turn is not None and turn.done else 1

    def gif(self) -> bytes:
        """The film as a GIF that begins again and again."""
        from PIL import Image

        sample = sorted({round(i * (len(self) - 1) / (SAMPLES - 1)) for i in range(SAMPLES)})
        palette = Image.fromarray(np.concatenate([self.picture(i) for i in sample])).quantize(COLOURS)

        def reduced() -> Iterator[Picture]:
            for index in range(len(self)):
                yield Image.fromarray(self.picture(index)).quantize(palette=palette, dither=Image.Dither.NONE)

        pictures, buffer = reduced(), io.BytesIO()
        durations = [round(1000 * self._stays(i) / self.fps / 10) * 10 for i in range(len(self))]
        next(pictures).save(buffer, "GIF", save_all=True, append_images=pictures, duration=durations, loop=0,
                            optimize=True)
        return buffer.getvalue()

    def mp4(self) -> bytes:
        """The film as an MP4 (H.264, which browsers play).

        Raises:
            UserError: it cannot be encoded here.
        """
        import imageio.v2 as imageio

        try:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                file = Path(folder) / "film.mp4"
                with imageio.get_writer(file, fps=self.fps, codec="libx264", macro_block_size=2, quality=8) as writer:
                    for index in range(len(self)):
                        picture = self.picture(index)
                        for _ in range(self._stays(index)):
                            writer.append_data(picture)  # type: ignore[attr-defined]
                return file.read_bytes()
        except (OSError, RuntimeError) as error:
            raise UserError(f"the film cannot be encoded as MP4 ({one_line(error)}); a name that ends in .gif needs no "
                            "encoder.") from None

    def text(self) -> str:
        """The episodes of all panels, one panel after another."""
        return "\n".join(transcript(panel) for panel in self.panels)

    def write(self, out: str, ending: str) -> None:
        """Writes the film as :func:`check_out` says, all or nothing; ``-`` prints its text.

        Raises:
            UserError: it cannot be written.
        """
        if out == "-":
            print(self.text(), end="")
            return
        path = named_path(out)
        if ending != ".txt" and len(self) > MOST:
            raise UserError(f"{out} would have {len(self)} pictures, more than {MOST}; choose fewer --episodes, or "
                            "text.")
        try:
            if ending == ".txt":
                write_text(path, self.text())
                return
            content = self.gif() if ending == ".gif" else self.mp4()
            write_with(path, lambda file: file.write(content))
        except OSError as error:
            raise UserError(f"{path} cannot be written ({reason(error)}).") from None
