"""How all figures look, and how they are written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image  # matplotlib needs it, too

from ...render import colours
from ...utils.files import write_with
from .palette import hexadecimal

INK, FAINT = hexadecimal(colours.INK), "#8a919e"
GOOD = hexadecimal(colours.GREEN)
LOOK: Any = {
    "font.family": "DejaVu Sans", "font.size": 9, "axes.titlesize": 10, "text.color": INK, "axes.labelcolor": INK,
    "xtick.color": INK, "ytick.color": INK, "axes.edgecolor": FAINT, "axes.linewidth": 0.8, "axes.axisbelow": True,
    "axes.spines.top": False, "axes.spines.right": False, "svg.fonttype": "path", "svg.hashsalt": "epymarl_cpa"}
DPI = 150
KINDS = ("png", "svg")


def unit_of(env: str) -> str:
    """What the headline of a game is called."""
    return "messages sent" if env == "aloha" else "return"


def named(env: str) -> str:
    """A game's name as people write it."""
    return "XOR" if env == "xor" else env.capitalize()


def signed(value: float, digits: int = 0) -> str:
    """A number as the axes write it, with a true minus."""
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def panels(rows: int, cols: int, width: float, height: float | Sequence[float], right: float = 0.0,
           ) -> tuple[Figure, list[list[Axes]]]:
    """A figure of ``rows x cols`` panels, each ``width x height`` inches, drawn without a screen.

    ``height`` may be one for each row; ``right`` is for what stands beside the panels.
    """
    heights = [height] * rows if isinstance(height, int | float) else [*height]
    with matplotlib.rc_context(LOOK):
        figure = Figure(figsize=(cols * width + right, sum(heights)), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(rows, cols, squeeze=False, height_ratios=heights)
    return figure, [list(line) for line in axes]


def legend_below(figure: Figure, axes: Iterable[Axes], order: Sequence[str]) -> None:
    """One legend for all panels, under them; labels come in the given order."""
    handles = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    named = [label for label in order if label in handles]
    figure.legend([handles[label] for label in named], named, loc="outside lower center", ncols=min(6, len(named)),
                  frameon=False, fontsize=9)


def save(figure: Figure, folder: Path, name: str, kinds: Sequence[str] = KINDS) -> list[Path]:
    """Writes ``<name>.png`` and ``<name>.svg``, or only those of some kinds, the same bytes every time.

    Raises:
        OSError: the folder cannot be written.
    """
    files = []
    with matplotlib.rc_context(LOOK):
        for kind in kinds:
            def draw(file: BinaryIO, kind: str = kind) -> None:
                if kind == "png":
                    _png(figure, file)
                else:  # without the day
                    figure.savefig(file, format=kind, metadata={"Date": None}, facecolor="white")

            files.append(folder / f"{name}.{kind}")
            write_with(files[-1], draw)
            figure.set_layout_engine("none")  # keeps the layout, which is half of the work
    return files


def _png(figure: Figure, file: BinaryIO) -> None:
    """With 256 colours, which nobody sees and which is a third of the size."""
    figure.set_dpi(DPI)
    figure.set_facecolor("white")
    canvas: Any = FigureCanvasAgg(figure)  # matplotlib has no types for it
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())
    image.quantize(256, dither=Image.Dither.NONE).save(file, format="png", optimize=True, dpi=(DPI, DPI))


def hide(axes: Sequence[Axes]) -> None:
    """Leaves panels empty."""
    for ax in axes:
        ax.set_axis_off()
