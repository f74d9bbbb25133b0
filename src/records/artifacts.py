"""What a run leaves in its record beside series: its last model's manifest, what its data were, its row of a table."""

from __future__ import annotations

import json
import resource
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import __version__
from ..utils.checkpoint import MANIFEST

JSON = "application/json"


def attach(run: Any, config: Mapping[str, Any], result: Mapping[str, Any], seconds: float) -> None:
    """Gives Sacred's run the files ``manifest.json``, ``data.json`` and ``row.jsonl``, as far as there is something.

    ``row.jsonl`` has the form of sweeps' rows, so that reports can be made of runs that belong to none.

    Args:
        run: Sacred's.
        config: of the run.
        result: what :func:`epymarl_cpa.run.run` returned.
        seconds: how long it took.
    """
    if not run.observers:
        return
    files: dict[str, str] = {}
    manifest = Path(str(run.info.get("model", ""))) / MANIFEST
    if run.info.get("model") and manifest.is_file():
        files[MANIFEST] = text = manifest.read_text(encoding="utf-8")
        if data := json.loads(text).get("dataset"):
            files["data.json"] = json.dumps(data, indent=1)
    if "headline" in result:
        row = {"alg": config["name"], "env": config["env_args"]["map_name"], "dataset": config["dataset"],
               "seed": config["seed"], "version": __version__, "seconds": round(seconds, 1), 
               "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024), **result}
        files["row.jsonl"] = json.dumps(row) + "\n"
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
            run.add_artifact(str(Path(folder) / name), name, content_type=JSON)
