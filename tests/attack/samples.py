"""A whole file or folder of every kind that the package reads, and how each is read to a digest."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch as th

from epymarl_cpa.build import Team
from epymarl_cpa.cli import main
from epymarl_cpa.config import load_env, resolve
from epymarl_cpa.data.chunks import split
from epymarl_cpa.data.formats import load
from epymarl_cpa.data.generate import generate
from epymarl_cpa.data.mapped import MappedDataset
from epymarl_cpa.data.overcooked import human_pairs
from epymarl_cpa.data.store import write_dataset
from epymarl_cpa.deploy.demo import team_in
from epymarl_cpa.deploy.export import export
from epymarl_cpa.deploy.policy import Policy, digest
from epymarl_cpa.envs import make_game
from epymarl_cpa.envs.dpomdp import library, parse
from epymarl_cpa.envs.dpomdp.problems import problem as problem_named
from epymarl_cpa.envs.dpomdp.search import local_optima
from epymarl_cpa.envs.optima import cached_optimum
from epymarl_cpa.errors import UserError
from epymarl_cpa.experiments.rows.reading import each_once, read_rows
from epymarl_cpa.experiments.rows.tables import markdown
from epymarl_cpa.experiments.sweeps.grid import read_grid
from epymarl_cpa.utils import checkpoint
from epymarl_cpa.utils.manifest import MANIFEST

from .reading import quiet

SMALL = ("seed=1", "batch_size=8", "hidden_dim=8", "test_nepisode=4", "recipes.medium.episodes=40")
STUDENTS = ("t_max=2", "student_t_max=2", "pool_hidden=8", "pool_size=4", "beta=0.05", "entry_floor=0.0")
GRID = """algs: [ar_bc]
envs: [xor]
datasets: [good]
seeds: [0, 1]
with: [t_max=2, hidden_dim=4, batch_size=4, test_nepisode=2, recipes.good.episodes=20]
"""


@dataclass(frozen=True)
class Sample:
    """Attributes: ``name``; ``path`` below the folder of all; whether a digest seals it; how it is read."""

    name: str
    path: str
    sealed: bool
    read: Callable[[Path], str]

    def files(self, folder: Path) -> list[Path]:
        """The files in it that damage can hit; locks and programs that are shipped along are none."""
        place = folder / self.path
        found = [file for file in sorted(place.rglob("*")) if file.is_file()] if place.is_dir() else [place]
        return [file for file in found if file.suffix != ".py" and file.stat().st_size]


def of(value: Any) -> str:
    """Digest of plain values and tensors."""
    return hashlib.sha256(repr(value).encode()).hexdigest()


def data(path: Path) -> str:
    found = load(path)
    assert np.isfinite(found.reward[found.steps]).all() and np.isfinite(found.state[found.filled]).all()
    return found.digest


def mapped(path: Path) -> str:
    """Not as a whole, as data that are larger than the memory."""
    found = MappedDataset(path)
    rows = found.take(np.arange(found.n_episodes))
    assert np.isfinite(rows.state).all() and rows.actions.min() >= 0
    assert rows.actions.max() < rows.avail_actions.shape[3]
    return of([(key, array.tolist()) for key, array in rows.arrays.items()])


def model(path: Path) -> str:
    th.set_printoptions(profile="full")
    team = Team(str(path))
    return of([{key: value.tolist() for key, value in team.mac.agent.state_dict().items()},
               checkpoint.load_run_state(team.folder)["runner"], team.config])


def policies(path: Path) -> str:
    found = []
    for file in team_in(path)[0]:
        policy = Policy.load(file)
        policy.agree(7)
        acted = policy.act(np.zeros(policy.meta["n_seen"], np.float32))
        assert acted in range(policy.meta["n_actions"])
        arrays = {name: array for name, array in np.load(file).items() if name not in ("meta", "digest")}
        found.append((acted, digest(policy.meta, arrays)))
    return of(found)


def rows(path: Path) -> str:
    found = each_once(read_rows([path]))
    return of((found, markdown(found)))


def optimum(path: Path) -> str:
    os.environ["XDG_CACHE_HOME"] = str(path.parents[1])
    value = cached_optimum({"game": "attacked"}, lambda: 2.5)
    assert np.isfinite(value)
    return of(value)


def problem(path: Path) -> str:
    found = parse.read(path)
    for law in (found.transition, found.observation, found.start):
        assert law.min() >= 0 and abs(law.sum(-1) - 1).max() < 1e-6
    assert np.isfinite(found.reward).all()
    return of([array.tolist() for array in (found.transition, found.observation, found.start, found.reward)])


def solution(path: Path) -> str:
    found = library._read(path, problem_named("dectiger"), 2)
    if found is None:
        raise UserError(f"{path} holds nothing that can be used; it is found anew.")
    return of([(value, [[actions.tolist() for actions in policy] for policy in team]) for value, team in found])


def people(path: Path) -> str:
    game = make_game("overcooked", layout="cramped_room", episode_limit=20)
    return human_pairs(path, game).digest  # type: ignore[arg-type]


SAMPLES = [
    Sample("data set, .npz", "whole.npz", True, data),
    Sample("data set, folder of parts", "parts", True, data),
    Sample("data set, folder on the disk", "x.mapped", True, mapped),
    Sample("data set, HDF5 of ours", "ours.h5", True, data),
    Sample("data set, Minari of ours", "ours-v0", True, data),
    Sample("data set, AlberDICE folder of ours", "ours", True, data),
    Sample("data set, HDF5 of others", "others.h5", False, data),
    Sample("data set, Minari of others", "others-v0", False, data),
    Sample("data set, AlberDICE folder of others", "others", False, data),
    Sample("data set, Vault", "vault", False, data),
    Sample("checkpoint", "model", True, model),
    Sample("exported policies", "agents", True, policies),
    Sample("configuration of a method", "method.yaml", False, lambda path: of(resolve(str(path), "xor"))),
    Sample("configuration of a game", "game.yaml", False, lambda path: of(
        (resolve("bc", str(path)), load_env(str(path))[0].spec()))),
    Sample("grid of a sweep", "grid.yaml", False, lambda path: of([spec.id for spec in read_grid(str(path))])),
    Sample("rows, .jsonl", "rows.jsonl", False, rows),
    Sample("rows, folder", "rows", False, rows),
    Sample("problem, .dpomdp", "tiny.dpomdp", False, problem),
    Sample("kept solution of a problem", "solution.npz", True, solution),
    Sample("optima", "epymarl_cpa/optima.json", False, optimum),
    Sample("trials of people", "trials.pickle", False, people),
]
#: what each kind of sample needs beside the core
PACKAGES = {"HDF5": "h5py", "Minari": "minari", "Vault": "tensorstore"}


def available() -> list[Sample]:
    """Those whose packages are installed."""
    return [sample for sample in SAMPLES
            if all(importlib.util.find_spec(package) for word, package in PACKAGES.items() if word in sample.name)]


def facts_of(path: Path) -> dict[str, Any]:
    """What the manifest of a checkpoint says beside its files; for ``write_manifest``."""
    manifest = json.loads((path / MANIFEST).read_text())
    return {key: manifest[key] for key in manifest if key not in ("format", "version", "t_env", "files", "digest")}


def build(folder: Path) -> None:
    """Writes all samples into an empty folder; in a child, since libraries start threads."""
    game, recipes = load_env("bridge", ["env_args.episode_limit=5", "env_args.observation=local"])
    whole = generate(game, {**recipes["poor"], "episodes": 5}, 0, "poor")
    whole.save(folder / "whole.npz")
    names = {sample.path for sample in available()}
    for name, form in (("parts", "parts"), ("x.mapped", "mapped"), ("ours.h5", "hdf5"), ("ours-v0", "minari"),
                       ("ours", "alberdice"), ("others.h5", "hdf5"), ("others-v0", "minari"),
                       ("others", "alberdice")):
        if name in names:
            write_dataset(split(whole), folder / name, form)
    _strip_headers(folder, names)
    if "vault" in names:
        from test_formats_vault import leaves, write  # needs tensorstore

        write(folder / "vault", leaves())
    with quiet():
        _models(folder)
    _texts(folder)


def _strip_headers(folder: Path, names: set[str]) -> None:
    """Makes data of others from ours."""
    (folder / "others/epymarl_cpa.json").unlink()
    if "others-v0" in names:
        for file in (folder / "others-v0/data").glob("epymarl_cpa.*"):
            file.unlink()
    if "others.h5" in names:
        import h5py

        with h5py.File(folder / "others.h5", "r+") as file:
            del file.attrs["epymarl_cpa"]


def _models(folder: Path) -> None:
    here = [f"local_results_path={folder}/results", f"datasets_path={folder}/datasets"]
    assert main(["", "--config=cpa_pa", "--env-config=xor", "with", *SMALL, *STUDENTS, *here]) == 0
    left, = (folder / "results/models").glob("*/*")
    shutil.copytree(left, folder / "model")
    export(str(folder / "model"), folder / "agents")


def _texts(folder: Path) -> None:
    from test_dpomdp_damage import TEXT
    from test_overcooked import kitchen, trials, write_trials

    configs = Path(__file__).parents[2] / "src/config"
    shutil.copy(configs / "algs/cpa_pa.yaml", folder / "method.yaml")
    shutil.copy(configs / "envs/bridge.yaml", folder / "game.yaml")
    (folder / "grid.yaml").write_text(GRID)
    published = (Path(__file__).parents[2] / "docs/results/table1.jsonl").read_text().splitlines()[:6]
    (folder / "rows.jsonl").write_text("\n".join(published) + "\n")
    (folder / "rows").mkdir()
    for line in published[:3]:
        (folder / "rows" / f"{json.loads(line)['id']}.json").write_text(line)
    (folder / "tiny.dpomdp").write_text(TEXT)
    (folder / "epymarl_cpa").mkdir()
    (folder / "epymarl_cpa/optima.json").write_text(json.dumps({'{"game": "attacked"}': 2.5, "other": 1.0}, indent=1))
    library._write(folder / "solution.npz",
                   local_optima(problem_named("dectiger"), 2, np.random.default_rng(0), 3))
    game = kitchen(limit=20)
    write_trials(folder / "trials.pickle", game, trials(game, 1, 12), "cramped_room")
