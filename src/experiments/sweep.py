"""Runs a grid of configurations over several processes: ``python -m epymarl_cpa.experiments.sweep teacher``.

Every finished run leaves one small row file; a sweep that is started again does only what is
missing.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..utils.files import write_text
from ..utils.process import handling, interrupt
from .grid import Cell, read_grid, teacher_of
from .table import diversity, markdown


def work(cell: Cell, folder: str, model: str = "") -> dict[str, Any]:
    """Runs one cell in this process, recorded by Sacred, and returns its row; a failure is a row with ``error``.

    Args:
        cell: what to run.
        folder: of the sweep; the runs go to ``runs`` in it.
        model: of the cell's teacher, if it has one.
    """
    from ..cli import build

    name, *words = cell.alg.split()
    started = time.monotonic()
    config = cell.config()
    row = {"alg": cell.alg, "env": cell.env, "dataset": config["dataset"], "seed": config["seed"]}
    try:
        given = [] if not model else [f"teacher={model}"] if "teacher" in config else \
            [f"checkpoint_path={model}", "evaluate=true"]
        experiment, line = build(["sweep", f"--config={name}", f"--env-config={cell.env}", "--loglevel=WARNING", "with",
                                  *cell.words, *words, *given, f"local_results_path={folder}/runs", "save_model=false"])
        experiment.logger.setLevel("WARNING")
        finished = experiment.run_commandline(line)
    except SystemExit as end:  # how Sacred ends a failed run; its context holds the reason
        return {**row, "error": str(end.__context__)}
    return {**row, "seconds": round(time.monotonic() - started, 1),
            "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            "model": os.path.relpath(finished.info.get("model", model), folder), **finished.result}


def sweep(cells: list[Cell], folder: Path, workers: int) -> tuple[list[dict[str, Any]], list[str]]:
    """Runs the cells that have no row yet, and before them the teachers that they need, in the folder beside this one.

    Returns:
        all rows there are, in the order of the cells, and a sentence for every run that failed.

    Raises:
        KeyboardInterrupt: SIGINT or SIGTERM; the runs in progress are lost, finished ones are not.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}); choose another folder with --out.") from None
    models, failed = _train_teachers(cells, folder, workers)
    cells = [cell for cell in cells if not cell.teachers or cell in models]
    files = {cell: folder / cell.row_name() for cell in cells}
    missing = [cell for cell in cells if not files[cell].exists()]
    print(f"{len(cells) - len(missing)} of {len(cells)} runs are done already", flush=True)
    started = time.monotonic()
    context = multiprocessing.get_context("spawn")
    # A fresh process for every run, so that peak memory is the run's own and nothing carries over.
    pool = ProcessPoolExecutor(workers, mp_context=context, max_tasks_per_child=1)
    try:
        futures = {pool.submit(work, cell, str(folder), models.get(cell, "")): files[cell] for cell in missing}
        for done, future in enumerate(as_completed(futures), 1):
            file = futures[future]
            try:
                row = future.result()
            except BrokenProcessPool as error:  # a worker was killed, say for want of memory
                row = {"error": str(error)}
            if "error" in row:
                failed.append(f"{file.stem}: {row['error']}")
                print(f"[{done}/{len(missing)}] FAILED {failed[-1]}", file=sys.stderr, flush=True)
                continue
            write_text(file, json.dumps(row, indent=1) + "\n")
            left = (time.monotonic() - started) / done * (len(missing) - done)
            print(f"[{done}/{len(missing)}, {left / 60:.0f} min left] {file.stem}: "
                  f"{row['headline']:.4f} of {row['headline_optimum']:.4f} in {row['seconds']:.0f} s", flush=True)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return [json.loads(files[cell].read_text()) for cell in cells if files[cell].exists()], failed


def _train_teachers(cells: list[Cell], folder: Path, workers: int) -> tuple[dict[Cell, str], list[str]]:
    """The models of the cells' teachers, and what went wrong while training those that were missing."""
    files = {cell: folder / cell.row_name() for cell in cells if cell.teachers}
    teachers = {cell: teacher_of(cell) for cell, file in files.items() if not file.exists()}
    models, failed = {cell: "" for cell, file in files.items() if file.exists()}, []
    for name in {cell.teachers for cell in teachers}:
        mine = {cell: teacher for cell, teacher in teachers.items() if cell.teachers == name}
        place = folder.with_name(Path(name).stem)
        failed += sweep(list(dict.fromkeys(mine.values())), place, workers)[1]
        for cell, teacher in mine.items():
            row = place / teacher.row_name()
            model = json.loads(row.read_text()).get("model") if row.exists() else None
            if model is not None and (place / model).exists():
                models[cell] = str(place / model)
            elif row.exists():
                failed.append(f"{files[cell].stem}: the model of its teacher is gone; remove {row} to train it again.")
    return models, failed


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m epymarl_cpa.experiments.sweep", description=__doc__)
    parser.add_argument("grid", help="name under config/sweeps, or a YAML file")
    parser.add_argument("--workers", type=int, default=2, help="processes at once (default 2)")
    parser.add_argument("--out", default="results/sweeps", help="folder of the rows (default results/sweeps)")
    args = parser.parse_args(argv)
    try:
        with handling((signal.SIGTERM,), interrupt):
            rows, failed = sweep(read_grid(args.grid), Path(args.out) / Path(args.grid).stem, max(1, args.workers))
    except UserError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command continues with what is missing", file=sys.stderr)
        return 130
    print("\n" + "\n\n".join(filter(None, (markdown(rows), diversity(rows)))))
    if failed:
        print(f"\n{len(failed)} runs failed:\n" + "\n".join(failed), file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
