"""Checkpoints: a folder per save, complete or not there at all, and never unpickled."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch as th

from .. import __version__
from ..errors import UserError

FORMAT = 1
MANIFEST = "manifest.json"


def save(root: Path, t_env: int, learner: Any, run_state: dict[str, Any], facts: dict[str, Any]) -> Path:
    """Writes ``root/<t_env>`` with the learner's files, the run's state and a manifest.

    Args:
        root: the run's model folder, made if needed.
        t_env: the clock, also the folder's name.
        learner: writes its files by ``save_models``.
        run_state: sampler, generators and counters (tensors and plain values).
        facts: what the checkpoint belongs to (game, configuration, data), plain JSON values.

    Raises:
        UserError: the folder cannot be written.
    """
    final = root / str(t_env)
    try:
        root.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=root, prefix=".saving-"))
        try:
            learner.save_models(str(folder))
            th.save(run_state, folder / "run.th")
            digests = {file.name: _digest(file) for file in sorted(folder.iterdir())}
            manifest = {"format": FORMAT, "version": __version__, "t_env": t_env, "files": digests, **facts}
            (folder / MANIFEST).write_text(json.dumps(manifest, indent=1))
            for file in folder.iterdir():
                with open(file, "rb") as handle:
                    os.fsync(handle.fileno())
            if final.exists():
                shutil.rmtree(final)
            os.replace(folder, final)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise UserError(f"the model cannot be saved to {final} ({error.strerror or error}).") from None
    return final


def find(path: str, load_step: int) -> Path:
    """The checkpoint folder that ``checkpoint_path`` and ``load_step`` mean.

    Args:
        path: a run's model folder, or one checkpoint in it.
        load_step: t_env of the wanted checkpoint (the nearest is taken); 0 for the newest.

    Raises:
        UserError: there is none.
    """
    root = Path(path)
    if (root / MANIFEST).exists():
        return root
    steps = [int(child.name) for child in root.iterdir() if child.name.isdigit()] if root.is_dir() else []
    if not steps:
        raise UserError(f"checkpoint_path={path} holds no checkpoint; give the folder that a run printed as its model.")
    chosen = max(steps) if load_step == 0 else min(steps, key=lambda step: abs(step - load_step))
    return root / str(chosen)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a checkpoint whose files are all there and unaltered.

    Raises:
        UserError: a file is missing, truncated or altered, or the format is unknown.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        files = dict(manifest["files"])
        known = manifest["format"] == FORMAT
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{folder} is no checkpoint of this program: its {MANIFEST} is missing or damaged.") from None
    if not known:
        raise UserError(f"{folder} has checkpoint format {manifest['format']}, this program reads {FORMAT}.")
    for name, digest in files.items():
        file = folder / Path(name).name
        if not file.exists() or _digest(file) != digest:
            raise UserError(f"{file} is missing or was altered; the checkpoint cannot be used, take another one.")
    return dict(manifest)


def check(manifest: dict[str, Any], folder: Path, spec: dict[str, Any], config: dict[str, Any]) -> None:
    """Refuses a checkpoint of another game, shape, or kind of network.

    Raises:
        UserError: naming the first difference.
    """
    for key, value in spec.items():
        if manifest["game"].get(key) != value:
            what = "game" if key == "game" else f"env_args.{key}"
            raise UserError(f"{folder} was trained with {what}={manifest['game'].get(key)}, "
                            f"but this run plays {what}={value}.")
    for key in ("mac", "learner", "hidden_dim", "n_layers", "state_levels", "weight"):
        old, new = manifest["config"].get(key), config.get(key)
        if old != new:
            raise UserError(f"{folder} was trained with {key}={old}, but this run has {key}={new}.")


def load_run_state(folder: Path) -> dict[str, Any]:
    """The ``run_state`` given to :func:`save`."""
    return dict(load_tensors(folder / "run.th"))


def load_tensors(file: Path) -> Any:
    """``torch.load`` that never runs code from the file.

    Raises:
        UserError: the file holds anything else than tensors and plain values, or is damaged.
    """
    try:
        return th.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise UserError(f"{file} is damaged or holds more than tensors ({str(error).splitlines()[0]}).") from None


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
