"""Grids of runs: YAML files that say which methods, games, data sets and seeds."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from ...config import FOLDER, keys_of, read_yaml, resolve, word
from ...envs.trust import check_key
from ...errors import UserError
from ...settings import CORE
from ...utils.bounded import is_there
from ...utils.registry import nearest
from ..rows.names import game_named
from .others import with_others
from .search import SEARCH, from_search

LISTS: Mapping[str, type] = {"algs": str, "envs": str, "datasets": str, "seeds": int, "with": str}
TEACHERS, STACK, PARTS = "teachers", "stack", "parts"
PLACE = "local_results_path"  # is the sweep's own
MOST = 10_000  # seeds of a span
LONGEST = 150  # letters of a row's name before its digest: names of files must not have more than 255


@dataclass(frozen=True)
class RunSpec:
    """One run of a grid.

    Attributes:
        alg: value of ``--config``, with ``key=value`` overrides after it if any.
        env: value of ``--env-config``.
        overrides: further ``key=value`` overrides, the data set and, as the last one, the seed.
        config: what all these resolve to.
        first: the run that must come before, which trains this run's teacher; None if it needs none.
        first_sweep: name of the sweep of that run; empty if it is this one.
        stack: the seeds that are trained together with this one, its own among them; empty if it is trained alone.
    """

    alg: str
    env: str
    overrides: tuple[str, ...]
    config: Mapping[str, Any] = field(compare=False, repr=False)
    first: RunSpec | None = None
    first_sweep: str = ""
    stack: tuple[int, ...] = ()

    @property
    def task(self) -> tuple[str, str, int]:
        """Game, data and seed."""
        return self.env, self.config["dataset"], self.config["seed"]

    @property
    def place(self) -> tuple[str, str, int]:
        """The same, with the arguments of the game: what a run and that of its teacher share."""
        return game_named(self.env, [*self.overrides, *self.alg.split()[1:]]), *self.task[1:]

    @cached_property
    def id(self) -> str:
        """Name of the run's row.

        Its digest covers the configuration's keys that decide what is learned and measured (``Key.names_rows``),
        teacher and stack; not data files, and not the code, of which the row itself tells (``made_by``).
        """
        keys = keys_of(self.config)
        decides = {key: value for key, value in self.config.items()
                   if keys[key].names_rows and value != keys[key].before}
        if self.first:
            decides["teacher"] = f"{self.first.id}.json"
        if self.stack:  # results of a stack may depend on its composition in the last bits
            decides["stack"] = self.stack
        digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:10]
        readable = f"{self.alg}-{self.env}-{self.config['dataset']}-seed{self.config['seed']}"
        return f"{re.sub(r'[^A-Za-z0-9_.=-]+', '_', readable)[:LONGEST]}-{digest}"

    def together(self) -> tuple[RunSpec, ...]:
        """The runs of this run's stack, in the order of their seeds in the grid; this run alone if it has none."""
        return tuple(self.with_seed(seed) for seed in self.stack) or (self,)

    def with_seed(self, seed: int) -> RunSpec:
        """The same run with another seed."""
        return replace(self, overrides=(*self.overrides[:-1], f"seed={seed}"), config={**self.config, "seed": seed})


def read_grid(name: str, seeds: int | None = None) -> list[RunSpec]:
    """The runs of ``config/sweeps/<name>.yaml`` or of a YAML file, each once.

    A grid holds lists under ``algs``, ``envs``, ``datasets``, ``seeds`` and maybe ``with``, or several
    such grids under ``parts``, which may take lists from the grid around them; ``seeds`` may be a span, as in
    ``{from: 1000, to: 1099}``.  The entry ``"*"`` of ``algs`` stands
    for all methods that are there and not named (:mod:`.others`).  Two more keys belong to the grid or to a part.
    ``teachers`` names whose models are the teachers of methods that take one, and what the other methods evaluate
    instead of training: another sweep, an entry of another sweep's ``algs`` (``{sweep: entry}``), or an entry of
    ``algs`` in another part of this grid.  ``stack: true`` trains the seeds of a method, game and data set together.
    EPyMARL's search files are grids, too.

    Args:
        name: of the grid.
        seeds: how many seeds an EPyMARL search file is run with (default 3).

    Raises:
        UserError: unknown grid or key, or a configuration that does not resolve.
    """
    path = _find(name)
    parts = _parts(path, seeds)
    made = [[] if part.get(TEACHERS) else _specs(path, part) for part in parts]
    own = [spec for specs in made for spec in specs]
    for specs, part in zip(made, parts, strict=True):
        if part.get(TEACHERS):
            specs += _after_first(path, part, own)
    return list({spec.id: spec for specs in made for spec in specs}.values())


