"""The manifest of a checkpoint: what it belongs to, and the digests of all its files and its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import UserError
from .bounded import read_text, size_of

FORMAT = 2
MANIFEST = "manifest.json"
#: keys that decide what the networks are
SHAPE = ("mac", "learner", "hidden_dim", "n_layers", "state_levels", "policy_input", "use_rnn", "agent",
         "obs_last_action", "obs_agent_id", "critic_input")


def write_manifest(folder: Path, t_env: int, facts: dict[str, Any]) -> None:
    """Writes the manifest of the files in a folder, which makes it a checkpoint, with plain JSON ``facts`` of it."""
    files = {file.name: _digest(file.read_bytes()) for file in sorted(folder.iterdir()) if file.name != MANIFEST}
    manifest = {"format": FORMAT, "version": __version__, "t_env": t_env, "files": files, **facts}
    (folder / MANIFEST).write_text(_to_text(manifest), encoding="utf-8")


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


def check_fits(manifest: Mapping[str, Any], folder: Path, spec: Mapping[str, Any], config: Mapping[str, Any],
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
