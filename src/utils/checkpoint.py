"""Checkpoints: a folder per save, complete or not there at all, and never unpickled.

``<root>/<t_env>/`` holds the learner's files, ``run.th`` (sampler, generators, counters) and
``manifest.json``, which knows the digests of all files and its own.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch as th

from ..errors import UserError
from .bounded import read_text
from .files import PLAIN, named_path, reason, sync
from .manifest import MANIFEST, read_manifest, write_manifest
from .tensor_files import load_tensors, save_tensors

TOLD = "told.json"
MOST = 2**28  # bytes of what a run has told of itself
SAVING, OLD = ".saving-", ".old-"  # beginnings of folders that are not there yet, or no longer


def save(root: Path, t_env: int, learner: Saves, run_state: dict[str, Any], facts: dict[str, Any],
         told: dict[str, Any] | None = None) -> Path:
    """Writes ``root/<t_env>``, replacing what was saved there before.

    Args:
        root: the run's model folder, made if needed.
        t_env: the clock, also the folder's name.
        learner: writes its files by ``save_models``.
        run_state: sampler, generators and counters (tensors and plain values).
        facts: what the checkpoint belongs to (game, configuration, data), plain JSON values.
        told: what observers were told so far, plain JSON values; None for nothing.

    What killed processes have left half-made in ``root`` is removed: nobody else may write there.

    Raises:
        UserError: the folder cannot be written; what was there before is unchanged.
    """
    final = root / str(t_env)
    try:
        root.mkdir(parents=True, exist_ok=True)
        _tidy(root)
        folder = Path(tempfile.mkdtemp(dir=root, prefix=SAVING))
        try:
            learner.save_models(str(folder))
            save_tensors(run_state, folder / "run.th")
            if told is not None:
                (folder / TOLD).write_text(json.dumps(told), encoding="utf-8")
            write_manifest(folder, t_env, facts)
            for path in (*folder.iterdir(), folder):
                sync(path)
            folder.chmod(0o755)
            _move_over(folder, final)
            sync(root)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
        raise UserError(f"the model cannot be saved to {final} ({_why(error, root)}).") from None
    return final


def prune(root: Path, keep: int) -> None:
    """Removes all but the ``keep`` newest checkpoints; what cannot be removed stays."""
    steps = _steps(root)
    for step in sorted(steps)[:-keep] if keep else []:
        gone = root / f"{OLD}{step}-gone"
        try:
            os.replace(steps[step], gone)  # in one move: a checkpoint is whole or not there
        except OSError:
            continue
        shutil.rmtree(gone, ignore_errors=True)


def _tidy(root: Path) -> None:
    """Removes what killed saves left; a checkpoint that was to be replaced, and was not, is back in place."""
    for step, folder in _steps(root).items():
        if folder.name.startswith(OLD):
            os.replace(folder, root / str(step))
    for folder in root.iterdir():
        if folder.name.startswith((SAVING, OLD)):
            shutil.rmtree(folder, ignore_errors=True)


def _steps(root: Path) -> dict[int, Path]:
    """The folders of checkpoints by their t_env; an empty one is none, one that was being replaced still is.

    Raises:
        OSError: ``root`` is no folder that can be read.
    """
    found: dict[int, Path] = {}
    for child in sorted(root.iterdir()):  # ".old" comes before the names of whole ones
        match = re.fullmatch(rf"(?:{re.escape(OLD)})?([0-9]+)(?:-(?!gone$).*)?", child.name)
        plain = match and (child.name.startswith(OLD) or child.name.isdecimal())
        if match and plain and child.is_dir() and any(child.iterdir()):
            found[int(match[1])] = child
    return found


def _why(error: OSError | RuntimeError, root: Path) -> str:
    """Why a save failed; what a part's own ``torch.save`` says of a full disk is a riddle."""
    if isinstance(error, OSError):
        return reason(error)
    try:
        full = shutil.disk_usage(root).free < 1 << 20
    except OSError:
        full = False
    return PLAIN[errno.ENOSPC] if full else str(error).partition("\n")[0]


def _move_over(folder: Path, final: Path) -> None:
    """Renames ``folder`` to ``final``; on failure an old ``final`` is back in place."""
    if not final.exists():
        os.replace(folder, final)
        return
    old = final.with_name(f"{OLD}{final.name}-{folder.name.removeprefix(SAVING)}")
    os.replace(final, old)
    try:
        os.replace(folder, final)
    except BaseException:
        old.rename(final)
        raise
    shutil.rmtree(old, ignore_errors=True)


