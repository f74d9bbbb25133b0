"""Checkpoints: a folder per save, complete or not there at all, and never unpickled.

``<root>/<t_env>/`` holds the learner's files, ``run.th`` (sampler, generators, counters) and
``manifest.json``, which knows the digests of all files and its own.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch as th
from torch import Tensor

from .. import __version__
from ..errors import UserError
from .bounded import read_text, size_of
from .files import PLAIN, named_path, reason, sync
from .tensor_files import check_tensor_file, check_tensors

FORMAT = 2
MANIFEST, TOLD = "manifest.json", "told.json"
SAVING, OLD = ".saving-", ".old-"  # beginnings of folders that are not there yet, or no longer
#: keys that decide what the networks are
SHAPE = ("mac", "learner", "hidden_dim", "n_layers", "state_levels", "policy_input", "use_rnn", "agent",
         "obs_last_action", "obs_agent_id", "critic_input")


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


def save_tensors(content: Any, file: Path) -> None:
    """``torch.save`` that says what the system says if the disk is full, and writes of a buffer only what is asked for.

    Raises:
        OSError: the file cannot be written.
    """
    buffer = io.BytesIO()
    th.save(_dense(content, {}), buffer)
    file.write_bytes(buffer.getbuffer())


def _dense(content: Any, done: dict[tuple[Any, ...], Tensor]) -> Any:
    """The same with tensors of their own where they are parts of larger ones, as ``torch.save`` writes these whole.

    What is the same tensor twice stays one, by ``done``.
    """
    if isinstance(content, Tensor):
        whole = content.untyped_storage()
        if whole.nbytes() <= content.numel() * content.element_size():
            return content
        place = whole.data_ptr(), content.storage_offset(), content.shape, content.stride(), content.dtype
        if place not in done:
            done[place] = content.detach().clone(memory_format=th.contiguous_format)
        return done[place]
    if isinstance(content, dict):
        copied = content.copy()
        copied.update((key, _dense(value, done)) for key, value in content.items())
        if metadata := getattr(content, "_metadata", None):  # of a module
            copied._metadata = metadata  # type: ignore[attr-defined]
        return copied
    if type(content) in (list, tuple):
        return type(content)(_dense(value, done) for value in content)
    return content


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


def write_manifest(folder: Path, t_env: int, facts: dict[str, Any]) -> None:
    """Writes the manifest of the files in a folder, which makes it a checkpoint; ``facts`` as for :func:`save`."""
    files = {file.name: _digest(file.read_bytes()) for file in sorted(folder.iterdir()) if file.name != MANIFEST}
    manifest = {"format": FORMAT, "version": __version__, "t_env": t_env, "files": files, **facts}
    (folder / MANIFEST).write_text(_to_text(manifest), encoding="utf-8")


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


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a checkpoint whose files are all there and unaltered.

    Raises:
        UserError: a file is missing, truncated or altered, or the format is unknown.
    """
    # A digest keeps accidents away, not people: what it covers may still be anything.
    broken = UserError(f"{folder} is no whole checkpoint of this program: its {MANIFEST} is missing or damaged.")
    try:
        text = read_text(folder / MANIFEST)
        manifest: dict[str, Any] = json.loads(text)
        if manifest["format"] != FORMAT:
            raise UserError(f"{folder} has checkpoint format {manifest['format']}, this program reads {FORMAT}.")
        del manifest["digest"]
        files = dict(manifest["files"])
        kinds = {"t_env": int, "files": dict, "game": dict, "config": dict}
        if not all(type(manifest[key]) is kind for key, kind in kinds.items()) or not all(
                isinstance(text, str) for text in (*files, *files.values())) \
                or not isinstance(manifest.get("made_by", {}), dict):  # older ones have none
            raise broken
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise broken from None
    if _to_text(manifest) != text:
        raise broken
    for name, digest in files.items():
        file = folder / Path(name).name
        try:
            altered = _file_digest(file) != digest
        except OSError:
            altered = True
        if altered:
            raise UserError(f"{file} is missing or was altered; the checkpoint cannot be used, "
                            "take another one.")
    return manifest


def check(manifest: Mapping[str, Any], folder: Path, spec: Mapping[str, Any], config: Mapping[str, Any],
          keys: Sequence[str] = SHAPE) -> None:
    """Refuses a checkpoint of another game or of other networks.

    Args:
        manifest: of the checkpoint.
        folder: where it lies.
        spec: the identity of the game to be played.
        config: the configuration of this run.
        keys: config keys that must agree; those that came after the checkpoint are left to its networks.

    Raises:
        UserError: naming the first difference.
    """
    for key, value in spec.items():
        if manifest["game"].get(key) != value:
            what = "game" if key == "game" else f"env_args.{key}"
            raise UserError(f"{folder} was trained with {what}={manifest['game'].get(key)}, "
                            f"but this run plays {what}={value}.")
    for key in keys:
        new = config.get(key)
        old = manifest["config"].get(key, new)
        if old != new:
            raise UserError(f"{folder} was trained with {key}={old}, but this run has {key}={new}.")


def differences(manifest: Mapping[str, Any], config: Mapping[str, Any], keys: Iterable[str]) -> list[str]:
    """Which of the keys a continued run has other values of than before, as ``key=new (was old)``."""
    old = manifest["config"]
    return [f"{key}={config[key]} (was {old.get(key)})" for key in keys if old.get(key) != config[key]]


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
        return dict(json.loads((folder / TOLD).read_text(encoding="utf-8"))) if (folder / TOLD).exists() else {}


def load_networks(file: Path) -> Any:
    """As :func:`load_tensors`, for what plays and learns.

    Raises:
        UserError: as there, or a number is not finite.
    """
    content = load_tensors(file)
    if name := _not_finite(content):
        raise UserError(f"{file} holds numbers that are not finite ('{name}'): whatever wrote it had diverged; take an "
                        "earlier checkpoint.")
    return content


def _not_finite(content: object, name: str = "") -> str:
    """Where a tensor holds a number that is not finite; empty if none does."""
    if isinstance(content, th.Tensor):
        return name if content.is_floating_point() and not bool(content.isfinite().all()) else ""
    parts = content.items() if isinstance(content, Mapping) else enumerate(content) \
        if isinstance(content, list | tuple) else ()
    return next((found for key, part in parts if (found := _not_finite(part, f"{name}.{key}".lstrip(".")))), "")


def load_tensors(file: Path) -> Any:
    """``torch.load`` that never runs code from the file.

    Raises:
        UserError: the file holds anything else than tensors and plain values, or is damaged.
    """
    try:
        check_tensor_file(file)
        content = th.load(file, map_location="cpu", weights_only=True)
        check_tensors(content)
        return content
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"{file} cannot be read ({reason(error)}).") from None
    except Exception:  # zipfile, pickle and torch raise some dozen kinds, some with the advice to run what is in it
        raise UserError(f"{file} is damaged or holds more than tensors and plain values; nothing of it was run.") \
            from None


def _to_text(manifest: Mapping[str, Any]) -> str:
    """The manifest as its file has it, digest included."""
    digest = _digest(json.dumps(manifest, indent=1).encode())
    return json.dumps({**manifest, "digest": digest}, indent=1)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _file_digest(path: Path) -> str:
    size_of(path)  # a pipe would never end
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
