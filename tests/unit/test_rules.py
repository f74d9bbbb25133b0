"""Digests of games' rules: what changes them, and what does not."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pettingzoo  # type: ignore[import-untyped]
import pytest
from helpers import ENV_FILES, EXTERNAL_ENVS, OUR_GAMES, needing_its_package

from epymarl_cpa.data import OfflineDataset
from epymarl_cpa.data.behaviours import REGISTRY as BEHAVIOURS
from epymarl_cpa.data.generate import cache_file, generate
from epymarl_cpa.data.validate import foreign_rules
from epymarl_cpa.envs import Game, make_game
from epymarl_cpa.envs.rules import Rules, rules_of_class
from epymarl_cpa.envs.xor import Xor

GAME = '''
"""A game of two."""
import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv
from BASE import Base

class Game(Base):
    metadata = {"name": "mine_v0"}
    possible_agents, max_cycles = ["x", "y"], 1
    def action_space(self, a): return spaces.Discrete(2)
    def observation_space(self, a): return spaces.Box(0, 1, (1,))
    def reset(self, seed=None, options=None):
        self.agents = ["x", "y"]
        return {a: np.zeros(1, np.float32) for a in "xy"}, {a: {} for a in "xy"}
    def step(self, acts):
        pay = self.pay(acts)
        self.agents = []
        return ({a: np.zeros(1, np.float32) for a in "xy"}, dict.fromkeys("xy", pay), dict.fromkeys("xy", True),
                dict.fromkeys("xy", False), {a: {} for a in "xy"})
    def render(self):
        return 1
'''
BASE = '''
from pettingzoo import ParallelEnv
from PAY import pay as how

class Base(ParallelEnv):
    def pay(self, acts):
        return how(acts)
'''
PAY = "def pay(acts):\n    return float(acts['x'] != acts['y'])\n"
MAKER = "from GAME import Game\n\ndef wrapped(**kwargs):\n    return Game(**kwargs)\n"

Digest = Callable[..., str]


@pytest.fixture
def digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Digest:
    """The digest of a game of four modules, of which some are edited, in a package or beside one another."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def of(key: str = "mine_game:Game", inside: bool = False, **edited: str) -> str:
        contents = {"mine_game": GAME, "mine_base": BASE, "mine_pay": PAY, "mine_maker": MAKER,
                    "mine_other": "WORD = 1\n", **edited}
        folder = tmp_path / "mine_pkg" if inside else tmp_path
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").write_text("")
        for name, content in contents.items():
            for word in ("GAME", "BASE", "PAY"):
                content = content.replace(f"from {word}", f"from {'.' if inside else ''}mine_{word.lower()}")
            (folder / f"{name}.py").write_text(content)
        for name in [name for name in sys.modules if name.startswith("mine_")]:
            monkeypatch.delitem(sys.modules, name)
        importlib.invalidate_caches()
        return make_game("pettingzoo", key=f"mine_pkg.{key}" if inside else key).rules()

    return of


@pytest.mark.parametrize("inside", [False, True])
def test_an_edit_of_any_file_of_the_game_counts(digest: Digest, inside: bool) -> None:
    for key in ("mine_game:Game", "mine_maker:wrapped"):
        before = digest(key, inside)
        assert len(before) == 12 and int(before, 16) >= 0 and digest(key, inside) == before
        edits = [{"mine_game": GAME.replace("spaces.Discrete(2)", "spaces.Discrete(3)")},
                 {"mine_base": BASE.replace("how(acts)", "2 * how(acts)")}, {"mine_pay": PAY.replace("!=", "==")}]
        assert len({before, *(digest(key, inside, **edit) for edit in edits)}) == 4


def test_an_edit_that_decides_nothing_does_not_count(digest: Digest) -> None:
    before = digest()
    for edit in ({"mine_game": GAME.replace("A game of two", "Another word")},
                 {"mine_game": GAME.replace("        pay = ", "        # why\n\n        pay = ")},
                 {"mine_game": GAME.replace("return 1", "return 'a picture'")},
                 {"mine_pay": PAY.replace("(acts):\n", "(acts):\n    '''What is paid.'''\n")},
                 {"mine_other": "WORD = 2\n"}, {"mine_maker": MAKER + "WORD = 3\n"}):
        assert digest(**edit) == before, edit


def test_a_factory_counts_as_well(digest: Digest) -> None:
    key = "mine_maker:wrapped"
    edited = MAKER.replace("**kwargs):", "**kwargs):\n    kwargs = {}")
    assert len({digest(), digest(key), digest(key, mine_maker=edited)}) == 3


def test_entry_points_of_registries_are_followed(digest: Digest, monkeypatch: pytest.MonkeyPatch) -> None:
    own = digest("mine_maker:wrapped")
    registry = getattr(pettingzoo, "parallel_registry", None)
    if registry is None:
        pytest.skip("PettingZoo before 1.27 has no registry")
    pettingzoo.register("parallel", "mine/game-v0", "mine_maker:wrapped")
    try:
        assert make_game("pettingzoo", key="mine/game-v0").rules() == own
    finally:
        del registry["mine/game-v0"]