def count_runs(name: str) -> int:
    """How many runs :func:`read_grid` finds, without resolving each of them.

    Raises:
        UserError: unknown grid, or it has no lists where it must.
    """
    path = _find(name)
    runs: set[tuple[object, ...]] = set()
    for part in _parts(path):
        lists: dict[str, list[Any]] = {}
        for key in LISTS:
            entries: Any = part.get(key, [] if key == "with" else None)
            if not isinstance(entries, list):
                raise UserError(f"{path}: the key '{key}' must hold a list.")
            lists[key] = entries
        told = frozenset(map(str, lists["with"])), str(part.get(TEACHERS)), bool(part.get(STACK))
        runs.update((*run, *told) for run in itertools.product(*(map(str, lists[key]) for key in (
            "envs", "datasets", "algs", "seeds"))))
    return len(runs)


def _find(name: str) -> Path:
    own = FOLDER / "sweeps" / f"{name}.yaml"
    path = own if is_there(own) else Path(name)
    if not is_there(path) or not path.is_file():
        choices = sorted(file.stem for file in own.parent.glob("*.yaml"))
        raise UserError(f"unknown sweep '{name}'{nearest(name, choices)}; the choices are: {', '.join(choices)}, "
                        "or the path of a YAML file.")
    return path


def _parts(path: Path, seeds: int | None = None) -> list[dict[str, Any]]:
    """The parts of a grid, each with what it takes from the grid around it."""
    grid = read_yaml(path)
    if SEARCH in grid:
        grid = from_search(path, grid, seeds)
    elif seeds is not None:
        raise UserError(f"{path} says itself which seeds it has; --seeds is for EPyMARL's search files, "
                        "and --only=seed=0,1 chooses some.")
    parts = grid.pop(PARTS, None) or [{}]
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise UserError(f"{path}: '{PARTS}' must hold a list of grids.")
    whole = [{**grid, **part, **_seeds(path, {**grid, **part})} for part in parts]
    for key in ("algs", "envs", "datasets", "seeds"):
        if any(part.get(key) == [] for part in whole):
            raise UserError(f"{path}: the list '{key}' is empty, so that nothing would run.")
    return with_others(whole)


def _seeds(path: Path, part: Mapping[str, Any]) -> dict[str, list[int]]:
    """The seeds of ``{from: 1000, to: 1099}``, the last one included; nothing where they are a list."""
    span = part.get("seeds")
    if not isinstance(span, dict):
        return {}
    first, last = span.get("from"), span.get("to")
    if len(span) > 2 or type(first) is not int or type(last) is not int or not 0 <= last - first < MOST:
        raise UserError(f"{path}: the key 'seeds' must hold a list of whole numbers, or a span of at most {MOST}, as "
                        "in {from: 1000, to: 1099}.")
    return {"seeds": [*range(first, last + 1)]}


