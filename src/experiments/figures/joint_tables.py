"""The paper's Figure 1: which joint actions value-based methods end at on XOR, over many seeds."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ...errors import UserError
from ..rows.names import data_of, game_of
from ..rows.paper import ONLINE, Methods, table1
from ..rows.reading import Row, Rows
from .canvas import FAINT, GOOD, INK, hide, panels

WINNING = ((0, 1), (1, 0))
WIDEST = 10  # methods that are columns


def joint_tables(rows: Rows, methods: Methods) -> Figure:
    """Heat maps of the share of seeds that end at each greedy joint action, by method and data set.

    Where every method has every data set, methods are columns and data sets lines; else the panels follow each other
    in three to six columns.

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
    there = [(name, place) for name in names for place in places if (name, place) in groups]
    is_matrix = min(len(names), len(places)) > 1 and len(there) == len(names) * len(places) and len(names) <= WIDEST
    lines = [[(name, place) for name in names] for place in places] if is_matrix else wrapped(there)
    small = len(lines[0]) > 6
    figure, axes = panels(len(lines), len(lines[0]), *((1.15, 1.3) if small else (1.75, 2.0 if is_matrix else 2.25)))
    for line, keys in zip(axes, lines, strict=True):
        hide(line[len(keys):])
        for ax, key in zip(line, keys, strict=False):
            _draw(ax, groups[key], 8 if small else 10)
            if not is_matrix:
                ax.set_title(f"{key[0]}, {_title(key[1])}\n{_seeds([groups[key]])}", fontsize=9)
        if is_matrix:
            line[0].set_ylabel(f"{_title(keys[0][1])}\n{_seeds([groups[key] for key in keys])}", fontsize=9)
    if is_matrix:
        for ax, name in zip(axes[0], names, strict=True):
            ax.set_title(name, fontsize=9)
    figure.supxlabel("action of agent 2", fontsize=9)
    figure.supylabel("action of agent 1", fontsize=9)
    return figure


def wrapped(panels: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """Lines of three to six panels, as many as leave the fewest places empty at the end of the last."""
    width = min(range(min(3, len(panels)), min(6, len(panels)) + 1), key=lambda each: (-len(panels) % each, each))
    return [panels[start:start + width] for start in range(0, len(panels), width)]


def _seeds(groups: list[list[Row]]) -> str:
    """How many there are in each group."""
    few, many = min(map(len, groups)), max(map(len, groups))
    return f"{many} seed{'s' * (many > 1)}" if few == many else f"{few} to {many} seeds"


def _panel(row: Row, methods: Methods) -> tuple[str, str]:
    """Method and data set, or online."""
    name = methods.of(row["alg"]) or row["alg"]
    return (name.removesuffix(ONLINE), "online") if name.endswith(ONLINE) else (name, data_of(row))


def _title(place: str) -> str:
    names = {task.dataset: name for task, (_, name) in table1().names.items() if task.env == "xor"}
    return names.get(place, place)


def _draw(ax: Axes, group: list[Row], size: int) -> None:
    share = np.zeros((2, 2))
    for row in group:
        share[tuple(row["joint_action"])] += 1 / len(group)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1.25)  # beyond 1, so that black text stays legible
    for (first, second), value in np.ndenumerate(share):
        won = (first, second) in WINNING
        ax.text(second, first, f"{'AB'[first]}{'AB'[second]}\n{value:.0%}", ha="center", va="center",
                color="white" if value > 0.75 else INK, fontsize=size, fontweight="bold" if won else "normal")
        if won:
            ax.add_patch(Rectangle((second - 0.46, first - 0.46), 0.92, 0.92, fill=False, color=GOOD, linewidth=1.8))
    ax.set_xticks([0, 1], ["A", "B"])
    ax.set_yticks([0, 1], ["A", "B"])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(True)
    ax.spines[:].set_color(FAINT)
