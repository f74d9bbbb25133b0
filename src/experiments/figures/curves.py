"""Learning curves: the headline against t_env, a panel for every game and data set."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...errors import UserError
from ..rows.paper import Methods, Task, table1
from ..rows.reading import Row, Rows, curve_of
from .canvas import FAINT, hide, legend_below, panels, style_of


def learning_curves(rows: Rows, methods: Methods) -> Figure:
    """Mean over seeds (line), its standard error (shade) and the exact optimum (dashed).

    Args:
        rows: those with ``curve`` are drawn; at a t_env that only some seeds have, those are drawn.
        methods: names of the methods.

    Raises:
        UserError: no row of the paper's tasks has a curve.
    """
    groups = methods.grouped([row for row in rows if curve_of(row)])
    if not groups:
        raise UserError("the learning curves need rows with 'curve', which those of older sweeps do not have.")
    envs = [env for env in table1().random if any(task.env == env for group in groups.values() for task in group)]
    shapes = {env: [task for task in table1().names if task.env == env] for env in envs}
    figure, axes = panels(len(envs), 3, 3.3, 2.2)
    for line, env in zip(axes, envs, strict=True):
        for ax, task in zip(line, shapes[env], strict=True):
            drawn = {method: group[task] for method, group in groups.items() if task in group}
            if drawn:
                _panel(ax, task, drawn, [*groups])
            else:
                hide([ax])
    for ax in axes[-1]:
        ax.set_xlabel("t_env (updates)")
    legend_below(figure, [ax for line in axes for ax in line], [*groups, "optimum"])
    return figure


def _panel(ax: Axes, task: Task, drawn: dict[str, list[Row]], methods: list[str]) -> None:
    for method, group in drawn.items():
        at: dict[float, list[float]] = {}
        for row in group:
            for t_env, value in curve_of(row):
                at.setdefault(t_env, []).append(value)
        times = sorted(at)
        colour, dashes = style_of(methods.index(method))
        mean = np.array([np.mean(at[t]) for t in times])
        error = np.array([np.std(at[t]) / np.sqrt(max(len(at[t]) - 1, 1)) for t in times])
        ax.plot(times, mean, label=method, linewidth=1.5, color=colour, linestyle=dashes,
                marker="o" if len(times) == 1 else "", markersize=4)
        ax.fill_between(times, mean - error, mean + error, alpha=0.15, linewidth=0, color=colour)
    optimum = next(iter(drawn.values()))[0]["headline_optimum"]
    ax.axhline(optimum, color=FAINT, linestyle=(0, (4, 3)), linewidth=1, label="optimum")
    ax.set_title(" ".join(table1().names[task]))
    ax.margins(y=0.08)
