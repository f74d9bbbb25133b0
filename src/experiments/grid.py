"""Grids of runs: YAML files that say which methods, games, data sets and seeds."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .. import __version__
from ..config import FOLDER, read_yaml, resolve
from ..errors import UserError
from ..utils.registry import nearest

KEYS = ("algs", "envs", "datasets", "seeds", "with")
TEACHERS, PARTS = "teachers", "parts"


@dataclass(frozen=True)
class Cell:
    """One run of a grid.

    Attributes:
        alg: value of ``--config``, with ``key=value`` words behind it if any.
        env: value of ``--env-config``.
        words: further ``key=value`` words, data set and seed among them.
        teachers: name of the sweep that trains this run's teacher, or nothing.
    """

    alg: str
    env: str
    words: tuple[str, ...]
    teachers: str = ""

    def config(self) -> dict[str, Any]:
        name, *words = self.alg.split()
        return resolve(name, self.env, [*self.words, *words])

    def task(self) -> tuple[str, str, int]:
        """Game, data and seed."""
        config = self.config()
        return self.env, config["dataset"], config["seed"]

    def row_name(self) -> str:
        """File name of the run's row; its digest covers version, configuration and teacher, but not data files."""
        config = self.config()
        decides = {key: value for key, value in config.items() if key not in ("local_results_path", "datasets_path")}
        if self.teachers:
            decides["teacher"] = teacher_of(self).row_name()
        digest = hashlib.sha256(json.dumps([__version__, decides], sort_keys=True).encode()).hexdigest()[:10]
        readable = f"{self.alg}-{self.env}-{config['dataset']}-seed{config['seed']}"
        return f"{re.sub(r'[^A-Za-z0-9_.=-]+', '_', readable)}-{digest}.json"


def read_grid(name: str) -> list[Cell]:
    """The cells of ``config/sweeps/<name>.yaml`` or of a YAML file.

    A grid holds lists under ``algs``, ``envs``, ``datasets``, ``seeds`` and maybe ``with``, or several
    such grids under ``parts``.  ``teachers`` names another sweep, whose models are the teachers of
    methods that take one, and what the other methods evaluate instead of training.

    Raises:
        UserError: unknown grid or key, or a configuration that does not resolve.
    """
    path = _find(name)
    grid = read_yaml(path)
    teachers = grid.pop(TEACHERS, "")
    parts = grid.pop(PARTS, None) or [{}]
    if not isinstance(teachers, str) or not isinstance(parts, list) or not all(isinstance(p, dict) for p in parts):
        raise UserError(f"{path}: '{TEACHERS}' must name a sweep, and '{PARTS}' must hold a list of grids.")
    if teachers and read_yaml(_find(teachers)).get(TEACHERS):
        raise UserError(f"{path}: the sweep '{teachers}' cannot train teachers, since it needs some itself.")
    return [cell for part in parts for cell in _cells(path, {**grid, **part}, teachers)]


def _find(name: str) -> Path:
    own = FOLDER / "sweeps" / f"{name}.yaml"
    path = own if own.exists() else Path(name)
    if not path.exists():
        choices = sorted(file.stem for file in own.parent.glob("*.yaml"))
        raise UserError(f"unknown sweep '{name}'{nearest(name, choices)}; the choices are: {', '.join(choices)}, "
                        "or the path of a YAML file.")
    return path


def _cells(path: Path, grid: dict[str, Any], teachers: str) -> list[Cell]:
    for key in grid:
        if key not in KEYS:
            raise UserError(f"{path}: unknown key '{key}'{nearest(key, (*KEYS, TEACHERS, PARTS))}.")
    for key in KEYS:
        if not isinstance(grid.get(key, [] if key == "with" else None), list):
            raise UserError(f"{path}: the key '{key}' must hold a list.")
    cells = [Cell(alg, env, (*grid.get("with", []), f"dataset={data}", f"seed={seed}"), teachers)
            for env, data, alg, seed in itertools.product(grid["envs"], grid["datasets"], grid["algs"], grid["seeds"])]
    for cell in cells:
        cell.config()
    return cells


@cache
def _by_task(name: str) -> dict[tuple[str, str, int], list[Cell]]:
    found: dict[tuple[str, str, int], list[Cell]] = {}
    for cell in read_grid(name):
        found.setdefault(cell.task(), []).append(cell)
    return found


def teacher_of(cell: Cell) -> Cell:
    """The cell of the sweep ``cell.teachers`` that trains this cell's teacher.

    Raises:
        UserError: that sweep has none for the same game, data and seed, or several.
    """
    task, teachers = cell.task(), _by_task(cell.teachers).get(cell.task(), [])
    if len(teachers) != 1:
        many = f"{len(teachers)} teachers" if teachers else "no teacher"
        raise UserError(f"the sweep '{cell.teachers}' trains {many} for {', '.join(map(str, task))}, "
                        "where it must be one.")
    return teachers[0]
