"""A data set in a page of text: returns, behaviours, actions, coverage and mismatch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np

from ..envs.game import Game, IntArray
from ..envs.mismatch import distinct, fingerprints
from .chunks import steps_of
from .dataset import OfflineDataset
from .mismatch import Product, Shares, recorded_shares

BINS = 10
BAR = 40  # characters of the longest bar
MOST = 8  # joint actions listed


def describe(data: OfflineDataset, game: Game) -> str:
    """Tables for people.

    Args:
        data: a data set that fits the game (see :func:`epymarl_cpa.data.validate.check_game`).
        game: the game, for its optimum, action names and optimal joint actions.

    Returns:
        Lines of text, none of them longer than the number of agents and actions makes necessary.
    """
    parts = (_summary(data, game), _behaviours(data), _returns(data), _first_actions(data, game),
             _action_shares(data, game), _coverage(data, game), _mismatch(data, game))
    return "\n".join(line for part in parts for line in part)


def _table(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Rows indented by two; the first column is left-aligned, the others right-aligned."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *rest in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))]
        yield "  " + "  ".join(cells).rstrip()


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _summary(data: OfflineDataset, game: Game) -> Iterator[str]:
    returns, steps, best = data.returns, data.steps.sum(1), game.optimum()
    yield f"{data.source} ({game.name})"
    yield from _table([
        ("episodes", f"{data.n_episodes:,}"),
        ("steps", f"{steps.sum():,}"),
        ("steps per episode", f"{steps.min()}..{steps.max()}"),
        ("mean return", f"{returns.mean():.4f}"),
        ("standard deviation", f"{returns.std():.4f}"),
        ("lowest return", f"{returns.min():.4f}"),
        ("highest return", f"{returns.max():.4f}"),
        ("expected return of the best policy", "unknown" if best is None else f"{best:.4f}")])


def _behaviours(data: OfflineDataset) -> Iterator[str]:
    yield "behaviours"
    names = data.meta.get("behaviours", [])
    recipe = data.meta.get("recipe", {})
    mixture = recipe.get("mixture")
    if recipe.get("per") == "step" and isinstance(mixture, dict) and all(
            isinstance(share, int | float) for share in mixture.values()):
        for name, share in mixture.items():
            yield f"  {name}  {_percent(share)} of the steps"
        return
    for k, n in zip(*(found.tolist() for found in np.unique(data.behaviour, return_counts=True)), strict=True):
        name = names[k] if k >= 0 else "unknown"
        yield f"  {name}  {n:,} episodes, {_percent(n / data.n_episodes)}"


def _returns(data: OfflineDataset) -> Iterator[str]:
    """One bar for each return where they are few, else for each tenth of the range."""
    yield "returns (episodes)"
    values, count = np.unique(data.returns.round(4), return_counts=True)
    labels = [f"{value:.4f}" for value in values]
    if len(values) > BINS:
        count, edges = np.histogram(data.returns, BINS)
        labels = [f"{low:.2f} .. {high:.2f}" for low, high in pairwise(edges.tolist())]
    width = max(map(len, labels))
    for label, n in zip(labels, count.tolist(), strict=True):
        yield f"  {label:>{width}}  {n:>{len(str(count.max()))}}  {'#' * round(BAR * n / count.max())}".rstrip()


def _first_actions(data: OfflineDataset, game: Game) -> Iterator[str]:
    joint = np.concatenate([joint[time == 0] for _, time, joint in steps_of(data, "actions")])
    first, number = distinct(joint)
    count = np.bincount(number)
    common = np.argsort(-count, kind="stable")[:MOST]
    yield f"joint actions at the first step ({len(first):,} different ones)"
    yield from _table((_words(joint[first[k]], game), f"{count[k]:,}", _percent(count[k] / len(joint))) for k in common)


def _words(joint: IntArray, game: Game) -> str:
    return " ".join(game.action_names[action] for action in joint)


def _action_shares(data: OfflineDataset, game: Game) -> Iterator[str]:
    count = np.zeros((game.n_agents, game.n_actions), dtype=np.int64)
    for _, _, joint in steps_of(data, "actions"):
        count += [np.bincount(own, minlength=game.n_actions) for own in joint.T]
    yield "actions of each agent (share of its steps)"
    rows = [("agent", *game.action_names)]
    rows += [(str(agent), *map(_percent, own / data.steps.sum())) for agent, own in enumerate(count)]
    yield from _table(rows)


def _coverage(data: OfflineDataset, game: Game) -> Iterator[str]:
    marks = [np.concatenate([fingerprints(seen), fingerprints(joint)], 1)
             for _, _, seen, joint in steps_of(data, "state", "actions")]
    both = np.concatenate(marks)
    states, pairs, joints = (len(distinct(part)[0]) for part in (both[:, :2], both, both[:, 2:]))
    yield "coverage"
    yield from _table([
        ("different states", f"{states:,}"),
        ("different pairs of state and joint action", f"{pairs:,}"),
        ("different joint actions", f"{joints:,}"),
        ("possible joint actions", f"{game.n_actions ** game.n_agents:,}")])


def _mismatch(data: OfflineDataset, game: Game) -> Iterator[str]:
    yield "mismatch: every part optimal in some joint action, but not the whole (Definition 1)"
    product = Product(data, game.n_actions)
    recorded, drawn = recorded_shares(data, game), product.shares(game)
    if recorded is None or drawn is None:
        yield from _penalties(data, game, product)
        return

    def row(who: str, shares: Shares) -> tuple[str, ...]:
        rest = max(0.0, 1.0 - shares.optimal - shares.mismatch)
        return who, _percent(shares.optimal), _percent(shares.mismatch), _percent(rest)

    yield from _table([("joint actions", "optimal", "mismatch", "other"), row("recorded, all steps", recorded),
                       row(f"drawn independently, first step ({_way(drawn.exact)})", drawn)])


def _penalties(data: OfflineDataset, game: Game, product: Product) -> Iterator[str]:
    """What can be told where optimal joint actions are too many to tabulate."""
    yield f"  optimal joint actions of {game.name} are not tabulated; instead, steps with a negative reward:"
    rows = [("recorded, all steps", _percent(float((data.reward[data.steps] < 0).mean())))]
    drawn = product.penalised(game)
    if drawn is not None:
        rows.append((f"drawn independently, first step ({_way(drawn[1])})", _percent(drawn[0])))
    yield from _table(rows)


def _way(exact: bool) -> str:
    return "exact" if exact else "estimated"
