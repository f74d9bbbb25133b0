"""What the page of a data set shows."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data.dataset import OfflineDataset
from ..data.imitation import Imitation
from ..data.selection import DIGITS
from ..data.state_table import StateTable
from ..envs.game import Game, IntArray
from .columns import packed
from .drawing import Drawings
from .player import player
from .story import LEGENDS, story
from .verdict import verdict

STATES = 40  # tables of states
JOINT = 14  # joint actions listed in each
MATRIX = 12  # most actions of two agents that are shown as a matrix


def dataset_page(data: OfflineDataset, game: Game | None, path: str, named: Sequence[str] = ()) -> dict[str, Any]:
    """The page of a data set as JSON.

    Args:
        data: whole.
        game: its rules; None where nobody knows them.
        path: how the user names it, for commands.
        named: how the user names the game, in words of a command line.
    """
    imitation = Imitation(data, game)
    tables = imitation.frequent(STATES)
    names = action_names(data, game)
    shown, (places, drawings) = player(data, game), _pictures(data, game, tables)
    states = [_state(table, place) for table, place in zip(tables, places, strict=True)]
    best = None if game is None else game.optimum()
    random = game.random_headline() if game is not None and game.pure and game.headline == "return" else None
    return {
        "kind": "dataset", "title": _title(data, game, path), "source": data.source,
        "facts": _facts(data, game), "actions": names, "agents": int(data.actions.shape[2]),
        "game": None if game is None else game.name,
        "verdict": verdict(imitation, tables, names, shown["obs"] is not None),
        "returns": {"optimum": best, "random": random, "mean": float(data.returns.mean())},
        "episodes": _episodes(data), "player": shown,
        "states": states, "state_drawings": drawings,
        "legend": None if game is None or drawings is None else LEGENDS.get(game.name),
        "coverage": _coverage(data, imitation), "shares": _shares(data),
        # Data of other programs have the returns that are shown here only in the terms of the game.
        "command": shlex.join(["python", "-m", "epymarl_cpa.data", "select", path,
                               *([] if data.meta.get("spec") else named)]),
    }


def action_names(data: OfflineDataset, game: Game | None) -> list[str]:
    """A word for each action of the data; its number where no game is known."""
    n_actions = int(data.avail_actions.shape[3])
    if game is None or len(game.action_names) < n_actions:
        return [str(action) for action in range(n_actions)]
    return [str(name) for name in game.action_names[:n_actions]]


def _facts(data: OfflineDataset, game: Game | None) -> list[list[str]]:
    """Label and text, in the order in which they are shown."""
    lengths, meta = data.steps.sum(1), data.meta
    spec = meta.get("spec") if isinstance(meta.get("spec"), dict) else {}
    name = game.name if game is not None else str((spec or {}).get("game", "unknown"))
    length = f"{lengths.min()}" if lengths.min() == lengths.max() else f"{lengths.min()} to {lengths.max()}"
    facts = [["Game", name], ["Episodes", f"{data.n_episodes:,}"], ["Steps", f"{int(lengths.sum()):,}"],
             ["Steps per episode", length],
             ["Agents", str(data.actions.shape[2])], ["Actions", str(data.avail_actions.shape[3])],
             ["State values", str(data.state.shape[2])]]
    if meta.get("quality"):
        facts.append(["Recipe", f"{meta['quality']}, seed {meta.get('seed', '?')}"])
    made = [str(meta[key]) for key in ("author", "made_by", "algorithm", "program") if isinstance(meta.get(key), str)]
    return [*facts, ["Made by", ", ".join(made) or _behaviour_text(data)], ["Digest", data.digest[:12]]]


def _behaviour_text(data: OfflineDataset) -> str:
    names = [str(name) for name in data.meta.get("behaviours", [])]
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "") if names else "unknown"


def _episodes(data: OfflineDataset) -> dict[str, Any]:
    """Of all episodes: return, length, behaviour, and which actions they contain."""
    n_actions = data.avail_actions.shape[3]
    contains = np.zeros((data.n_episodes, n_actions), dtype=np.bool_)
    episode, time = np.nonzero(data.steps)
    np.logical_or.at(contains, (episode[:, None], data.actions[episode, time]), True)
    return {"count": data.n_episodes, "returns": packed(data.returns.round(DIGITS), exact=True),
            "lengths": packed(data.steps.sum(1)), "behaviour": packed(data.behaviour),
            "behaviours": [str(name) for name in data.meta.get("behaviours", [])],
            "contains": packed(np.packbits(contains, axis=1, bitorder="little"))}


def _title(data: OfflineDataset, game: Game | None, path: str) -> str:
    if game is not None and data.meta.get("quality"):
        return f"{game.name} · {data.meta['quality']}"
    return path.rstrip("/").rpartition("/")[2] or path


def _pictures(data: OfflineDataset, game: Game | None, tables: Sequence[StateTable],
              ) -> tuple[list[int | None], dict[str, Any] | None]:
    """Numbers of the pictures of the tables' states, and the pictures; none where the rules are not known."""
    which = np.array([table.episode for table in tables])
    states: IntArray | None = None
    if game is not None and game.pure and (data.no_next is None or not data.no_next[which].any()):
        states = story(game, data.state[which], data.actions[which], data.steps[which].sum(1))
    if game is None or states is None:
        return [None] * len(tables), None
    drawings = Drawings(game)
    return [drawings.add(own[table.time]) for own, table in zip(states, tables, strict=True)], drawings.content


