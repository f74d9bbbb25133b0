"""Runs a grid of configurations over several processes: ``python -m epymarl_cpa.experiments.sweep teacher``.

Every finished run leaves one small row file; a sweep that is started again does only what is
missing.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import multiprocessing
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config import FOLDER, read_yaml, resolve
from ..errors import UserError
from ..utils.files import write_text
from ..utils.registry import nearest
from .table import markdown

KEYS = ("algs", "envs", "datasets", "seeds", "with")


@dataclass(frozen=True)
class Cell:
    """One run of a grid.

    Attributes:
        alg: value of ``--config``, with ``key=value`` words behind it if any.
        env: value of ``--env-config``.
        words: further ``key=value`` words, data set and seed among them.
    """

    alg: str
    env: str
    words: tuple[str, ...]

    def config(self) -> dict[str, Any]:
        name, *words = self.alg.split()
        return resolve(name, self.env, [*self.words, *words])

    def row_name(self) -> str:
        """File name of the run's row; holds a digest of everything that decides the result."""
        config = self.config()
        decides = {key: value for key, value in config.items() if not key.endswith("_path")}
        digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:10]
        return f"{self.alg.replace(' ', '_')}-{self.env}-{config['dataset']}-seed{config['seed']}-{digest}.json"


def read_grid(name: str) -> list[Cell]:
    """The cells of ``config/sweeps/<name>.yaml`` or of a YAML file.

    Raises:
        UserError: unknown grid or key, or a configuration that does not resolve.
    """
    own = FOLDER / "sweeps" / f"{name}.yaml"
    path = own if own.exists() else Path(name)
    if not path.exists():
        choices = sorted(file.stem for file in own.parent.glob("*.yaml"))
        raise UserError(f"unknown sweep '{name}'{nearest(name, choices)}; the choices are: {', '.join(choices)}, "
                        "or the path of a YAML file.")
    grid = read_yaml(path)
    for key in grid:
        if key not in KEYS:
            raise UserError(f"{path}: unknown key '{key}'{nearest(key, KEYS)}.")
    for key in KEYS:
        if not isinstance(grid.get(key, [] if key == "with" else None), list):
            raise UserError(f"{path}: the key '{key}' must hold a list.")
    cells = [Cell(alg, env, (*grid.get("with", []), f"dataset={data}", f"seed={seed}"))
             for env, data, alg, seed in itertools.product(grid["envs"], grid["datasets"], grid["algs"], grid["seeds"])]
    for cell in cells:
        cell.config()
    return cells


def work(cell: Cell, results: str) -> dict[str, Any]:
    """Runs one cell in this process, recorded by Sacred, and returns its row."""
    from ..cli import build

    name, *words = cell.alg.split()
    started = time.monotonic()
    experiment, line = build(["sweep", f"--config={name}", f"--env-config={cell.env}", "--loglevel=WARNING", "with",
                              *cell.words, *words, f"local_results_path={results}", "save_model=false"])
    experiment.logger.setLevel("WARNING")
    outcome = experiment.run_commandline(line).result
    config = cell.config()
    return {"alg": cell.alg, "env": cell.env, "dataset": config["dataset"], "seed": config["seed"],
            "seconds": round(time.monotonic() - started, 1),
            "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024), **outcome}


def sweep(cells: list[Cell], folder: Path, workers: int) -> list[dict[str, Any]]:
    """Runs the cells that have no row yet and returns all rows, in the order of the cells."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {cell: folder / cell.row_name() for cell in cells}
    missing = [cell for cell in cells if not files[cell].exists()]
    print(f"{len(cells) - len(missing)} of {len(cells)} runs are done already", flush=True)
    started = time.monotonic()
    context = multiprocessing.get_context("spawn")
    # A fresh process for every run, so that peak memory is the run's own and nothing carries over.
    with ProcessPoolExecutor(workers, mp_context=context, max_tasks_per_child=1) as pool:
        futures = {pool.submit(work, cell, str(folder / "runs")): cell for cell in missing}
        for done, future in enumerate(as_completed(futures), 1):
            cell, row = futures[future], future.result()
            write_text(files[cell], json.dumps(row, indent=1) + "\n")
            left = (time.monotonic() - started) / done * (len(missing) - done)
            print(f"[{done}/{len(missing)}, {left / 60:.0f} min left] {files[cell].stem}: "
                  f"{row['headline']:.4f} of {row['headline_optimum']:.4f} in {row['seconds']:.0f} s", flush=True)
    return [json.loads(files[cell].read_text()) for cell in cells]


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m epymarl_cpa.experiments.sweep", description=__doc__)
    parser.add_argument("grid", help="name under config/sweeps, or a YAML file")
    parser.add_argument("--workers", type=int, default=2, help="processes at once (default 2)")
    parser.add_argument("--out", default="results/sweeps", help="folder of the rows (default results/sweeps)")
    args = parser.parse_args(argv)
    try:
        rows = sweep(read_grid(args.grid), Path(args.out) / Path(args.grid).stem, max(1, args.workers))
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    print("\n" + markdown(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
