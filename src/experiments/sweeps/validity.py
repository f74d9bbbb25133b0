"""Which rows count for a run of a grid."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from ...build import build_game
from ...data.formats import load
from ...data.generate import recipe_digest
from ...envs import Game
from ...errors import UserError
from ...provenance import code_digest
from ...utils.files import named_path
from ..rows.origin import MADE_BY, STACKING
from ..rows.reading import Row
from .grid import RunSpec


def code_now(spec: RunSpec) -> str:
    """Digest of the code that would do a run now."""
    return code_digest(spec.config, STACKING if spec.stack else ())


def unfit(spec: RunSpec, row: Row) -> str:
    """Why a row does not count for a run: what can be said after "it was"; empty if it counts.

    The code that made it is no reason: its row is kept, and told to be of other code.
    """
    made_with = row.get(MADE_BY, {}).get("rules")
    config = spec.config
    where = config["env"], json.dumps(config["env_args"], sort_keys=True), config["reward_scalarisation"]
    now = _rules_now(*where) if made_with else ""
    if made_with and now and made_with != now:
        return f"made with other rules of {config['env']}"
    recipe = row.get(MADE_BY, {}).get("recipe")
    if recipe and config["dataset"] in config["recipes"]:
        name = config["dataset"]
        seed = row.get("seed", config["seed"])  # rows of a stack are of other seeds than its first run
        played = _recipe_now(*where, json.dumps(config["recipes"][name]), seed, name)
        if played and played != recipe:
            return f"made with data of other behaviours than those in '{name}' now"
    data = row.get(MADE_BY, {}).get("data")
    if data and (other := _data_now(spec.config["dataset"], tuple(spec.config["recipes"]))) and other != data:
        return f"made with other data than those in {spec.config['dataset']} now"
    stopped = row.get("stopped")
    if stopped and stopped["by"] not in spec.config.get("observers", []):
        return f"ended early by '{stopped['by']}', which is not among this grid's observers"
    return ""


def _data_now(dataset: str, recipes: tuple[str, ...]) -> str:
    """Digest of the present data in a file or folder; empty for a recipe's data, and where there are none to read."""
    path = named_path(dataset)
    if dataset in recipes or not path.exists():
        return ""
    return _digest(path, max(_changed(file) for file in (path, *path.rglob("*"))))


def _changed(file: Path) -> int:
    """When a file was changed last; 0 if it is gone by now."""
    try:
        return file.lstat().st_mtime_ns  # of a link itself, wherever it leads
    except OSError:
        return 0


@cache
def _digest(path: Path, changed: int) -> str:
    """The same of a path; ``changed``, its time, keeps old readings from use."""
    try:
        return load(path).digest[:12]
    except UserError:
        return ""


@cache
def _rules_now(env: str, env_args: str, scalarisation: str) -> str:
    """Digest of the present rules of a game; empty if it cannot be built here."""
    game = _game(env, env_args, scalarisation)
    return "" if game is None else game.rules()


@cache
def _recipe_now(env: str, env_args: str, scalarisation: str, recipe: str, seed: int, name: str) -> str:
    """Digest of what a recipe's data would be made by now; empty if that cannot be told here."""
    game = _game(env, env_args, scalarisation)
    try:
        return "" if game is None else recipe_digest(game, json.loads(recipe), seed, name)
    except UserError:
        return ""


@cache
def _game(env: str, env_args: str, scalarisation: str) -> Game | None:
    """A game; None if it cannot be built here."""
    try:
        game = build_game({"env": env, "env_args": json.loads(env_args)})
    except UserError:
        return None
    game.reward_scalarisation = scalarisation
    return game
