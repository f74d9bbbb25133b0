"""The whole benchmark: part after part, then what is written."""

from __future__ import annotations

import importlib
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch as th

from ...errors import UserError
from ...utils.process import keep_freed_memory
from ...utils.progress import showing
from ..figures import matplotlib_needed
from .machine import describe_machine
from .plan import PARTS, Plan
from .results import Measured, Table, put_into, read_page, write


def benchmark(plan: Plan, parts: Sequence[str], command: Sequence[str], out: Path | None = None,
              page: Path | None = None, picture: Path | None = None) -> Measured:
    """Measures, prints the tables, and writes what is asked for.

    Args:
        plan: how.
        parts: names of parts.
        command: what was typed.
        out: JSON file.
        page: Markdown file with marks.
        picture: folder for the figure of the part ``scale``.

    Raises:
        UserError: something cannot be measured here, or a file cannot be written.
    """
    if page:  # before an hour's work: whether it can be read and has marks
        put_into(read_page(page), "", str(page))
    if picture:
        with matplotlib_needed():
            importlib.import_module("..figures.scale", __package__)
    keep_freed_memory()
    th.set_num_threads(plan.threads)
    started = time.monotonic()
    found: dict[str, Sequence[Table]] = {}
    with tempfile.TemporaryDirectory() as own:
        inner = replace(plan, folder=Path(own)) if plan.quick else plan
        for name in parts:
            with showing(None, lambda text: print(text, file=sys.stderr, flush=True)):
                found[name] = _part(name, inner)
            for table in found[name]:
                print(table.markdown(), end="\n\n", flush=True)
            measured = Measured(_made(plan, command, time.monotonic() - started), found)
            if out:  # now, as a later part may be interrupted
                write(out, measured.json())
    if page:
        write(page, put_into(read_page(page), measured.markdown(), str(page)))  # somebody may have edited it
    if picture and "scale" in found:
        from ..figures.canvas import save
        from ..figures.scale import scale_figure

        picture.mkdir(parents=True, exist_ok=True)
        save(scale_figure(found["scale"]), picture, "scale")
    return measured


def _part(name: str, plan: Plan) -> Sequence[Table]:
    """The tables of a part; one that cannot be measured here says why, and the others go on."""
    try:
        if plan.device == "cuda" and not th.cuda.is_available():
            raise UserError("there is no GPU here that torch can use; leave --device=cuda out, or run this where there "
                            "is one.")
        measured: Sequence[Table] = importlib.import_module(f".{PARTS[name].module}", __package__).measure(plan)
    except (UserError, OSError, subprocess.SubprocessError) as error:
        return [Table(f"{name}: not measured", [], " ".join(str(error).split()))]
    return measured


def _made(plan: Plan, command: Sequence[str], seconds: float) -> dict[str, Any]:
    """How it was made."""
    device = "processor" if plan.device == "cpu" or not th.cuda.is_available() else th.cuda.get_device_name()
    return {"command": shlex.join(command), "day": str(datetime.now(UTC).date()), "minutes": round(seconds / 60, 1),
            "machine": describe_machine(), "device": device, "threads": plan.threads, "quick": plan.quick}
