"""Overcooked's rules, and the trials of people, which are read without running anything in the file."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from epymarl_cpa.data.__main__ import main
from epymarl_cpa.data.dataset import OfflineDataset
from epymarl_cpa.data.overcooked import encode, human_pairs
from epymarl_cpa.envs import make_game
from epymarl_cpa.envs.game import IntArray
from epymarl_cpa.envs.overcooked import LAYOUTS, Overcooked
from epymarl_cpa.errors import UserError

NORTH, SOUTH, EAST, WEST, STAY, TAKE = range(6)
STEPS = ([0, -1], [0, 1], [1, 0], [-1, 0], [0, 0], "INTERACT")
THINGS = ("", "onion", "dish", "soup")


def kitchen(layout: str = "cramped_room", limit: int = 400) -> Overcooked:
    game = make_game("overcooked", layout=layout, episode_limit=limit)
    assert isinstance(game, Overcooked)
    return game


def played(game: Overcooked, actions: list[tuple[int, int]]) -> tuple[IntArray, float]:
    """The states ``[L + 1, K]`` from the start on, and the return."""
    rng = np.random.default_rng(0)
    states, total = [game.initial(1, rng)], 0.0
    for pair in actions:
        step = game.transition(states[-1], np.array([pair]), rng)
        states.append(step.state)
        total += float(step.reward[0])
    return np.concatenate(states), total


def test_a_soup_is_cooked_and_served() -> None:
    onions = 3 * [EAST, TAKE, WEST, NORTH, TAKE]  # the second cook's, from beside the pot and back
    first = [*zip([SOUTH, TAKE, *13 * [STAY]], onions, strict=True), (EAST, EAST), (NORTH, STAY)]
    states, total = played(kitchen(), first)
    assert total == 0 and states[-1][7:9].tolist() == [3, 3], "a full pot cooks by itself, from the very step on"
    assert states[-1][[3, 6]].tolist() == [2, 0], "one has a dish, the other nothing"
    waiting = [*first, *16 * [(STAY, STAY)]]
    states, _ = played(kitchen(), [*waiting, (TAKE, STAY)])
    assert states[-1][3] == 2 and states[-1][7:9].tolist() == [3, 20], "not before it is done"
    serving = [*waiting, (STAY, STAY), *((action, STAY) for action in (TAKE, SOUTH, EAST, SOUTH, TAKE))]
    states, total = played(kitchen(), serving)
    assert total == 20 and states[-1][[3, 6, 7, 8]].tolist() == [0, 0, 0, 0]


def test_cooks_that_would_meet_stay_and_things_lie_on_counters() -> None:
    game = kitchen()
    states, _ = played(game, [(EAST, SOUTH), (EAST, WEST)])
    assert states[-1][[1, 4]].tolist() == states[-2][[1, 4]].tolist() == [12, 13], "both wanted to change places"
    states, _ = played(game, [(EAST, STAY), (EAST, SOUTH)])
    assert states[-1][[1, 4]].tolist() == states[-2][[1, 4]].tolist(), "both wanted the same cell"
    onion = [(STAY, EAST), (STAY, TAKE), (STAY, NORTH), (STAY, TAKE)]
    states, _ = played(game, onion)
    counter = 9 + game.counters.tolist().index(3)
    assert states[-1][[6, counter]].tolist() == [0, 1], "put down"
    states, _ = played(game, [*onion, (STAY, TAKE)])
    assert states[-1][[6, counter]].tolist() == [1, 0], "and taken again"


def told(game: Overcooked, state: IntArray) -> dict[str, Any]:
    """A state as the files of trials tell it."""
    def at(cell: int) -> list[int]:
        return [cell % game.width, cell // game.width]

    players = []
    for agent in (0, 1):
        cell, facing, held = state[1 + 3 * agent:4 + 3 * agent].tolist()
        player = {"position": at(cell), "orientation": STEPS[facing]}
        players.append(player | ({"held_object": {"name": THINGS[held], "position": at(cell)}} if held else {}))
    objects = {}
    pots = state[7:7 + 2 * len(game.pots)].reshape(-1, 2).tolist()
    for cell, (onions, time) in zip(game.pots.tolist(), pots, strict=True):
        if onions:
            objects[f"{cell}"] = {"name": "soup", "position": at(cell), "state": ["onion", onions, time]}
    for cell, thing in zip(game.counters.tolist(), state[7 + 2 * len(game.pots):].tolist(), strict=True):
        if thing:
            objects[f"{cell}"] = {"name": THINGS[thing], "position": at(cell)}
    return {"players": players, "objects": objects}


class Named:
    """Pickled as an object of pandas with the state that it is given."""

    kind = ("", "")

    def __init__(self, state: Any) -> None:
        self.state = state

    def __reduce__(self) -> Any:
        return _made, (type(self),), self.state


def _made(cls: type) -> Any:
    return cls.__new__(cls)


_made.__name__ = "__newobj__"  # so that it is pickled as pandas' own objects are


class Frame(Named):
    kind = ("pandas.core.frame", "DataFrame")


class Manager(Named):
    kind = ("pandas.core.internals.managers", "BlockManager")


class Index(Named):
    kind = ("pandas.core.indexes.base", "Index")


class Pickler(pickle._Pickler):  # type: ignore[name-defined]
    """Writes the names above instead of those of the test."""

    dispatch: ClassVar[dict[Any, Any]] = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

    def save_type(self, obj: Any) -> None:
        if issubclass(obj, Named):
            self.write(b"c" + "\n".join(obj.kind).encode() + b"\n")
            self.memoize(obj)
        else:
            pickle._Pickler.save_type(self, obj)  # type: ignore[attr-defined]

    dispatch[type] = save_type


def write_trials(path: Path, game: Overcooked, trials: list[tuple[IntArray, IntArray]], layout: str,
                 said: Callable[[Any], str] = str) -> None:
    """A file with trials of pairs 5, 6, ... in a layout; ``said`` writes states and actions."""
    rows = [(layout, pair, t, said(told(game, states[t])), said([STEPS[a] for a in actions[t]]),
             said(told(game, states[t + 1])), 0.0)
            for pair, (states, actions) in enumerate(trials, 5) for t in range(len(actions))]
    names = ["layout_name", "workerid_num", "cur_gameloop", "state", "joint_action", "next_state", "reward"]
    columns = np.empty((len(names), len(rows)), dtype=object)
    for i, row in enumerate(zip(*rows, strict=True)):
        columns[i] = row
    index = Index({"data": np.array(names, dtype=object), "name": None})
    frame = Frame({"_data": Manager(([index, index], [columns], [index], {})), "_typ": "dataframe", "_metadata": []})
    with open(path, "wb") as file:
        Pickler(file, 3).dump(frame)


def trials(game: Overcooked, count: int, length: int) -> list[tuple[IntArray, IntArray]]:
    rng = np.random.default_rng(3)
    found = []
    for _ in range(count):
        actions = rng.choice(6, p=[0.15, 0.15, 0.15, 0.15, 0.1, 0.3], size=(length, 2))
        found.append((played(game, [tuple(pair) for pair in actions.tolist()])[0], actions))
    return found


@pytest.mark.parametrize(("layout", "name"), [*((layout, layout) for layout in list(LAYOUTS)[:3]),
                                              ("forced_coordination", "random0"), ("counter_circuit", "random3")])
def test_trials_come_back_as_they_were_played(tmp_path: Path, layout: str, name: str) -> None:
    game = kitchen(layout, 100)
    given = trials(kitchen(layout, 1000), 2, 250)
    for state in given[0][0][::20]:
        np.testing.assert_array_equal(encode(game, told(game, state), int(state[0])), state)
    write_trials(tmp_path / "t.pickle", game, given, name)
    assert main(["people", str(tmp_path / "t.pickle"), f"--out={tmp_path / 'x.npz'}", f"env_args.layout={layout}",
                 "env_args.episode_limit=100"]) == 0
    data = OfflineDataset.load(tmp_path / "x.npz")
    assert data.meta["behaviours"] == ["pair 5", "pair 6"] and data.behaviour.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.steps.sum(1).tolist() == [100, 100, 50] * 2 and not data.terminated.any()
    np.testing.assert_array_equal(data.actions[1, :100], given[0][1][100:200])
    np.testing.assert_array_equal(data.state[2, :51], game.global_state(given[0][0][200:]))


def test_trials_of_other_rules_are_refused(tmp_path: Path) -> None:
    game = kitchen()
    (states, actions), *_ = trials(game, 1, 30)
    write_trials(tmp_path / "t.pickle", game, [(states, np.full_like(actions, STAY))], "cramped_room")
    with pytest.raises(UserError, match="do not lead where the rules lead; it was recorded under other rules"):
        human_pairs(tmp_path / "t.pickle", game)
    with pytest.raises(UserError, match="has no trial in counter_circuit, only in cramped_room"):
        human_pairs(tmp_path / "t.pickle", kitchen("counter_circuit"))


@pytest.mark.parametrize(("old", "new"), [
    ("'position': [1, 2]", "'position': [9, 1]"), ("'position': [1, 2]", "'position': [0, 0]"),
    ("'position': [1, 2]", "'position': [1.5, 1]"), ("'position': [1, 2]", "'position': 1"),
    ("'orientation': [0, -1]", "'orientation': [0, 0]"), ("'players': [", "'players': [{}, "),
    ("'players'", "'player_'"), ("'objects': {}", "'objects': []"),
    ("'objects': {}", "'objects': {1: {'position': []}}"),
    ("'objects': {}", "'objects': {1: {'position': [2, 0], 'state': [0, 4, 0]}}"), ("[[0, 0]", "[[5, 0]"),
    ("[[0, 0], ", "[[0, 0], [0, 0], "), ("[[0, 0], ", "[0, "), ("{", ""),
    ("{", "{\n\x00")])
def test_a_changed_word_of_a_trial_is_told_in_a_sentence(tmp_path: Path, old: str, new: str) -> None:
    game = kitchen()
    steps = [(STAY, 0)] * 5
    whole = "".join(str(told(game, state)) for state in played(game, steps)[0]) + str([STEPS[a] for a in steps[0]])
    assert old in whole
    write_trials(tmp_path / "t.pickle", game, [(played(game, steps)[0], np.array(steps))], "cramped_room",
                 lambda value: str(value).replace(old, new))
    with pytest.raises(UserError, match=r"t\.pickle (tells of something that|holds ')") as told_of:
        human_pairs(tmp_path / "t.pickle", game)
    assert "\n" not in str(told_of.value) and len(str(told_of.value)) < 400


class Evil:
    def __reduce__(self) -> Any:
        return os.system, ("touch ran",)


def test_nothing_in_a_file_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("evil.pickle").write_bytes(pickle.dumps([Evil()]))
    with pytest.raises(UserError, match=r"evil\.pickle is refused: it names \w+\.system, which a table of trials"):
        human_pairs(Path("evil.pickle"), kitchen())
    assert not Path("ran").exists()
    Path("cut.pickle").write_bytes(pickle.dumps([1, 2, 3])[:-3])
    for name, said in (("cut", "is damaged or no pickled table"), ("none", "cannot be read")):
        with pytest.raises(UserError, match=said):
            human_pairs(Path(f"{name}.pickle"), kitchen())
    Path("list.pickle").write_bytes(pickle.dumps([1]))
    with pytest.raises(UserError, match="is no table of trials with the columns layout_name"):
        human_pairs(Path("list.pickle"), kitchen())


def test_lists_that_hold_themselves_many_times_are_not_told(tmp_path: Path) -> None:
    """A few hundred bytes that would be a text of 2^60 letters."""
    many: list[Any] = []
    for _ in range(60):
        many = [many, many]
    game = kitchen()
    write_trials(tmp_path / "t.pickle", game, trials(game, 1, 3), "cramped_room", lambda value: many)
    with pytest.raises(UserError, match=r"t\.pickle holds list where a plain value in words should be"):
        human_pairs(tmp_path / "t.pickle", game)


def test_layouts_are_named() -> None:
    with pytest.raises(UserError, match=r"env_args\.layout of overcooked must be one of cramped_room, "):
        make_game("overcooked", layout="kitchen")
