"""The aggregate statistics as points with their intervals."""

from __future__ import annotations

from matplotlib.figure import Figure

from ...errors import UserError
from ..analysis.aggregate import Aggregate
from ..analysis.statistics import STATISTICS
from .canvas import FAINT, panels
from .palette import styles


def interval_plot(aggregate: Aggregate) -> Figure:
    """A panel for every statistic, a line for every method: the value, and its interval in the paler colour.

    Raises:
        UserError: no method has all tasks.
    """
    methods = [*aggregate.estimates]
    if not methods:
        raise UserError("the aggregate figure needs a method with rows of every task that occurs.")
    looks = styles(methods)
    figure, axes = panels(1, len(STATISTICS), 2.5, 0.9 + 0.24 * len(methods))
    for ax, name in zip(axes[0], STATISTICS, strict=True):
        for place, method in enumerate(methods):
            value, low, high = aggregate.estimates[method][name]
            ax.plot([low, high], [place, place], color=looks[method].colour, alpha=0.4, linewidth=7,
                    solid_capstyle="butt")
            ax.plot([value], [place], color=looks[method].colour, marker="|", markersize=11, markeredgewidth=2.4)
        ax.set_title("optimality gap (less is better)" if name == "optimality gap" else name, fontsize=9)
        ax.set_yticks(range(len(methods)), methods if ax is axes[0][0] else [""] * len(methods))
        ax.set_ylim(len(methods) - 0.4, -0.6)
        ax.grid(axis="x", color=FAINT, alpha=0.3, linewidth=0.6)
        ax.tick_params(axis="y", length=0)
        ax.locator_params(axis="x", nbins=4)
        ax.ticklabel_format(axis="x", useOffset=False)
    figure.supxlabel(f"score over {len(aggregate.tasks)} tasks: 0 random team, 1 exact optimum", fontsize=9)
    return figure
