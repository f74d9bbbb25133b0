"""Files of ``torch.save``: written dense, and read without running anything that is in them."""

from __future__ import annotations

import io
import pickletools
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch as th
from torch import Tensor

from ..errors import UserError, clipped
from .bounded import TEXT, size_of
from .files import reason

#: what files of tensors and plain values name; anything else is refused before it is looked up
NAMED = re.compile(r"collections OrderedDict|torch\._utils _rebuild_(tensor_v2|parameter)|torch \w+Storage|torch Size")

MORE = "is damaged or holds more than tensors and plain values; nothing of it was run"


def check_tensor_file(path: Path) -> None:
    """Refuses a file that is compressed, or whose plain part names more than tensors are made of.

    Raises:
        UserError: as said.
        OSError, ValueError, zipfile.BadZipFile: it is damaged, or is none of torch's archives.
    """
    size_of(path)
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise UserError(f"{path} is compressed, as files of this program never are.")
        for member in (each for each in members if each.filename.endswith(".pkl")):
            if member.file_size > TEXT:
                raise UserError(f"{path} {MORE}.")
            for operation, value, _ in pickletools.genops(archive.read(member)):
                if operation.name in ("INST", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4") or (
                        operation.name == "GLOBAL" and not NAMED.fullmatch(str(value))):
                    raise UserError(f"{path} {MORE} (it names '{clipped(value)}').")


def check_tensors(content: Any) -> None:
    """Refuses tensors that claim to be larger than what is stored of them.

    Raises:
        ValueError: there is one.
    """
    waiting, seen = [content], set[int]()
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, Tensor) and each.numel() * each.element_size() > each.untyped_storage().nbytes():
            raise ValueError(f"a tensor of shape {tuple(each.shape)} has {each.untyped_storage().nbytes()} bytes")
        waiting += each.values() if isinstance(each, Mapping) else each if isinstance(each, list | tuple | set) else ()


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
        raise UserError(f"{file} {MORE}.") from None