def _state(table: StateTable, picture: int | None) -> dict[str, Any]:
    n, shown = len(table.counts), min(len(table.counts), JOINT)
    agents, actions = table.marginals.shape
    content: dict[str, Any] = {
        "picture": picture, "seen": [float(f"{value:.6g}") for value in table.seen.tolist()], "time": table.time,
        "episode": table.episode, "visits": table.visits, "distinct": n, "never": table.never,
        "mismatch": table.mismatch, "exact": table.exact, "harmed": table.harmed,
        "greedy": table.greedy.tolist(), "greedyCount": table.greedy_count, "greedyReward": table.greedy_reward,
        "greedyToGo": table.greedy_to_go, "toGo": table.to_go_recorded, "reward": table.reward_recorded,
        "rewardDrawn": table.reward_drawn, "marginals": table.marginals.round(5).tolist(),
        "joint": [{"actions": table.joint[k].tolist(), "count": int(table.counts[k]), "reward": float(table.reward[k]),
                   "toGo": float(table.to_go[k]), "drawn": float(table.drawn[k]),
                   "optimal": None if table.optimal is None else bool(table.optimal[k])} for k in range(shown)],
        "rest": {"kinds": n - shown, "count": int(table.counts[shown:].sum()),
                 "drawn": float(table.drawn[shown:].sum())}}
    if agents == 2 and actions <= MATRIX:
        matrix = np.zeros((actions, actions), dtype=np.int64)
        matrix[tuple(table.joint.T)] = table.counts
        content["matrix"] = matrix.tolist()
    return content


def _coverage(data: OfflineDataset, imitation: Imitation) -> list[list[str]]:
    n_agents, n_actions = data.actions.shape[2], data.avail_actions.shape[3]
    used = len(np.unique(data.actions[data.steps], axis=0))
    return [["Different states", f"{imitation.n_states:,}"],
            ["Steps per state, median", f"{np.median(imitation.visits):,.0f}"],
            ["States seen once", f"{int((imitation.visits == 1).sum()):,}"],
            ["Pairs of state and joint action", f"{imitation.n_pairs:,}"],
            ["Joint actions used", f"{used:,}"],
            ["Joint actions possible", _large(n_agents, n_actions)]]


def _large(n_agents: int, n_actions: int) -> str:
    total = n_actions ** n_agents
    return f"{total:,}" if total < 10**7 else f"{n_actions}^{n_agents}, about {float(total):.1e}"


def _shares(data: OfflineDataset) -> list[list[float]]:
    """Share of each agent's actions over all steps, ``[N, A]``."""
    joint, n_actions = data.actions[data.steps], data.avail_actions.shape[3]
    counts: Sequence[Any] = [np.bincount(own, minlength=n_actions) / len(joint) for own in joint.T]
    return [share.round(5).tolist() for share in counts]