def _specs(path: Path, grid: Mapping[str, Any]) -> list[RunSpec]:
    for key in grid:
        if key == PARTS:
            raise UserError(f"{path}: a grid of '{PARTS}' cannot have '{PARTS}' itself.")
        if key not in (*LISTS, TEACHERS, STACK):
            raise UserError(f"{path}: unknown key '{key}'{nearest(key, (*LISTS, TEACHERS, STACK, PARTS))}.")
    for key, kind in LISTS.items():
        entries = grid.get(key, [] if key == "with" else None)
        if not isinstance(entries, list) or not all(type(entry) is kind for entry in entries):
            what = "texts" if kind is str else "whole numbers"
            raise UserError(f"{path}: the key '{key}' must hold a list of {what}.")
    if type(grid.get(STACK, False)) is not bool:
        raise UserError(f"{path}: the key '{STACK}' must be true or false.")
    seeds = tuple(CORE["seed"].check("seed", seed) for seed in dict.fromkeys(grid["seeds"]))
    specs: list[RunSpec] = []
    for env, data, alg in itertools.product(grid["envs"], grid["datasets"], grid["algs"]):
        if not alg.split():
            raise UserError(f"{path}: the key 'algs' has an entry that names no method.")
        name, *overrides = alg.split()
        common = (*grid.get("with", []), word("dataset", data))
        for override in (*common, *overrides):
            if override.partition("=")[0].strip() == PLACE:
                raise UserError(f"{path}: '{override}' cannot be set by a grid; the folder of a sweep is --out.")
        config = resolve(name, env, [*common, "seed=0", *overrides])  # once for all seeds: it takes a while
        if config["runner"] == "record":
            raise UserError(f"{path}: runner={config['runner']} leaves no result, and a sweep makes tables of results; "
                            "do without it.")
        if not path.resolve().is_relative_to(FOLDER.resolve()):
            check_key(config["env"], config["env_args"], str(path), "put its folder on PYTHONPATH", own_path=True)
        one = RunSpec(alg, env, (*common, "seed=0"), config, stack=seeds if grid.get(STACK) else ())
        specs += [one.with_seed(seed) for seed in seeds]
    return specs


def _after_first(path: Path, part: Mapping[str, Any], own: Sequence[RunSpec]) -> list[RunSpec]:
    """The runs of a part that needs teachers, with those that train them: of this grid (``own``), or of another."""
    named = part[TEACHERS]
    name, entry = next(iter(named.items())) if isinstance(named, dict) and len(named) == 1 else (named, "")
    if not isinstance(name, str) or not isinstance(entry, str) or part.get(STACK):
        raise UserError(f"{path}: '{TEACHERS}' must name a sweep, {{sweep: entry}} or an entry of another part's "
                        f"'algs', and does not go with '{STACK}: true'.")
    inside = [] if entry else [spec for spec in own if spec.alg == name]
    candidates = inside or _of_another(path, name, entry)
    if any(spec.stack for spec in candidates):
        raise UserError(f"{path}: the runs of '{entry or name}' are stacked, which leaves no models for '{TEACHERS}'.")
    found: dict[tuple[str, str, int], list[RunSpec]] = {}
    for spec in candidates:
        found.setdefault(spec.place, []).append(spec)
    return [replace(spec, first=_only(found.get(spec.place, []), spec, name), first_sweep="" if inside else name)
            for spec in _specs(path, part)]


@cache
def _read_first(path: Path, changed: int) -> list[RunSpec]:
    """The runs of a grid that need no teachers; ``changed``, the file's time, keeps old readings from being used."""
    return [spec for part in _parts(path) if not part.get(TEACHERS) for spec in _specs(path, part)]


def _of_another(path: Path, name: str, entry: str) -> list[RunSpec]:
    """The runs of the sweep ``name`` that may train teachers: all, or those of one entry of its ``algs``."""
    other = _find(name)
    if not entry and any(part.get(TEACHERS) for part in _parts(other)):
        raise UserError(f"{path}: the sweep '{name}' cannot train teachers, since it needs some itself; "
                        f"name those that do not: {TEACHERS}: {{{name}: <entry of algs>}}.")
    specs = _read_first(other, other.stat().st_mtime_ns)
    return [spec for spec in specs if entry in ("", spec.alg)]


def _only(firsts: Sequence[RunSpec], student: RunSpec, name: str) -> RunSpec:
    if len(firsts) != 1:
        many = f"{len(firsts)} teachers" if firsts else "no teacher"
        raise UserError(f"the sweep '{name}' trains {many} for {', '.join(map(str, student.place))}, "
                        "where it must be one.")
    return firsts[0]