def find(path: str, load_step: int, key: str = "checkpoint_path") -> Path:
    """The checkpoint folder that ``checkpoint_path`` and ``load_step`` mean.

    Args:
        path: a run's model folder, or one checkpoint in it.
        load_step: t_env of the wanted checkpoint (the nearest is taken); 0 for the newest.
        key: the config key that holds ``path``.

    Raises:
        UserError: there is none.
    """
    root = named_path(path)
    try:
        if (root / MANIFEST).exists():
            if load_step and root.name.isdecimal() and int(root.name) != load_step:
                raise UserError(f"{key}={path} is the checkpoint of t_env {int(root.name)}, but load_step={load_step} "
                                "asks for another; give the folder that holds them all, or leave load_step out.")
            return root
        steps = _steps(root)
    except (OSError, ValueError):  # a name that no folder can have
        steps = {}
    if not steps:
        raise UserError(f"{key}={path} holds no checkpoint; give the folder that a run printed as its model.")
    return steps[max(steps) if load_step == 0 else min(steps, key=lambda step: abs(step - load_step))]


def find_all(path: str, key: str = "the model folder") -> list[Path]:
    """All checkpoints of a run's model folder, the oldest first, or the one that ``path`` is; else as :func:`find`."""
    newest = find(path, 0, key)
    if newest == named_path(path):
        return [newest]
    return [folder for _, folder in sorted(_steps(newest.parent).items())]


def find_whole(path: str, load_step: int, key: str = "checkpoint_path",
               tell: Callable[[str], object] = lambda sentence: None) -> tuple[Path, dict[str, Any]]:
    """As :func:`find`, with the manifest; where the newest is asked for and damaged, the newest whole one is taken.

    Args:
        tell: is told in a sentence that, and why, another one is taken.

    Raises:
        UserError: there is none, or none that is whole.
    """
    first = find(path, load_step, key)
    try:
        return first, read_manifest(first)
    except UserError as error:
        if load_step or first == named_path(path):
            raise
        for _, folder in sorted(_steps(first.parent).items(), reverse=True):
            try:
                manifest = read_manifest(folder)
            except UserError:
                continue
            tell(f"{str(error).rstrip('.')}; the newest whole one, {folder}, is taken instead")
            return folder, manifest
        raise


class Loads(Protocol):
    """What has networks to load: a learner or a controller."""

    def load_models(self, path: str) -> None: ...


class Saves(Protocol):
    """What has networks to save: a learner."""

    def save_models(self, path: str) -> None: ...


def load_into(part: Loads, folder: Path, **how: Any) -> None:
    """Calls ``load_models`` of a learner or a controller, with further arguments if any.

    Raises:
        UserError: the networks are of another shape, or a file is damaged.
    """
    try:
        part.load_models(str(folder), **how)
    except UNFIT as error:
        raise UserError(f"{folder} does not fit the networks of this run ({_last_line(error)}); "
                        "load it with the configuration it was trained with.") from None


CLOCKS = ("t_env", "episodes", "log_train_stats_t")  # of a runner
#: what contents of another shape raise where they are taken up
UNFIT = (RuntimeError, KeyError, ValueError, TypeError, AttributeError, IndexError)


@contextmanager
def taking_up(folder: Path) -> Iterator[None]:
    """Tells in a sentence that what the ``with`` block takes from a checkpoint is not what it must be.

    Raises:
        UserError: as said.
    """
    try:
        yield
    except UNFIT as error:
        raise UserError(f"{folder} holds something else than what a run of this program saves "
                        f"({type(error).__name__}: {_last_line(error)}); take another checkpoint.") from None


def load_run_state(folder: Path) -> dict[str, Any]:
    """The state of a run that learns: of its ``runner``, ``torch``'s generator, the ``curve`` and the ``episode``.

    Raises:
        UserError: the file is damaged or holds something else.
    """
    with taking_up(folder):
        state = dict(load_tensors(folder / "run.th"))
        for name, kind in (("runner", dict), ("curve", list), ("torch", th.Tensor)):
            if not isinstance(state[name], kind):
                raise TypeError(f"'{name}' is {type(state[name]).__name__}, no {kind.__name__}")
        clocks = {"episode": state.get("episode", 0), **{key: state["runner"].get(key, 0) for key in CLOCKS}}
        if wrong := [key for key, value in clocks.items() if not isinstance(value, int)]:
            raise TypeError(f"'{wrong[0]}' is no whole number")
        if not all(len(point) == 2 and all(isinstance(value, int | float) for value in point)
                   for point in state["curve"]):
            raise TypeError("'curve' holds something else than pairs of numbers")
    return state


def load_told(folder: Path) -> dict[str, Any]:
    """The ``told`` given to :func:`save`; nothing if the checkpoint is older.

    Raises:
        UserError: the file is damaged or holds something else.
    """
    with taking_up(folder):
        try:
            return dict(json.loads(read_text(folder / TOLD, MOST)))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise UserError(f"{folder / TOLD} cannot be read ({reason(error)}); take another checkpoint.") from None


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
