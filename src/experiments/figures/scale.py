"""What size costs, as a picture: time and memory against each size."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from ...render import colours
from ..measure.results import Table
from .canvas import FAINT, panels
from .palette import hexadecimal

#: what the rows hold, with words for the axis and a colour
KINDS = {"step ms": ("a training step, ms", hexadecimal(colours.BLUE)),
         "memory MB": ("largest memory, MB", hexadecimal(colours.VERMILION))}


def scale_figure(tables: Sequence[Table]) -> Figure:
    """A column for each size, a row for time and one for memory; both axes are logarithmic.

    Args:
        tables: of the part ``scale``, the size in the first column.
    """
    figure, axes = panels(len(KINDS), len(tables), 2.1, 1.8)
    for (key, (label, colour)), line in zip(KINDS.items(), axes, strict=True):
        low = min(row[key] for table in tables for row in table.rows)
        high = max(row[key] for table in tables for row in table.rows)
        for table, ax in zip(tables, line, strict=True):
            axis = table.columns[0]
            ax.plot([row[axis] for row in table.rows], [row[key] for row in table.rows], color=colour, marker="o",
                    markersize=3.5, linewidth=1.4)
            _logarithmic(ax)
            ax.set_ylim(low / 1.4, high * 1.4)
            ax.set_xticks([row[axis] for row in table.rows][::2])
            if line is axes[-1]:
                ax.set_xlabel("recorded episodes" if axis == "episodes" else axis)
            if ax is line[0]:
                ax.set_ylabel(label)
            else:
                ax.tick_params(labelleft=False)
    return figure


def _logarithmic(ax: Axes) -> None:
    """Logarithmic axes with plain numbers."""
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:,.0f}"))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:,.0f}"))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_minor_formatter(NullFormatter())  # else these are powers of ten, on inner panels, too
    ax.grid(color=FAINT, alpha=0.3, linewidth=0.6)
