"""What may be in a file of ``torch.save`` before it is loaded, and after."""

from __future__ import annotations

import pickletools
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import UserError, clipped
from .bounded import TEXT, size_of

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
