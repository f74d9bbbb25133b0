"""AlberDICE's buffer folders, and what we put beside their files.

``behaviour.npy``, ``agent_reward.npy`` and the header ``epymarl_cpa.json`` are ours; AlberDICE's loader
ignores them.  ``obs.npy`` is left out where every agent sees the state, which that loader then takes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from ..dataset import OfflineDataset
from ..seal import Seal, sealing
from .base import REGISTRY, Format
from .columns import NEEDED, POSSIBLE, own, to_columns
from .growing import GrowingArray
from .npy_folder import open_columns, read_buffer
from .parts import HEADER, read_header


@REGISTRY.register("alberdice")
class Alberdice(Format):
    """One ``.npy`` file for each array, mapped on reading."""

    title = "an AlberDICE buffer folder"
    folder = True

    def recognises(self, path: Path) -> bool:
        return path.is_dir() and any((path / f"{key}.npy").exists() for key in NEEDED)

    def read(self, path: Path) -> Iterator[OfflineDataset]:
        header = read_header(path)
        if header is None:
            yield from read_buffer(path)
        else:
            keys = [*header.sha256, *(key for key in POSSIBLE if (path / f"{key}.npy").exists())]
            yield from own(open_columns(path, dict.fromkeys(keys)), header)

    def write(self, parts: Iterator[OfflineDataset], path: Path) -> None:
        path.mkdir()
        seal = Seal()
        files: dict[str, GrowingArray] = {}
        with ExitStack() as stack:
            for part in sealing(parts, seal):
                for key, array in to_columns(part).items():
                    if key not in files:
                        files[key] = GrowingArray(stack.enter_context(open(path / f"{key}.npy", "wb")), array)
                    files[key].append(array)
            for file in files.values():
                file.finish()
        header = seal.header()
        meta = {"buffer_index": 0, "episodes_in_buffer": header.episodes, "buffer_size": header.episodes}
        (path / "meta.json").write_text(json.dumps(meta), encoding="ascii")
        (path / HEADER).write_text(header.text(), encoding="ascii")
