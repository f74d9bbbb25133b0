"""The paper's Figure 5: how an autoregressive team and policy agreement avoid the mismatch on Bridge."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from ...envs.picture import Mark
from ...envs.rendering import PALETTE
from .bridge_policy import LIKELY, Scene
from .canvas import FAINT, INK, hide, panels
from .palette import styles

SIGNS = {"stay": "•", "up": "↑", "down": "↓", "right": "→", "left": "←"}
SHOWN, FEWEST = 6, 2  # entries that are drawn, and for which there is room
LAYERS = {"tile": 0, "line": 1, "ring": 2, "disc": 2, "text": 2}  # trails go below both agents


def bridge_figure(scenes: list[Scene]) -> Figure:
    """A line of panels for every scene: the map, the autoregressive law as a table, the entries of the pool."""
    has_students = scenes[0].entries is not None
    figure, axes = panels(len(scenes), 3 if has_students else 2, 3.5, 2.0)
    room = min(SHOWN, max(FEWEST, *(len(scene.entries or ()) for scene in scenes)))
    for i, (scene, line) in enumerate(zip(scenes, axes, strict=True)):
        _map(line[0], scene)
        _chain(line[1], scene)
        if has_students:
            _pool(line[2], scene, room)
        if i == 0:
            line[1].set_title("Autoregressive: A acts, then B knowing it", fontsize=9)
            if has_students:
                line[2].set_title("Policy agreement: the key picks an entry", fontsize=9, loc="right")
    return figure


def _map(ax: Axes, scene: Scene) -> None:
    picture = scene.game.picture(scene.state, scene.last)
    for place, mark in enumerate(picture.marks):
        _paint(ax, mark, LAYERS[mark.shape] + place / len(picture.marks))
    ax.set_xlim(-0.5, picture.cols - 0.5)
    ax.set_ylim(picture.rows - 0.5, -0.5)
    ax.set_aspect("equal")
    hide([ax])
    if scene.last is None:
        ax.set_title("Initial state (pale cells: the agents' goals)", fontsize=9)
    else:
        ax.set_title(f"One step later, after {_signs(scene, tuple(scene.last[1]))}", fontsize=9)


def _paint(ax: Axes, mark: Mark, layer: float) -> None:
    row, col = float(mark.at[0]), float(mark.at[1])
    colour = tuple(part / 255 for part in PALETTE[mark.colour])
    if mark.shape == "tile":
        half = mark.size / 2
        ax.add_patch(Rectangle((col - half, row - half), mark.size, mark.size, color=colour, linewidth=0, zorder=layer))
    elif mark.shape == "line":
        ax.plot([col, float(mark.end[1])], [row, float(mark.end[0])], color=colour, linewidth=3,
                zorder=layer)
    elif mark.shape == "text":
        ax.text(col, row, mark.text, color=colour, ha="center", va="center", fontweight="bold", fontsize=10,
                zorder=layer)
    else:
        ax.add_patch(Circle((col, row), mark.size / 2, color=colour, fill=mark.shape == "disc", zorder=layer))


def _chain(ax: Axes, scene: Scene) -> None:
    """A line for each action of A: its probability, and those of B's actions after it."""
    names, n = scene.game.action_names, len(scene.first)
    likely = scene.first >= LIKELY
    table = np.column_stack([scene.first, np.full(n, np.nan), np.where(likely[:, None], scene.second, np.nan)])
    ax.imshow(np.ma.masked_invalid(table), cmap="Blues", vmin=0, vmax=1.25, aspect="auto")
    for (i, j), value in np.ndenumerate(table):
        if not np.isnan(value):
            ax.text(j, i, "0" if value < 0.005 else f"{value:.2f}", ha="center", va="center", fontsize=9,
                    color="white" if value > 0.75 else INK if value >= 0.005 else FAINT)
    ax.set_yticks(range(n), [f"A {name} {SIGNS[name]}" for name in names])
    ax.set_xticks([0, *range(2, n + 2)], ["π(A)", *(f"B {SIGNS[name]}" for name in names)])
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _pool(ax: Axes, scene: Scene, room: int) -> None:
    """A bar for every entry: how often the key means it, and what both agents then do."""
    found = scene.entries or []
    entries = found[:SHOWN]
    for i, (_, probability, _) in enumerate(entries):
        ax.barh(i, probability, 0.6, color=styles(["PA"])["PA"].colour)
        ax.text(probability + 0.02, i, f"{probability:.2f}", va="center", fontsize=9)
    ax.set_yticks(range(len(entries)), [f"entry {j}:  {_signs(scene, actions)}" for j, _, actions in entries])
    if len(found) > SHOWN:
        ax.text(1.15, SHOWN - 0.4, f"and {len(found) - SHOWN} rarer ones", ha="right", va="bottom", color=FAINT)
    ax.set_ylim(room - 0.4, -0.6)
    ax.set_xlim(0, 1.15)
    ax.set_xticks([0, 0.5, 1])
    ax.set_xlabel("probability")
    ax.tick_params(axis="y", length=0)


def _signs(scene: Scene, actions: tuple[int, ...]) -> str:
    return "  ".join(f"{agent} {SIGNS[scene.game.action_names[action]]}"
                     for agent, action in zip("AB", actions, strict=True))
