"""What Sacred keeps of a run in its folder, read as far as it is sound."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..experiments.rows.faults import is_number
from ..utils.bounded import read_text
from .told import RECORD, is_model

MOST = 2**27  # bytes of metrics
Series = dict[str, list[tuple[float, float]]]


@dataclass(frozen=True)
class Record:
    """One run.

    Attributes:
        folder: Sacred's, if it was found.
        config, info, run: what its files hold; empty where they are missing or damaged.
        series: points (t_env, value) by the name of the metric.
        said: what could not be read, in sentences.
    """

    folder: Path | None
    config: dict[str, Any] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)
    series: Series = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    @property
    def model(self) -> list[str]:
        """Where its models were written, below the folder of models: the run's, and the last checkpoint if it is known.

        Nothing if the record says nothing.
        """
        return _model(self.info, self.run)


def read_record(folder: Path) -> Record:
    """The record in a folder of Sacred.

    Raises:
        UserError: it holds no configuration that can be read.
    """
    said: list[str] = []
    config, info, run, metrics = (_object(folder / name, said) for name in
                                  ("config.json", "info.json", RECORD, "metrics.json"))
    if not config:
        raise UserError(f"{folder} is no whole record of a run: its config.json is missing or damaged.")
    return Record(folder, config, info, run, series_of(metrics), said)


def series_of(metrics: dict[str, Any]) -> Series:
    """The points of Sacred's metrics whose steps and values are finite numbers."""
    found: Series = {}
    for name, content in metrics.items():
        if isinstance(content, dict) and isinstance(content.get("steps"), list) \
                and isinstance(content.get("values"), list):
            points = [(float(t), float(value)) for t, value in zip(content["steps"], content["values"], strict=False)
                      if is_number(t) and is_number(value)]
            if points:
                found[name] = points
    return found


def record_of_model(model: Path) -> Record | None:
    """The record of the run that wrote a model folder, or one checkpoint in it, below the same results folder."""
    place = model.resolve()
    root = next((parent for parent in place.parents if (parent / "sacred").is_dir()), None)
    if root is None:
        return None
    for file in sorted((root / "sacred").glob(f"*/*/*/{RECORD}")):
        said = _model(_object(file.parent / "info.json", []), _object(file, []))
        if said and said[0] in (place.name, place.parent.name):
            try:
                return read_record(file.parent)
            except UserError:
                return None
    return None


def model_of_record(record: Record) -> Path | None:
    """The model that a record names, if it lies in the same results folder; nowhere else is looked."""
    if not record.model or record.folder is None:
        return None
    for parent in record.folder.resolve().parents:
        found = parent.joinpath("models", *record.model)
        if not {"", ".."} & {*record.model} and found.is_dir() and is_model(found):
            return found
    return None


def _model(info: dict[str, Any], run: dict[str, Any]) -> list[str]:
    """See :attr:`Record.model`.  The run itself is told at once, ``info`` some seconds later."""
    last, models = info.get("model"), run.get("model")
    return _last(last, 2) if isinstance(last, str) else _last(models, 1) if isinstance(models, str) else []


def _last(path: str, parts: int) -> list[str]:
    """The last parts of a path, filled up with empty ones."""
    return ["", "", *path.replace("\\", "/").rstrip("/").split("/")][-parts:]


def _object(file: Path, said: list[str]) -> dict[str, Any]:
    try:
        content = json.loads(read_text(file, MOST))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError, UserError):
        said.append(f"{file.name} is damaged and left out.")
        return {}
    return content if isinstance(content, dict) else {}
