"""What a path is: a data set, a run, a sweep."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from ..errors import UserError, clipped
from ..utils.bounded import is_there
from ..utils.files import reason

Kind = Literal["dataset", "model", "record", "records", "rows"]
RECORD = "run.json"  # what Sacred writes into the folder of a run
DEPTH = ("*/run.json", "*/*/run.json", "*/*/*/run.json")


def kind_of(path: Path) -> Kind:
    """Tells by what lies there.

    Returns:
        ``model`` (a run's model folder, or one checkpoint in it), ``record`` (the folder of a Sacred run), ``records``
        (a folder of such), ``rows`` (a .jsonl file, or a folder of a sweep's rows), else ``dataset``.

    Raises:
        UserError: there is no such path, or it cannot be read.
    """
    if not is_there(path):
        raise UserError(f"there is no file or folder {clipped(str(path))}.")
    try:
        if not path.is_dir():
            return "rows" if path.suffix.lower() == ".jsonl" else "dataset"
        if (path / RECORD).is_file():
            return "record"
        if is_model(path):
            return "model"
        if any(_is_row(file) for file in path.glob("*.json")):
            return "rows"
        if any(True for pattern in DEPTH for _ in path.glob(pattern)):
            return "records"
    except OSError as error:
        raise UserError(f"{path} cannot be read ({reason(error)}).") from None
    return "dataset"


def is_model(folder: Path) -> bool:
    """Whether it is a run's model folder, or one checkpoint in it, be it whole or not."""
    return _is_checkpoint(folder) or any(_is_checkpoint(child) for child in folder.iterdir() if child.name.isdecimal())


def _is_checkpoint(folder: Path) -> bool:
    return (folder / "manifest.json").is_file() and ((folder / "mac.th").is_file() or folder.name.isdecimal())


def _is_row(file: Path) -> bool:
    """Whether a name is that of a sweep's row, ``<method>-<game>-<data>-seed<n>-<digest>.json``."""
    return re.search(r"-seed\d+-[0-9a-f]{10}\.json$", file.name) is not None
