"""Learning curves: the headline against t_env, a figure for every game, a panel for every data set and few methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ..rows.paper import Methods, Task, table1
from ..rows.reading import Row, Rows, curve_of
from .canvas import FAINT, INK, hide, named, panels, signed, unit_of
from .palette import FIRST, Style, families, styles

NONE = "the learning curves need rows with 'curve', which those of older sweeps do not have."
ENOUGH = 8  # curves: with fewer, none is an exception
NEW_LINE, WIDE = "\n", 16  # letters of a name that still fits into a panel with what it ends at
FAR = 3.0  # times the middle half of the last values, below which a curve is no longer of interest
LEAST = 0.08  # of all that occurs is shown at least, and the middle half taken for at least a third of it


@dataclass(frozen=True)
class Curve:
    """Mean over seeds and its standard error, ``[P]`` each; at a t_env that only some seeds have, those count."""

    times: NDArray[np.float64]
    mean: NDArray[np.float64]
    error: NDArray[np.float64]

    @staticmethod
    def of(group: Sequence[Row]) -> Curve:
        """Of the rows of one method and task."""
        at: dict[float, list[float]] = {}
        for row in group:
            for t_env, value in curve_of(row):
                at.setdefault(t_env, []).append(value)
        times = sorted(at)
        return Curve(np.array(times), np.array([np.mean(at[t]) for t in times]),
                     np.array([np.std(at[t]) / np.sqrt(max(len(at[t]) - 1, 1)) for t in times]))


def games(rows: Rows, methods: Methods) -> list[str]:
    """The games of the paper that have curves; there may be none."""
    groups = _groups(rows, methods)
    return [env for env in table1().random if any(task.env == env for group in groups.values() for task in group)]


def learning_curves(rows: Rows, methods: Methods, env: str) -> Figure:
    """A line of panels for every family of methods, a column for every data set; policy agreement is in all of them.

    All panels have the same axis of values. It leaves out what lies far below nearly everything else, and the figure
    says what that is.

    Args:
        rows: those with ``curve`` are drawn.
        methods: names of the methods.
        env: one of :func:`games`.
    """
    own = {method: {task: group for task, group in tasks.items() if task.env == env}
           for method, tasks in _groups(rows, methods).items()}
    groups = {method: {task: Curve.of(group) for task, group in found.items()}
              for method, found in own.items() if found}
    optimum = next(row["headline_optimum"] for found in own.values() for group in found.values() for row in group)
    looks = styles([*groups])
    lines = families(groups) or {FIRST: []}
    tasks = [task for task in table1().names if any(task in found for found in groups.values())]
    low, high = limits([curve for found in groups.values() for curve in found.values()], optimum)
    figure, axes = panels(len(lines), len(tasks), 3.0, 1.95, right=1.6)
    for line, (title, members) in zip(axes, lines.items(), strict=True):
        for ax, task in zip(line, tasks, strict=True):
            drawn = {method: groups[method][task] for method in [FIRST, *members] if task in groups.get(method, {})}
            if drawn:
                _panel(ax, drawn, looks, optimum, low)
                ax.set_ylim(low, high)
            else:
                hide([ax])
        _legend(line, title, [FIRST, *members])
    _name_axes(axes, unit_of(env), [f"{named(env)} {table1().names[task][1]}" for task in tasks])
    if said := _beneath(groups, low):
        figure.supxlabel(said, fontsize=9, color=INK)
    return figure


def limits(curves: Sequence[Curve], optimum: float) -> tuple[float, float]:
    """The axis of values, lowest and highest: all of them, unless some lie far below nearly all that curves end at.

    Far is more than ``FAR`` times the middle half of the last values below that half; the axis then begins a little
    below the lowest last value that is not so far. Of fewer than ``ENOUGH`` curves all is shown.
    """
    ends = np.array([curve.mean[-1] for curve in curves])
    everything = np.concatenate([curve.mean for curve in curves])
    high, low = max(optimum, float(everything.max())), float(everything.min())
    span = high - low
    first, third = np.quantile(ends, [0.25, 0.75])
    bound = first - FAR * max(third - first, LEAST / FAR * span)
    if len(ends) >= ENOUGH and low < bound:
        low = min(float(ends[ends >= bound].min()), high - LEAST * span)
    margin = 0.07 * (high - low) or 1.0
    return low - margin, high + margin


def _groups(rows: Rows, methods: Methods) -> dict[str, dict[Task, list[Row]]]:
    return methods.grouped([row for row in rows if curve_of(row)])


def _panel(ax: Axes, drawn: dict[str, Curve], looks: dict[str, Style], optimum: float, low: float) -> None:
    """The lines; where several lie on each other, dashes and markers at different places show all of them."""
    ax.axhline(optimum, color=INK, linestyle=(0, (2, 2)), linewidth=0.9, zorder=1, label="optimum")
    below = []
    for method, curve in drawn.items():
        look = looks[method]
        ax.fill_between(curve.times, curve.mean - curve.error, curve.mean + curve.error, alpha=0.13, linewidth=0,
                        color=look.colour)
        marked = slice(look.place % len(curve.times), None, 4)
        ax.plot(curve.times, curve.mean, label=method, color=look.colour, linestyle=look.dashes, dash_capstyle="butt",
                linewidth=3.2 if method == FIRST else 1.9, zorder=2 if method == FIRST else 3 + look.place,
                marker=look.marker or ("o" if len(curve.times) == 1 else ""), markersize=4.5, markevery=marked)
        if curve.mean[-1] < low:
            below.append((method, float(curve.mean[-1])))
    lines = 0
    for method, value in below:
        told = f"↓ {method}{NEW_LINE if len(method) > WIDE else ' '}ends at {signed(value, 1)}"
        ax.annotate(told, (0.98, 0.03), xycoords="axes fraction", xytext=(0, 11 * lines), textcoords="offset points",
                    ha="right", va="bottom", fontsize=8, color=looks[method].colour)
        lines += 1 + told.count(NEW_LINE)
    ax.grid(axis="y", color=FAINT, alpha=0.25, linewidth=0.6)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_locator(MaxNLocator(5))


def _name_axes(axes: Sequence[Sequence[Axes]], unit: str, titles: Sequence[str]) -> None:
    """Once for each line and column, at the first panel or the last that is drawn."""
    for line in axes:
        shown = [ax for ax in line if ax.axison]
        for ax in shown:
            ax.tick_params(labelleft=ax is shown[0])
        shown[0].set_ylabel(unit)
    for title, column in zip(titles, zip(*axes, strict=True), strict=True):
        shown = [ax for ax in column if ax.axison]
        for ax in shown:
            ax.tick_params(labelbottom=ax is shown[-1])
        shown[0].set_title(title)
        shown[-1].set_xlabel("t_env (updates)")


def _legend(line: Sequence[Axes], title: str, order: Sequence[str]) -> None:
    """To the right of a line of panels."""
    handles = {label: handle for ax in line for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    named = [label for label in ("optimum", *order) if label in handles]
    line[-1].legend([handles[label] for label in named], named, title=title, loc="center left", frameon=False,
                    bbox_to_anchor=(1.02, 0.5), fontsize=9, title_fontproperties={"size": 9, "weight": "bold"},
                    handlelength=3.4, alignment="left")


def _beneath(groups: dict[str, dict[Task, Curve]], low: float) -> str:
    """A sentence about what is below the axis; empty if nothing is."""
    starts = [float(curve.mean[0]) for tasks in groups.values() for curve in tasks.values() if curve.mean[0] < low]
    lower = any((curve.mean < low).any() for tasks in groups.values() for curve in tasks.values())
    if not lower:
        return ""
    untrained = f" Before training, teams are at {signed(min(starts))} to {signed(max(starts))}." if starts else ""
    return f"The axis begins at {signed(low, 1)}; what is lower is not drawn.{untrained}"
