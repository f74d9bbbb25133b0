"""Pairs of people that cooked together (Carroll et al., 2019), as a data set of our Overcooked.

Every recorded step is played anew by our rules, and must lead where it led then.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..envs.game import IntArray
from ..envs.overcooked import COOKED, DISH, FULL, INTERACT, ONION, SOUP, STAY, Overcooked
from ..errors import UserError, clipped
from .dataset import OfflineDataset
from .human_trials import literal, read_trials

#: what the files call the layouts
NAMES = {"random0": "forced_coordination", "random3": "counter_circuit"}
FACING = {(0, -1): 0, (0, 1): 1, (1, 0): 2, (-1, 0): 3}
ACTIONS: dict[Any, int] = {**FACING, (0, 0): STAY, "INTERACT": INTERACT}
THINGS = {"onion": ONION, "dish": DISH, "soup": SOUP}


def encode(game: Overcooked, told: Any, time: int) -> IntArray:
    """A state ``[K]`` of the game, from what a file tells of it.

    Raises:
        KeyError, IndexError, TypeError, ValueError, AttributeError: it tells of something that the game does not have.
    """
    state: IntArray = game.initial(1, np.random.default_rng(0))[0]
    state[0] = time
    floor, pots, counters = game.floor.tolist(), game.pots.tolist(), game.counters.tolist()
    if len(told["players"]) != game.n_agents:
        raise ValueError(f"{len(told['players'])} players")
    for agent, player in enumerate(told["players"]):
        cell = _cell(game, player["position"])
        if cell not in floor:
            raise ValueError(f"somebody at {player['position']}")
        held = THINGS[player["held_object"]["name"]] if player.get("held_object") else 0
        state[1 + 3 * agent:4 + 3 * agent] = cell, FACING[tuple(player["orientation"])], held
    for thing in told["objects"].values():
        cell = _cell(game, thing["position"])
        if cell in pots:
            _, onions, cooked = thing["state"]
            if onions not in range(FULL + 1) or not cooked >= 0:
                raise ValueError(f"a pot in the state {thing['state']}")
            first = 7 + 2 * pots.index(cell)
            state[first:first + 2] = onions, min(int(cooked), COOKED) if onions == FULL else 0
        else:
            state[7 + 2 * len(pots) + counters.index(cell)] = THINGS[thing["name"]]
    return state


def _cell(game: Overcooked, position: Any) -> int:
    """The cell of a place ``(x, y)`` within the kitchen."""
    x, y = position
    if x not in range(game.width) or y not in range(len(game.terrain) // game.width):
        raise ValueError(f"the place {position}")
    return int(y) * game.width + int(x)


def human_pairs(path: Path, game: Overcooked) -> OfflineDataset:
    """What pairs did in the game's layout, in episodes of at most its T steps; behaviours are the pairs.

    A long trial becomes several episodes, all cut off, of which only the first starts where the game starts.

    Args:
        path: ``clean_train_trials.pickle`` or ``clean_test_trials.pickle`` of the package ``overcooked-ai``.
        game: the game, whose layout decides what is taken.

    Raises:
        UserError: the file is no such table, has no trial in the layout, or tells of steps that the rules do not allow.
    """
    table = read_trials(path)
    layouts = np.array([NAMES.get(str(name), str(name)) for name in table["layout_name"]])
    here = layouts == game.layout
    if not here.any():
        others = ", ".join(sorted(set(layouts.tolist())))
        raise UserError(f"{path} has no trial in {game.layout}, only in {clipped(others)}.")
    table |= {name: _whole(table[name], path) for name in ("workerid_num", "cur_gameloop")}
    pairs = sorted(set(table["workerid_num"][here].tolist()))
    limit, episodes, who = game.episode_limit, [], []
    for number, pair in enumerate(pairs):
        rows = np.flatnonzero(here & (table["workerid_num"] == pair))
        rows = rows[np.argsort(table["cur_gameloop"][rows], kind="stable")]
        gaps = np.flatnonzero(np.diff(table["cur_gameloop"][rows]) != 1) + 1
        for trial in np.split(rows, gaps):
            states, actions = _trial(table, trial, game, path)
            for first in range(0, len(actions), limit):
                episodes.append((states[first:first + limit + 1], actions[first:first + limit]))
                who.append(number)
    meta = {"spec": game.spec(), "quality": "human", "behaviours": [f"pair {pair}" for pair in pairs],
            "version": __version__, "rules": game.rules(), "file": path.name}
    return _dataset(episodes, np.array(who, dtype=np.int64), game, meta, str(path))


def _whole(column: NDArray[Any], path: Path) -> IntArray:
    """The numbers ``[rows]`` of a column.

    Raises:
        UserError: they are not whole.
    """
    try:
        numbers = column.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        numbers = np.full(1, np.nan)
    if not (np.isfinite(numbers) & (numbers == np.round(numbers)) & (abs(numbers) < 2**53)).all():
        raise UserError(f"{path} numbers its pairs or steps by something else than whole numbers.")
    return numbers.astype(np.int64)


def _trial(table: dict[str, Any], rows: IntArray, game: Overcooked, path: Path) -> tuple[IntArray, IntArray]:
    """The states ``[L + 1, K]`` and joint actions ``[L, N]`` of a trial, played anew."""
    try:
        told = [encode(game, literal(table["state"][row], path), 0) for row in rows]
        told.append(encode(game, literal(table["next_state"][rows[-1]], path), 0))
        actions = np.array([[ACTIONS[each if isinstance(each, str) else tuple(each)]
                             for each in literal(table["joint_action"][row], path)] for row in rows])
        if actions.shape != (len(rows), game.n_agents):
            raise ValueError(f"{actions.shape[-1]} actions in a step")
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UserError(f"{path} tells of something that {game.layout} does not have ({clipped(error)}).") from None
    states = np.stack(told)
    led = game.transition(states[:-1], actions, np.random.default_rng(0)).state
    wrong = np.flatnonzero((led[:, 1:] != states[1:, 1:]).any(1))
    if len(wrong):
        raise UserError(f"{path}: {len(wrong)} of {len(rows)} steps of a trial in {game.layout}, first number "
                        f"{int(wrong[0])}, do not lead where the rules lead; it was recorded under other rules.")
    return states, actions


def _dataset(episodes: list[tuple[IntArray, IntArray]], who: IntArray, game: Overcooked, meta: dict[str, Any],
             source: str) -> OfflineDataset:
    count, limit = len(episodes), game.episode_limit
    state = np.zeros((count, limit + 1, game.state_dim), dtype=np.float32)
    actions = np.zeros((count, limit + 1, game.n_agents), dtype=np.int64)
    reward, filled = np.zeros((count, limit + 1), dtype=np.float32), np.zeros((count, limit + 1), dtype=np.bool_)
    for e, (states, done) in enumerate(episodes):
        length = len(done)
        state[e, :length + 1], actions[e, :length] = game.global_state(states), done
        reward[e, :length] = game.transition(states[:-1], done, np.random.default_rng(0)).reward
        filled[e, :length + 1] = True
    available = np.ones((*actions.shape, game.n_actions), dtype=np.bool_)
    return OfflineDataset(state, actions, available, reward, np.zeros_like(filled), filled, who, meta, source=source)
