"""Many short runs at the same moment, all recorded in the same three places: nothing is lost or mixed."""

from __future__ import annotations

import contextlib
import importlib
import json
import random
import sqlite3
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from epymarl_cpa.cli import main

from .forked import Tally, each
from .reading import quiet
from .scenes import preload

PROMISE = "Runs at the same time, recorded in one folder and two databases, are all there, each with its own numbers"
GUARDS = ("system/test_records.py", "unit/test_observers.py")
SMALL = ("t_max=4", "test_interval=2", "test_nepisode=4", "hidden_dim=8", "batch_size=8", "recipes.medium.episodes=40",
         "save_model_interval=2")
SECONDS = 1800  # for all of them, which share the processors
AGAIN = 5  # runs that are made once more, alone, to compare


def attack(seed: int, count: int, workers: int, work: Path) -> Tally:
    """``count`` runs at once, whatever ``workers`` says."""
    preload()
    options = []
    for option, database, module in (("-s", "sqlite:///runs.db", "sqlalchemy.orm"), ("-t", "tiny", "tinydb")):
        if find_spec(module.partition(".")[0]):
            importlib.import_module(module)  # once, not in every child
            options += [option, database]
    with contextlib.chdir(work), quiet():
        assert _run(seed + count, []) == 0  # makes the data
    tally = each(count, lambda number: _recorded(seed + number, options, work), count, SECONDS)
    tally.findings += _amiss({seed + number for number in range(count)}, work, bool(options))
    lone = random.Random(seed).sample(range(count), min(AGAIN, count))
    again = each(len(lone), lambda number: ("made again, alone", _alone(seed + lone[number], work)), workers, 60)
    return Tally(tally.kinds + again.kinds, tally.findings + again.findings)


def _run(seed: int, options: list[str]) -> int:
    return main(["main.py", "--config=bc", "--env-config=xor", *options, "with", f"seed={seed}", *SMALL])


def _recorded(seed: int, options: list[str], work: Path) -> tuple[str, str]:
    with contextlib.chdir(work), quiet():
        status = _run(seed, options)
    return "run among others", f"seed {seed}: exit status {status}" if status else ""


def _alone(seed: int, work: Path) -> str:
    """Whether a run that nobody disturbs comes to the same curve."""
    folder = work / f"alone {seed}"
    folder.mkdir()
    with contextlib.chdir(folder), quiet():
        assert _run(seed, []) == 0
    one, = _folders(folder)
    same = [curve for number, _, curve in _folders(work) if number == seed]
    return "" if same == [one[2]] else f"seed {seed}: its curve is not the one that it has alone"


def _folders(work: Path) -> Iterator[tuple[int, str, str]]:
    """Seed, status and curve of every record in our own folder."""
    for record in (work / "results/sacred/bc/xor").glob("[0-9]*"):
        config, run, metrics = (json.loads((record / f"{name}.json").read_text())
                                for name in ("config", "run", "metrics"))
        curve = metrics["test_return_mean"]
        yield config["seed"], run["status"], json.dumps([curve["steps"], curve["values"]])


def _amiss(seeds: set[int], work: Path, databases: bool) -> Iterator[str]:
    """What is lost or mixed, in sentences."""
    kept = [each for each in _folders(work) if each[0] in seeds]
    curves = {seed: curve for seed, _, curve in kept}
    places = {"folder": [(seed, status, curve) for seed, status, curve in kept]}
    if databases and (work / "runs.db").exists():
        with sqlite3.connect(work / "runs.db") as db:
            places["SQL"] = [_entry(json.loads(config), status, json.loads(info)) for config, status, info in
                             db.execute("select config, status, info from run")]
    if databases and (work / "tiny").exists():
        runs = json.loads((work / "tiny/metadata.json").read_text())["runs"].values()
        places["TinyDB"] = [_entry(run["config"], run["status"], run["info"]) for run in runs]
    for place, entries in places.items():
        found = Counter(seed for seed, _, _ in entries)
        for seed in sorted(seeds | set(found)):
            if found[seed] != (seed in seeds):
                yield f"{place}: seed {seed} is there {found[seed]} times"
        for seed, status, curve in entries:
            if status != "COMPLETED" or curve != curves.get(seed):
                yield f"{place}: seed {seed} is {status}" + (", its curve differs" if curve != curves.get(seed) else "")
    models = [*(work / "results/models").iterdir()]
    if len(models) != len(seeds) + 1:
        yield f"{len(models)} folders of models for {len(seeds) + 1} runs"
    if left := [path for path in work.rglob("*") if ".tmp" in path.name or path.name.endswith("~")]:
        yield f"left over: {', '.join(path.name for path in left[:5])}"


def _entry(config: dict[str, Any], status: str, info: dict[str, Any]) -> tuple[int, str, str]:
    return config["seed"], status, json.dumps([info["test_return_mean_T"], info["test_return_mean"]])
