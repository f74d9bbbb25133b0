"""Which convention each recorded episode follows, and below it what a key chooses and why."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...render import colours as palette
from .canvas import FAINT, INK, legend_below, panels
from .convention_use import ALL, ConventionUse, percent
from .palette import hexadecimal

CHOICE, PLAYED, NEVER = hexadecimal(palette.VERMILION), hexadecimal(palette.BLUE), FAINT
LABELS = {CHOICE: "likeliest: played without a key", PLAYED: "played with some keys", NEVER: "not played"}
ROW, COLUMN, NARROWEST = 0.27, 0.62, 7.6  # inches
LONGEST = 28  # characters
LEAST = 0.01  # share of the largest value that the axis of values spans at least


def convention_figure(use: ConventionUse) -> Figure:
    """A matrix of behaviours and conventions, and for each convention how likely a key means it and what it is worth.
    """
    width = max(NARROWEST, 2.8 + COLUMN * len(use.entries))
    figure, lines = panels(3, 1, width, [0.9 + ROW * len(use.behaviours), 1.15, 1.75])
    (matrix,), (law,), (worth,) = lines
    _matrix(matrix, use)
    _law(law, use)
    _worth(worth, use)
    for ax in (matrix, law, worth):
        ax.set_xlim(-0.5, len(use.entries) - 0.5)
        ax.tick_params(axis="x", length=0)
    law.set_xticks([])
    worth.set_xticks(range(len(use.entries)), list(map(str, use.entries)))
    worth.set_xlabel("convention")
    legend_below(figure, [worth], [*LABELS.values(), "recorded episodes, mean"])
    return figure


def colours(use: ConventionUse) -> list[str]:
    """Of the conventions, by whether they are played."""
    return [CHOICE if k == use.choice else PLAYED if share > 0 else NEVER for k, share in enumerate(use.law)]


def _matrix(ax: Axes, use: ConventionUse) -> None:
    ax.imshow(use.follow, cmap="Blues", vmin=0, vmax=1.25, aspect="auto")  # beyond 1, so that black text stays legible
    for (i, j), share in np.ndenumerate(use.follow):
        ax.text(j, i, percent(share), ha="center", va="center", fontsize=8,
                color="white" if share > 0.75 else INK if share >= 0.005 else FAINT)
    rows = range(len(use.behaviours))
    names = [name if len(name) <= LONGEST else f"{name[:LONGEST - 1]}…" for name in use.behaviours]
    ax.set_yticks(rows, [f"{name}  ({n:,})" for name, n in zip(names, use.episodes, strict=True)])
    right = ax.secondary_yaxis("right")
    right.set_yticks(rows, list(map(percent, use.same)), fontsize=9, color=INK)
    ax.text(1.012, 1, "same\nactions", transform=ax.transAxes, ha="left", va="bottom", fontsize=8)
    for axis in (ax, right):
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
    if len(rows) > 1 and use.behaviours[-1] == ALL:
        ax.axhline(len(rows) - 1.5, color=INK, linewidth=0.8)
    ax.set_xticks(range(len(use.entries)), list(map(str, use.entries)))
    ax.xaxis.tick_top()
    ax.set_title("Which convention the recorded episodes follow", loc="left")


def _law(ax: Axes, use: ConventionUse) -> None:
    ax.bar(range(len(use.law)), use.law, 0.6, color=colours(use))
    for k, share in enumerate(use.law):
        ax.text(k, share, percent(share), ha="center", va="bottom", fontsize=8, color=INK if share else FAINT)
    ax.set_ylim(0, 1.25)
    ax.set_yticks([0, 0.5, 1], ["0%", "50%", "100%"])
    ax.set_title("What a key chooses", loc="left")


def _worth(ax: Axes, use: ConventionUse) -> None:
    found = colours(use)
    for colour, label in LABELS.items():
        mine = [k for k, own in enumerate(found) if own == colour]
        if mine:
            ax.errorbar(mine, use.values[mine], yerr=use.errors[mine], color=colour, fmt="o", markersize=5, capsize=3,
                        label=label)
    ax.axhline(use.recorded, color=FAINT, linestyle="--", linewidth=1, label="recorded episodes, mean")
    ax.margins(y=0.15)
    low, high = ax.get_ylim()
    lacking = max(0.0, LEAST * float(np.abs(use.values).max()) - (high - low)) / 2
    ax.set_ylim(low - lacking, high + lacking)
    ax.ticklabel_format(axis="y", style="plain", useOffset=False)
    ax.set_title("What each is estimated to return", loc="left")
