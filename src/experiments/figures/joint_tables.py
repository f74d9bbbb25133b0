"""The paper's Figure 1: which joint actions value-based methods end at on XOR, over many seeds."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...errors import UserError
from ..rows.names import data_of, game_of
from ..rows.paper import ONLINE, Methods, table1
from ..rows.reading import Row, Rows
from .canvas import FAINT, INK, hide, panels

WINNING = ((0, 1), (1, 0))


def joint_tables(rows: Rows, methods: Methods) -> Figure:
    """Heat maps of the share of seeds that end at each greedy joint action, by method and data set.

    Args:
        rows: those of ``xor`` with ``joint_action`` are drawn; those of methods that learn online in one panel,
            whatever data they name.
        methods: names of the methods.

    Raises:
        UserError: no row has a joint action of two agents with two actions.
    """
    seeds: dict[tuple[str, str], dict[int, Row]] = {}
    for row in rows:
        if game_of(row) == "xor" and len(row.get("joint_action", ())) == 2 and max(row["joint_action"]) <= 1:
            # A seed counts once: of a method that learns online, it is the same run whatever data its row names.
            seeds.setdefault(_panel(row, methods), {}).setdefault(row["seed"], row)
    groups = {panel: [*by_seed.values()] for panel, by_seed in seeds.items()}
    if not groups:
        raise UserError("Figure 1 needs rows of xor with 'joint_action', such as those of qmix, vdn and iql.")
    known = ["online", *(task.dataset for task in table1().names if task.env == "xor")]
    places = [place for place in known if any(key[1] == place for key in groups)]
    places += sorted({place for _, place in groups} - set(places))
    found = {name for name, _ in groups}
    names = [name for name in methods.names if name in found]
    names += sorted(found - set(names))
    figure, axes = panels(len(names), len(places), 2.1, 2.25)
    for i, name in enumerate(names):
        for j, place in enumerate(places):
            group = groups.get((name, place), [])
            if group:
                _draw(axes[i][j], group)
                axes[i][j].set_title(f"{name}, {_title(place)}\n{len(group)} seed{'s' * (len(group) > 1)}", fontsize=9)
            else:
                hide([axes[i][j]])
    figure.supxlabel("Action of agent 2", fontsize=9)
    figure.supylabel("Action of agent 1", fontsize=9)
    return figure


def _panel(row: Row, methods: Methods) -> tuple[str, str]:
    """Method and data set, or online."""
    name = methods.of(row["alg"]) or row["alg"]
    return (name.removesuffix(ONLINE), "online") if name.endswith(ONLINE) else (name, data_of(row))


def _title(place: str) -> str:
    names = {task.dataset: name for task, (_, name) in table1().names.items() if task.env == "xor"}
    return names.get(place, place)


def _draw(ax: Axes, group: list[Row]) -> None:
    share = np.zeros((2, 2))
    for row in group:
        share[tuple(row["joint_action"])] += 1 / len(group)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1.25)  # beyond 1, so that black text stays legible
    for (first, second), value in np.ndenumerate(share):
        won = (first, second) in WINNING
        ax.text(second, first, f"{'AB'[first]}{'AB'[second]}\n{value:.0%}", ha="center", va="center",
                color="white" if value > 0.75 else INK, fontsize=10, fontweight="bold" if won else "normal")
    ax.set_xticks([0, 1], ["A", "B"])
    ax.set_yticks([0, 1], ["A", "B"])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(True)
    ax.spines[:].set_color(FAINT)
