"""What a run leaves in its record beside series: its last model's manifest, what its data were, its row of a table."""

from __future__ import annotations

import json
import logging
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import __version__
from ..config import keys_of
from ..utils.files import reason
from ..utils.manifest import MANIFEST
from ..utils.process import peak_memory

JSON = "application/json"


def attach(run: Any, config: Mapping[str, Any], result: Mapping[str, Any], seconds: float, alg: str, env: str,
           words: Sequence[str]) -> None:
    """Gives Sacred's run the files ``manifest.json``, ``data.json`` and ``row.jsonl``, as far as there is something.

    ``row.jsonl`` has the form of sweeps' rows, so that reports can be made of runs that belong to none.  A run that
    was resumed has none: its record does not tell what it was asked for in words.

    Args:
        run: Sacred's.
        config: of the run.
        result: what :func:`epymarl_cpa.run.run` returned.
        seconds: how long it took.
        alg, env: values of ``--config`` and ``--env-config``; empty for a run that was resumed.
        words: what was changed on the command line.
    """
    if not run.observers:
        return
    files: dict[str, str] = {}
    manifest = Path(str(run.info.get("model", ""))) / MANIFEST
    if run.info.get("model") and manifest.is_file():
        files[MANIFEST] = text = manifest.read_text(encoding="utf-8")
        if data := json.loads(text).get("dataset"):
            files["data.json"] = json.dumps(data, indent=1)
    if "headline" in result and env:
        row = row_of(config, result, seconds, alg, env, words)
        files["row.jsonl"] = json.dumps(row) + "\n"
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            for name, text in files.items():
                (Path(folder) / name).write_text(text, encoding="utf-8")
                run.add_artifact(str(Path(folder) / name), name, content_type=JSON)
    except OSError as error:  # where temporary files are; the run is over, and its models are saved
        logging.getLogger("epymarl_cpa").warning("the run's record lacks some of %s (%s: %s)", ", ".join(files),
                                                 tempfile.gettempdir(), reason(error))


def row_of(config: Mapping[str, Any], result: Mapping[str, Any], seconds: float, alg: str, env: str,
           words: Sequence[str]) -> dict[str, Any]:
    """A run as a row of a table, as sweeps write it; arguments as of :func:`attach`."""
    changed = [word for word in words if _names_rows(word, config)]
    return {"alg": alg, "env": env, "dataset": config["dataset"], "seed": config["seed"],
            **({"with": changed} if changed else {}), "version": __version__, "seconds": round(seconds, 1),
            "peak_mb": round(peak_memory() / 2**20), **result}


def _names_rows(word: str, config: Mapping[str, Any]) -> bool:
    """Whether a change tells rows apart; data and seed have places of their own."""
    name = re.split("[.=]", word)[0]
    return name not in ("dataset", "seed") and keys_of(config)[name].names_rows