def test_gymnasium_games_of_ones_own() -> None:
    key = importlib.import_module("test_external").GYM
    game = make_game("gymma", key=key, time_limit=3)
    assert game.origin().known_by == ("test_external",)
    assert make_game("gymma", key="cpa-test/Limited-v0").rules() == game.rules()


#: whose versions are the rules, where no key begins with the package
PACKAGES = {"hanabi": ["Shimmy", "open-spiel", "pettingzoo"], "vmas": ["vmas"]}


@pytest.mark.parametrize("env", [*map(needing_its_package, EXTERNAL_ENVS)])
def test_installed_packages_are_known_by_their_versions(env: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = ENV_FILES[env]
    game = make_game(content["env"], **content["env_args"])
    packages = PACKAGES.get(env) or re.split("[.:]", content["env_args"]["key"])[:1]
    assert game.origin().known_by == tuple(f"{package} {version(package)}" for package in packages)
    monkeypatch.setattr("epymarl_cpa.envs.rules.version", lambda name: "9.9.9")
    assert make_game(content["env"], **content["env_args"]).rules() != game.rules()


def test_our_games_come_back_through_their_adapters_as_they_are() -> None:
    for name, args in OUR_GAMES:
        own, key = make_game(name, **args), f"epymarl_cpa.envs:cpa/{name.title().replace('_', '')}-v0"
        assert make_game("gymma", key=key, kwargs=args).rules() == own.rules()
        assert any(module in (f"epymarl_cpa.envs.{name}", f"epymarl_cpa.envs.{name}.game")
                   for module in own.origin().known_by)
    assert len({make_game(name, **args).rules() for name, args in OUR_GAMES}) == len(OUR_GAMES)


def test_what_has_no_source_is_known_by_its_name_and_says_so() -> None:
    scope: dict[str, Any] = {"__name__": "nowhere_to_be_found", "Xor": Xor}
    exec("class Odd:\n    pass", scope)
    known = rules_of_class(scope["Odd"], Game)
    assert known.known_by == ("the name of nowhere_to_be_found.Odd",) and len(known.digest) == 12


def test_a_subclass_is_known_by_the_files_of_both() -> None:
    class Other(Xor):
        pass

    assert rules_of_class(Other, Game).known_by == ("epymarl_cpa.envs.xor", __name__)


def test_digests_do_not_depend_on_the_folder(tmp_path: Path) -> None:
    code = "from epymarl_cpa.envs import make_game; print(make_game('sensor').rules())"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == make_game("sensor").rules()


def test_an_edited_behaviour_gives_new_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    game, recipe = make_game("xor"), {"episodes": 5, "mixture": {"random": 1.0}}
    path = cache_file(game, recipe, 0, "mine", tmp_path)
    mine = tmp_path / "mine_behaviours.py"
    mine.write_text("def make(game, episodes, rng):\n    return lambda state, episode, rng: 0 * state\n")
    monkeypatch.syspath_prepend(tmp_path)
    for text in (mine.read_text(), mine.read_text().replace("0 *", "1 *")):
        mine.write_text(text)
        module = importlib.reload(importlib.import_module("mine_behaviours"))
        monkeypatch.setitem(BEHAVIOURS._entries, "random", module.make)
        assert cache_file(game, recipe, 0, "mine", tmp_path) != path
        path = cache_file(game, recipe, 0, "mine", tmp_path)


def test_edited_rules_give_new_data_and_old_files_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    game, recipe = make_game("xor"), {"episodes": 5, "mixture": {"random": 1.0}}
    data, path = generate(game, recipe, 0), cache_file(game, recipe, 0, "mine", tmp_path)
    assert foreign_rules(data, game) == "" and data.meta["rules"] == game.rules()
    monkeypatch.setattr(Xor, "origin", lambda self: Rules("0123456789ab", ("my_game",)))
    assert cache_file(game, recipe, 0, "mine", tmp_path) != path
    told = foreign_rules(data, game)
    assert told.startswith(data.source) and f"digest {data.meta['rules']}, now 0123456789ab of my_game" in told
    assert told.endswith(".") and "\n" not in told
    for meta in ({}, {"rules": None}, {"merged": "x"}, {"merged": [{"rules": "0123456789ab"}, 3]}):
        assert foreign_rules(OfflineDataset(**data.arrays, meta={**meta, "behaviours": ["random"]}), game) == ""
    merged = OfflineDataset(**data.arrays, meta={"behaviours": ["random"], "merged": [{"rules": "other"}]})
    assert "digest other" in foreign_rules(merged, game)
    inner = [{"merged": [{"rules": "other"}]}]
    nested = OfflineDataset(**data.arrays, meta={"behaviours": ["random"], "merged": inner})
    assert "digest other" in foreign_rules(nested, game)
