"""What has changed since data and rows were made is noticed: arguments, files, wrapped environments, behaviours."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from epymarl_cpa.config import resolve
from epymarl_cpa.data.behaviours import REGISTRY as BEHAVIOURS
from epymarl_cpa.data.generate import cache_file, recipe_digest
from epymarl_cpa.envs import REGISTRY, Game, make_game
from epymarl_cpa.envs.game import IntArray, Step
from epymarl_cpa.experiments.sweeps.grid import RunSpec
from epymarl_cpa.experiments.sweeps.validity import unfit

RECIPE = {"episodes": 3, "mixture": {"random": 1.0}}


class Board(Game):
    """One step; the arguments are a list, a table, and one that is kept under another name."""

    name = "stale_board"
    n_agents, n_actions, state_dim, episode_limit, action_names = 2, 2, 1, 1, ("0", "1")

    def __init__(self, prizes: list[int] | None = None, table: dict[str, int] | None = None, pay: float = 1.0) -> None:
        self.prizes, self._table, self._pay = prizes, table, pay

    def initial(self, batch: int, rng: np.random.Generator) -> IntArray:
        return np.zeros((batch, 1), dtype=np.int64)

    def transition(self, state: IntArray, actions: IntArray, rng: np.random.Generator) -> Step:
        return Step(state + 1, np.full(len(state), self._pay), np.ones(len(state), np.bool_), {})

    def global_state(self, state: IntArray) -> NDArray[np.float32]:
        return state.astype(np.float32)

    def draw(self, state: IntArray) -> str:
        return ""


def test_every_argument_of_a_game_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(REGISTRY._entries, "stale_board", Board)
    choices: list[dict[str, Any]] = [{}, {"prizes": [1, 2]}, {"prizes": [1, 3]}, {"table": {"a": 1}}, {"pay": 2.0}]
    games = [make_game("stale_board", **choice) for choice in choices]
    assert len({cache_file(game, RECIPE, 0, "random", tmp_path) for game in games}) == len(choices)
    assert games[1].spec()["prizes"] == [1, 2] and games[0].spec()["pay"] == 1.0 and games[4].spec()["pay"] == 2.0
    assert all(json.loads(json.dumps(game.spec())) == game.spec() for game in games)


GAME = '''
import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv
class Game(ParallelEnv):
    metadata = {"name": "mine_v0"}
    possible_agents, max_cycles = ["x", "y"], 1
    def __init__(self, level=""): pass
    def action_space(self, a): return spaces.Discrete(2)
    def observation_space(self, a): return spaces.Box(0, 1, (1,))
    def reset(self, seed=None, options=None):
        self.agents = ["x", "y"]
        return {a: np.zeros(1, np.float32) for a in "xy"}, {a: {} for a in "xy"}
'''
OUTER = '''
import importlib
from gymnasium import spaces
from pettingzoo import ParallelEnv
class Outer(ParallelEnv):
    metadata, possible_agents, max_cycles = {"name": "outer_v0"}, ["x", "y"], 1
    def __init__(self): self.base_game = importlib.import_module("stale_game").Game()
    def action_space(self, a): return self.base_game.action_space(a)
    def observation_space(self, a): return self.base_game.observation_space(a)
    def reset(self, seed=None, options=None):
        self.agents = ["x", "y"]
        return self.base_game.reset(seed)
'''


def rules(folder: Path, monkeypatch: pytest.MonkeyPatch, key: str, game: str = GAME, **kwargs: Any) -> str:
    (folder / "stale_game.py").write_text(game)
    (folder / "stale_outer.py").write_text(OUTER)
    for name in ("stale_game", "stale_outer"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    importlib.invalidate_caches()
    return make_game("pettingzoo", key=key, kwargs=kwargs).rules()


def test_files_that_arguments_name_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    level = tmp_path / "level.txt"
    level.write_text("one")
    before = rules(tmp_path, monkeypatch, "stale_game:Game", level=str(level))
    assert rules(tmp_path, monkeypatch, "stale_game:Game", level=str(level)) == before
    level.write_text("two")
    assert rules(tmp_path, monkeypatch, "stale_game:Game", level=str(level)) != before
    plain = rules(tmp_path, monkeypatch, "stale_game:Game")
    assert rules(tmp_path, monkeypatch, "stale_game:Game", level="no file " * 99) == plain


def test_what_is_wrapped_under_any_name_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    before = rules(tmp_path, monkeypatch, "stale_outer:Outer")
    edited = GAME.replace("spaces.Discrete(2)", "spaces.Discrete(3)")
    assert rules(tmp_path, monkeypatch, "stale_outer:Outer", edited) != before


def test_rows_of_data_by_edited_behaviours_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("dataset=poor", "seed=3")
    config = resolve("bc", "xor", words)
    spec = RunSpec("bc", "xor", words, config)
    made = recipe_digest(make_game("xor"), config["recipes"]["poor"], 3, "poor")
    row = {"made_by": {"recipe": made}}
    assert unfit(spec, row) == "" and unfit(spec, {"made_by": {}}) == ""
    assert unfit(spec, {"made_by": {"recipe": "0123456789ab"}}) == \
        "made with data of other behaviours than those in 'poor' now"
    shares = dict.fromkeys(config["recipes"]["poor"]["mixture"])
    monkeypatch.setitem(BEHAVIOURS._entries, next(iter(shares)), Board)
    assert recipe_digest(make_game("xor"), config["recipes"]["poor"], 3, "poor") != made
