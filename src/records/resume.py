"""Runs that were stopped or killed, and where they go on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..run import Begun
from ..utils import checkpoint
from ..utils.bounded import is_there, read_text
from ..utils.files import named_path
from .alive import RECORD, is_alive, read

LAST = "last"


@dataclass(frozen=True)
class Unfinished:
    """A run that goes on.

    Attributes:
        config: with which the run began, or was resumed last.
        begun: what the run needs to know; None where it left nothing but its settings.
        records: kind and number of each of its records, its folder under the results first, if it has one.
        results: the folder of results that it lies in, wherever that was when it began.
    """

    config: Mapping[str, Any]
    begun: Begun | None
    records: list[tuple[str, Any]]
    results: Path


def find(asked: str, results: Path, tell: Callable[[str], object], where: str = "*/*", further: bool = False,
         ) -> Unfinished:
    """The run that ``resume=`` means.

    Args:
        asked: a run's folder of Sacred's, its folder of models, or one checkpoint; or ``last``, the newest run that
            has not come to its end.
        results: the folder of results in which the last run is looked for.
        tell: is told if a damaged checkpoint is passed over.
        where: method and game of the last run, as the folders of their records are called.
        further: whether a run that has come to its end goes on, since it has other settings now.

    Raises:
        UserError: there is no such run, it goes on at present, or it has come to its end.
    """
    folder = _last(results, where) if asked == LAST else named_path(asked)
    if is_there(folder / RECORD):
        return _of_record(folder, tell, further)
    return _of_models(folder, tell, further)


def _last(results: Path, where: str) -> Path:
    entries = {file.parent: read(file.parent) for file in (results / "sacred").glob(f"{where}/*/{RECORD}")}
    open_ones = sorted((folder for folder, entry in entries.items()
                        if entry.get("status") not in ("COMPLETED", "QUEUED")),
                       key=lambda folder: (_last_sign(entries[folder]), len(folder.name), folder.name))
    stopped = [folder for folder in open_ones if not is_alive(folder)]
    if begun := [folder for folder in stopped if is_there(folder / "config.json")]:  # others learned nothing yet
        return begun[-1]
    if stopped:
        raise UserError(f"resume=last: the run in {stopped[-1]} ended before its record was begun, and so before it "
                        "learned anything; start it anew.")
    if open_ones:
        raise UserError(f"resume=last: the run in {open_ones[-1]} is still going on, and all others below {results} "
                        "have come to their end.")
    raise UserError(f"resume=last: no run below {results} was stopped before its end.")


def _last_sign(entry: Mapping[str, Any]) -> str:
    """When a run was last heard of, as its record says; whoever marks it as killed later does not make it younger."""
    return max(str(entry.get(key) or "") for key in ("start_time", "heartbeat", "stop_time"))


def _asked_last(folder: Path) -> dict[str, Any] | None:
    """The configuration in a record, which is what the run was last asked for; None if it is missing or damaged."""
    try:
        config = json.loads(read_text(folder / "config.json"))
    except (OSError, ValueError, RecursionError, UserError):
        return None
    return config if isinstance(config, dict) and isinstance(config.get("seed"), int) else None


def _need_stopped(folder: Path, further: bool) -> None:
    if is_alive(folder):
        raise UserError(f"the run in {folder} is still going on; it can be resumed when it has been stopped.")
    if read(folder).get("status") == "COMPLETED" and not further:
        raise UserError(f"the run in {folder} has come to its end; to train it for longer, add t_max=<more>.")


def _of_record(folder: Path, tell: Callable[[str], object], further: bool) -> Unfinished:
    entry = read(folder)
    _need_stopped(folder, further)
    config = _asked_last(folder)
    if not entry or config is None:
        raise UserError(f"{folder} is no whole record of a run: its {RECORD} or config.json is missing or damaged; "
                        "name the folder of its models, or start it anew.")
    models = _models(folder, str(entry.get("model", "")))
    if models is None:
        if left := _saved(folder):
            raise UserError(f"the models of the run in {folder}, of which it saved {left}, are not there any more; "
                            "name the folder where they are, or start the run anew.")
        tell(f"the run in {folder} had saved no model yet; it begins anew")
        name = _named(entry.get("model"))
        return Unfinished(config, Begun(name, None) if name else None, [("Folder", str(folder))],
                          _above(folder, 4))
    chosen, manifest = checkpoint.find_whole(str(models), 0, "resume", tell)
    others = _records(manifest)[1:]
    # Its checkpoint may be older than the settings with which it was resumed before it was killed.
    return Unfinished(config, Begun(models.name, chosen), [("Folder", str(folder)), *others], _above(folder, 4))


def _named(model: object) -> str:
    """The name of a run, as the path of its models that a record says; empty if that is none, such as ``..``."""
    name = Path(model).name if isinstance(model, str) else ""
    return "" if name == ".." else name


def _saved(folder: Path) -> str:
    """The last checkpoint that a run in a folder has told of; empty if it has told of none."""
    try:
        info = json.loads(read_text(folder / "info.json", checkpoint.MOST))
    except (OSError, ValueError, RecursionError, UserError):
        return ""
    return str(info.get("model") or "") if isinstance(info, dict) else ""


def _models(folder: Path, said: str) -> Path | None:
    """The models of the run that is recorded in the folder, also if all results were moved; None if there are none."""
    name = _named(said)
    if not name:
        return None
    beside = [parent / "models" / name for parent in folder.resolve().parents[3:4]]
    moved = [place for place in beside if place != Path(said).resolve()]
    for place in (*moved, Path(said)):
        try:
            checkpoint.find(str(place), 0)
        except UserError:
            continue
        return place
    return None


def _of_models(folder: Path, tell: Callable[[str], object], further: bool) -> Unfinished:
    chosen, manifest = checkpoint.find_whole(str(folder), 0, "resume", tell)
    results = _above(chosen, 3)
    name, records = chosen.resolve().parent.name, _records(manifest)
    if not records or records[0][0] != "Folder":
        return Unfinished(manifest["config"], Begun(name, chosen), records, results)
    said = Path(str(records[0][1]))
    moved = [parent / "sacred" / Path(*said.parts[-3:]) for parent in chosen.resolve().parents[2:3]]
    # Only a record that says so itself is this run's: whatever a checkpoint says, others are not touched.
    record = next((place for place in (*moved, said) if Path(str(read(place).get("model"))).name == name), None)
    if record is None:
        return Unfinished(manifest["config"], Begun(name, chosen), records[1:], results)
    _need_stopped(record, further)
    config = _asked_last(record) or manifest["config"]
    return Unfinished(config, Begun(name, chosen), [("Folder", str(record)), *records[1:]], results)


def _above(folder: Path, levels: int) -> Path:
    """The folder so many levels above, as short as it was given."""
    above = folder.resolve().parents[levels - 1] if len(folder.resolve().parents) >= levels else folder.resolve()
    return above.relative_to(Path.cwd()) if above.is_relative_to(Path.cwd()) else above


def _records(manifest: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Where a run was recorded, as its checkpoint says; nothing where it says something else."""
    said = manifest.get("record")
    return [(str(each[0]), each[1]) for each in said if isinstance(each, list) and len(each) == 2
            and isinstance(each[1], str | int)] if isinstance(said, list) else []
