"""What a worker process does: one job, from configurations to rows."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ... import __version__
from ...config import resolve, word
from ...errors import UserError
from ...utils.process import peak_memory
from ...utils.progress import silent
from ..rows.origin import MADE_BY
from ..rows.reading import Row
from .grid import RunSpec
from .jobs import Job
from .validity import code_now

#: rows, or a sentence about what went wrong
JobResult = list[Row] | str


def work(job: Job, model: str) -> JobResult:
    """Does a job in this process.

    Several jobs may follow one another in one process without influence on results, since a run begins by
    setting all that it shares with others: generators, threads, and Sacred's experiment.

    Args:
        job: what to do.
        model: of its teacher, if it has one.
    """
    _forget_peak()
    with silent():  # the sweep has a line of its own
        return _worked(job, model)


def _worked(job: Job, model: str) -> JobResult:
    try:
        if job.code and job.code != code_now(job.specs[0]):
            return "the code here is not that with which the sweep began; start the sweep again."
        if job.specs[0].stack:
            return _stacked(job)
        row = _alone(job.specs[0], job.folder, model)
        return row if isinstance(row, str) else [row]
    except UserError as error:
        return str(error)
    except SystemExit as end:  # how Sacred ends a failed run; its context holds the reason
        return str(end.__context__)
    except Exception as error:  # whatever it is, it must not cost other runs
        return f"{type(error).__name__}: {error}"


def _alone(spec: RunSpec, folder: str, model: str) -> Row | str:
    """One run, recorded by Sacred; a sentence if it is no longer the run that its row would name."""
    from ...cli import build  # here, since it takes seconds and the sweep's own process can do without

    started = time.monotonic()
    name, *overrides = spec.alg.split()
    if resolve(name, spec.env, [*spec.overrides, *overrides]) != spec.config:
        return "its configuration has been changed since the sweep began; start the sweep again."
    further = [each for each in (*spec.overrides, *overrides) if not each.startswith("save_model=")]
    given = [] if not model else [word("teacher", model)] if "teacher" in spec.config else \
        [word("checkpoint_path", model), "evaluate=true"]
    experiment, line = build(["sweep", f"--config={name}", f"--env-config={spec.env}", "--loglevel=WARNING", "with",
                              *further, *given, word("local_results_path", f"{folder}/runs"),
                              "save_model=false"], rehearsed=False)
    experiment.logger.setLevel("WARNING")
    finished = experiment.run_commandline(line)
    place = finished.info.get("model", model)
    left = os.path.relpath(place, folder) if place else ""  # a model that was only played leaves none
    return {**_identity(spec), "seconds": round(time.monotonic() - started, 1), "peak_mb": _peak(), "model": left,
            **finished.info["result"], MADE_BY: _origin(spec, finished.info["result"])}


def _stacked(job: Job) -> list[Row]:
    """The runs of a stack at once; they leave no models and no Sacred records."""
    from .stack import train_stack  # here, since it takes seconds and the sweep's own process can do without

    started = time.monotonic()
    here = {"local_results_path": f"{job.folder}/runs", "save_model": False}
    results = train_stack([copy.deepcopy({**spec.config, **here}) for spec in job.specs])
    each: dict[str, Any] = {"seconds": round((time.monotonic() - started) / len(job.specs), 2), "peak_mb": _peak(),
                            "stacked": len(job.specs)}
    return [{**_identity(spec), **each, **result, MADE_BY: _origin(spec, result)}
            for spec, result in zip(job.specs, results, strict=True)]


def _identity(spec: RunSpec) -> Row:
    env, dataset, seed = spec.task
    overrides = [override for override in spec.overrides if not override.startswith(("dataset=", "seed="))]
    return {"id": spec.id, "alg": spec.alg, "env": env, "dataset": dataset, "seed": seed, "version": __version__,
            **({"with": overrides} if overrides else {})}


def _origin(spec: RunSpec, result: Mapping[str, Any]) -> dict[str, Any]:
    """What made a run's row: code (of a stack, if it was one), versions, rules, data, and the day."""
    return {**result[MADE_BY], "code": code_now(spec), "at": datetime.now(UTC).date().isoformat()}


def _forget_peak() -> None:
    """Starts the measurement of memory afresh, where the system can.

    A process that has done other jobs still holds what it keeps of their memory, so then the peak is only
    an upper bound.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass  # nothing lost but precision


def _peak() -> int:
    """This process's largest memory in MB since :func:`_forget_peak`."""
    try:
        status = Path("/proc/self/status").read_text()
        return round(int(status.partition("VmHWM:")[2].split()[0]) / 1024)
    except (OSError, ValueError, IndexError):
        return round(peak_memory() / 2**20)
