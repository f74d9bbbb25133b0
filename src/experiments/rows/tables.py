"""Plain tables of rows, as Markdown."""

from __future__ import annotations

import numpy as np

from .reading import Row, Rows, grouped

#: measures of diversity: heading and format
DIVERSITY = {"marginal_entropy": ("marginal H, bits", ".3f"), "joint_entropy": ("joint H, bits", ".3f"),
             "modes": ("modes", ".2f"), "modes_covered": ("of the teacher's", ".3f"), "tv": ("TV to teacher", ".4f"),
             "mismatch_rate": ("mismatch", ".4f")}


def _optimum(row: Row) -> str:
    """The game's optimum, or what it is at most; a dash where nobody knows."""
    best, bound = row["headline_optimum"], row.get("headline_bound")
    return f"{best:.4f}" if best is not None else "-" if bound is None else f"at most {bound:.4f}"


def markdown(rows: Rows) -> str:
    """Mean and population standard deviation over seeds of each game's headline figure, as Markdown.

    Args:
        rows: as written by the sweep.
    """
    lines = ["| game | data | method | result | worst run | optimum | seeds | s per run (max) | peak MB |",
             "|---|---|---|---|---|---|---|---|---|"]
    for (env, data, alg), group in grouped(rows).items():
        values = np.array([row["headline"] for row in group])
        seconds, peak = [row["seconds"] for row in group], max(row["peak_mb"] for row in group)
        lines.append(f"| {env} | {data} | {alg} | {values.mean():.4f} ± {values.std():.4f} | {values.min():.4f} "
                     f"| {_optimum(group[0])} | {len(group)} "
                     f"| {np.mean(seconds):.0f} ({max(seconds):.0f}) | {peak} |")
    return "\n".join(lines)


def compact(rows: Rows) -> str:
    """One line for every game and data set, one column for every method: mean ± deviation (worst run)."""
    groups = grouped(rows)
    methods = list(dict.fromkeys(alg for _, _, alg in groups))
    lines = [f"| game | data | {' | '.join(methods)} | optimum |", "|---" * (len(methods) + 3) + "|"]
    for env, data in dict.fromkeys((env, data) for env, data, _ in groups):
        cells, best = [], ""
        for alg in methods:
            group = groups.get((env, data, alg), [])
            values = np.array([row["headline"] for row in group])
            best = _optimum(group[0]) if group else best
            cells.append(f"{values.mean():.4f} ± {values.std():.4f} ({values.min():.4f})" if group else "")
        lines.append(f"| {env} | {data} | {' | '.join(cells)} | {best} |")
    return "\n".join(lines)


def diversity(rows: Rows) -> str:
    """The same for the measures of diversity, for the rows that have them; nothing if none has."""
    measured = [row for row in rows if row.get("joint_entropy") is not None]
    if not measured:
        return ""
    headings = ["game", "data", "method", "result", "worst run", *(heading for heading, _ in DIVERSITY.values())]
    lines = [f"| {' | '.join(headings)} |", "|---" * len(headings) + "|"]
    for (env, data, alg), group in grouped(measured).items():
        values = np.array([row["headline"] for row in group])
        cells = [format(np.mean([row[key] for row in group]), spec)
                 if all(row.get(key) is not None for row in group) else "-"
                 for key, (_, spec) in DIVERSITY.items()]
        lines.append(f"| {env} | {data} | {alg} | {values.mean():.4f} ± {values.std():.4f} | {values.min():.4f} "
                     f"| {' | '.join(cells)} |")
    return "\n".join(lines)
