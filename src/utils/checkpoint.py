"""Checkpoints: a folder per save, complete or not there at all, and never unpickled.

``<root>/<t_env>/`` holds the learner's files, ``run.th`` (sampler, generators, counters) and
``manifest.json``, which knows the digests of all files and its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch as th

from .. import __version__
from ..errors import UserError
from .bounded import read_text, size_of
from .files import sync
from .tensor_files import check_tensor_file, check_tensors

FORMAT = 2
MANIFEST = "manifest.json"
#: keys that decide what the networks are
SHAPE = ("mac", "learner", "hidden_dim", "n_layers", "state_levels", "policy_input", "use_rnn", "agent",
         "obs_last_action", "obs_agent_id", "critic_input")


def save(root: Path, t_env: int, learner: Saves, run_state: dict[str, Any], facts: dict[str, Any]) -> Path:
    """Writes ``root/<t_env>``, replacing what was saved there before.

    Args:
        root: the run's model folder, made if needed.
        t_env: the clock, also the folder's name.
        learner: writes its files by ``save_models``.
        run_state: sampler, generators and counters (tensors and plain values).
        facts: what the checkpoint belongs to (game, configuration, data), plain JSON values.

    Raises:
        UserError: the folder cannot be written; what was there before is unchanged.
    """
    final = root / str(t_env)
    try:
        root.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=root, prefix=".saving-"))
        try:
            learner.save_models(str(folder))
            th.save(run_state, folder / "run.th")
            write_manifest(folder, t_env, facts)
            for path in (*folder.iterdir(), folder):
                sync(path)
            folder.chmod(0o755)
            _move_over(folder, final)
            sync(root)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise UserError(f"the model cannot be saved to {final} ({reason}).") from None
    return final


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
    old = final.with_name(f".old-{folder.name}")
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
    root = Path(path).expanduser()
    try:
        if (root / MANIFEST).exists():
            if load_step and root.name.isdecimal() and int(root.name) != load_step:
                raise UserError(f"{key}={path} is the checkpoint of t_env {int(root.name)}, but load_step={load_step} "
                                "asks for another; give the folder that holds them all, or leave load_step out.")
            return root
        steps = {int(child.name): child for child in root.iterdir() if child.name.isdecimal() and child.is_dir()}
    except OSError:
        steps = {}
    if not steps:
        raise UserError(f"{key}={path} holds no checkpoint; give the folder that a run printed as its model.")
    return steps[max(steps) if load_step == 0 else min(steps, key=lambda step: abs(step - load_step))]


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a checkpoint whose files are all there and unaltered.

    Raises:
        UserError: a file is missing, truncated or altered, or the format is unknown.
    """
    broken = UserError(f"{folder} is no whole checkpoint of this program: its {MANIFEST} is missing or damaged.")
    try:
        text = read_text(folder / MANIFEST)
        manifest: dict[str, Any] = json.loads(text)
        if manifest["format"] != FORMAT:
            raise UserError(f"{folder} has checkpoint format {manifest['format']}, this program reads {FORMAT}.")
        del manifest["digest"]
        files = dict(manifest["files"])
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
    except (RuntimeError, KeyError, ValueError) as error:  # what state dictionaries that do not fit raise
        raise UserError(f"{folder} does not fit the networks of this run ({_last_line(error)}); "
                        "load it with the configuration it was trained with.") from None


def load_run_state(folder: Path) -> dict[str, Any]:
    """The ``run_state`` given to :func:`save`."""
    return dict(load_tensors(folder / "run.th"))


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
    except Exception as error:  # zipfile, pickle and torch raise some dozen kinds for damaged bytes
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{file} is damaged or holds more than tensors ({reason}).") from None


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
