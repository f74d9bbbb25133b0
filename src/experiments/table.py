"""From the rows of a sweep to a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """Mean and population standard deviation over seeds of each game's headline figure, as Markdown.

    Args:
        rows: as written by the sweep.
    """
    lines = ["| game | data | method | result | worst seed | optimum | seeds | s per run (max) | peak MB |",
             "|---|---|---|---|---|---|---|---|---|"]
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["env"], row["dataset"], row["alg"]), []).append(row)
    for (env, data, alg), group in groups.items():
        values = np.array([row["headline"] for row in group])
        seconds, peak = [row["seconds"] for row in group], max(row["peak_mb"] for row in group)
        lines.append(f"| {env} | {data} | {alg} | {values.mean():.4f} ± {values.std():.4f} | {values.min():.4f} "
                     f"| {group[0]['headline_optimum']:.4f} | {len(group)} "
                     f"| {np.mean(seconds):.0f} ({max(seconds):.0f}) | {peak} |")
    return "\n".join(lines)
