"""The paper's Figures 3 and 4: what diversity costs, at four thresholds of Eq. 8."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ...config.reading import parse_overrides
from ...errors import UserError
from ...render import colours
from ..rows.names import data_of, game_of
from ..rows.reading import Row, Rows
from .canvas import INK, legend_below, panels, unit_of
from .palette import hexadecimal, styles

TEAMS = {"cpa_ar": "AR", "cpa_pa": "PA"}
ENTROPIES = {"marginal_entropy": "agents' own actions, mean (Eq. 19)",
             "joint_entropy": "joint action"}
#: the paper's thresholds, decreasing
GAMES = {"permutation": (1.0, 1 / 3.2, 1 / 4, 1 / 6), "aloha": (1.0, 1 / 3, 1 / 4, 1 / 6)}
PALE = 0.45  # opacity of the first entropy's bars


def diversity_bars(rows: Rows, env: str) -> Figure:
    """Bars of performance and of entropies for AR and PA at the paper's thresholds, on poor data.

    Args:
        rows: as of the sweep ``diversity``: ``cpa_ar beta=<b>`` and ``cpa_pa beta=<b>`` with entropies.
        env: ``permutation`` (Figure 3) or ``aloha`` (Figure 4).

    Raises:
        UserError: no row fits.
    """
    thresholds = GAMES[env]
    groups: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        if game_of(row) == env and data_of(row) == "poor" and all(row.get(key) is not None for key in ENTROPIES) \
                and row["headline_optimum"] is not None:
            place = _place(row, thresholds)
            if place is not None:
                groups.setdefault(place, []).append(row)
    if not groups:
        raise UserError(f"Figure {3 if env == 'permutation' else 4} needs rows of {env} on poor data with entropies at "
                        "the paper's thresholds, as the sweep 'diversity' leaves them.")
    looks = styles([*TEAMS.values()])
    figure, axes = panels(2, len(TEAMS), 3.6, [2.1, 2.3])
    optimum = max(row["headline_optimum"] for group in groups.values() for row in group)
    lowest = min(row["headline"] for group in groups.values() for row in group)
    top = max(max(row[key] for group in groups.values() for row in group for key in ENTROPIES), 0.1)
    for col, (alg, name) in enumerate(TEAMS.items()):
        mine = {i: groups[alg, i] for i in range(len(thresholds)) if (alg, i) in groups}
        result, spread = axes[0][col], axes[1][col]
        colour = looks[name].colour
        _bars(result, mine, "headline", 0.0, 0.6, colour, 1)
        result.axhline(optimum, color=INK, linestyle=(0, (2, 2)), linewidth=0.9, label="optimum")
        result.set_ylim(min(0.0, lowest), 1.22 * optimum)
        result.set_title(name)
        for shift, opacity, key in zip((-0.2, 0.2), (PALE, 1), ENTROPIES, strict=True):
            _bars(spread, mine, key, shift, 0.38, colour, opacity)
        spread.set_ylim(0, 1.18 * top)
        for ax in (result, spread):
            ax.set_xticks(range(len(thresholds)), [f"β{'₁₂₃₄'[i]}\n{beta:.4g}" for i, beta in enumerate(thresholds)])
            ax.set_xlim(-0.6, len(thresholds) - 0.4)
    axes[0][0].set_ylabel(unit_of(env))
    axes[1][0].set_ylabel("entropy, bits")
    for opacity, label in zip((PALE, 1), ENTROPIES.values(), strict=True):
        axes[1][0].add_patch(Rectangle((0, 0), 0, 0, color=hexadecimal(colours.SOFT), alpha=opacity, linewidth=0,
                                       label=label))  # for the legend alone
    legend_below(figure, [*axes[0], *axes[1]], ["optimum", *ENTROPIES.values()])
    return figure


def _place(row: Row, thresholds: tuple[float, ...]) -> tuple[str, int] | None:
    """Team and number of the threshold; None for other rows."""
    name, *overrides = row["alg"].split()
    if name not in TEAMS or len(overrides) != 1 or not overrides[0].startswith("beta="):
        return None
    beta = parse_overrides(overrides)["beta"]
    if not isinstance(beta, int | float):
        return None
    near = [i for i, value in enumerate(thresholds) if abs(value - beta) < 1e-3]
    return (name, near[0]) if near else None


def _bars(ax: Axes, groups: dict[int, list[Row]], key: str, shift: float, width: float, colour: str,
          opacity: float) -> None:
    """Bars of means with whiskers of the population standard deviation, and the means in figures above them."""
    values = {i: np.array([row[key] for row in group]) for i, group in groups.items()}
    heights = [float(value.mean()) for value in values.values()]
    ax.bar([i + shift for i in values], heights, width, yerr=[float(value.std()) for value in values.values()],
           color=colour, alpha=opacity, ecolor="#555555", capsize=2, error_kw={"linewidth": 0.9})
    for i, value in values.items():
        digits = 1 if value.mean() > 10 else 2
        ax.annotate(f"{value.mean():.{digits}f}", (i + shift, float(value.mean() + value.std())), xytext=(0, 2),
                    textcoords="offset points", ha="center", va="bottom", fontsize=8)
