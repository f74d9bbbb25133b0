"""How all figures look, and how they are written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ...utils.files import write_with

#: Okabe and Ito's colours, which people with any colour vision can tell apart (without yellow, too pale for lines)
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", ":", "-.")
INK, FAINT = "#1d2129", "#8a919e"
LOOK: Any = {
    "font.family": "DejaVu Sans", "font.size": 9, "axes.titlesize": 10, "text.color": INK, "axes.labelcolor": INK,
    "xtick.color": INK, "ytick.color": INK, "axes.edgecolor": FAINT, "axes.linewidth": 0.8, "axes.axisbelow": True,
    "axes.spines.top": False, "axes.spines.right": False, "svg.fonttype": "path", "svg.hashsalt": "epymarl_cpa"}
DPI = 150
#: what files would say of when and by what they were written
UNSAID: dict[str, dict[str, None]] = {"png": {"Software": None}, "svg": {"Date": None}}


def panels(rows: int, cols: int, width: float, height: float | Sequence[float]) -> tuple[Figure, list[list[Axes]]]:
    """A figure of ``rows x cols`` panels, each ``width x height`` inches, drawn without a screen.

    ``height`` may be one for each row.
    """
    heights = [height] * rows if isinstance(height, int | float) else [*height]
    with matplotlib.rc_context(LOOK):
        figure = Figure(figsize=(cols * width, sum(heights)), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(rows, cols, squeeze=False, height_ratios=heights)
    return figure, [list(line) for line in axes]


def style_of(index: int) -> tuple[str, str]:
    """Colour and dashes of the ``index``-th line, both changing from line to line; the first 28 are different."""
    return COLOURS[index % len(COLOURS)], DASHES[index % len(DASHES)]


def legend_below(figure: Figure, axes: Iterable[Axes], order: Sequence[str]) -> None:
    """One legend for all panels, under them; labels come in the given order."""
    handles = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    named = [label for label in order if label in handles]
    figure.legend([handles[label] for label in named], named, loc="outside lower center", ncols=min(6, len(named)),
                  frameon=False, fontsize=8)


def save(figure: Figure, folder: Path, name: str, kinds: Sequence[str] = tuple(UNSAID)) -> list[Path]:
    """Writes ``<name>.png`` and ``<name>.svg``, or only those of some kinds, the same bytes every time.

    Raises:
        OSError: the folder cannot be written.
    """
    files = []
    with matplotlib.rc_context(LOOK):
        for kind in kinds:
            def draw(file: BinaryIO, kind: str = kind) -> None:
                figure.savefig(file, format=kind, dpi=DPI, metadata=UNSAID[kind], facecolor="white")

            files.append(folder / f"{name}.{kind}")
            write_with(files[-1], draw)
            figure.set_layout_engine("none")  # keeps the layout, which is half of the work
    return files


def hide(axes: Sequence[Axes]) -> None:
    """Leaves panels empty."""
    for ax in axes:
        ax.set_axis_off()
