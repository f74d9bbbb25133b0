"""The folder that exported agents are put into; what is there gives way only if it is a team that was exported."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..errors import UserError
from ..utils.bounded import read_text
from ..utils.files import sync

MANIFEST = "team.json"
UNDER_WAY = ".exporting-"  # beginning of a folder of files that are not in place yet
AGENT = re.compile(r"agent_\d+\.(npz|onnx)")


class Place:
    """A folder, made if needed.

    Args:
        folder: its path.
        programs: names of the programs that come with agents, by the ending of the agents' files.

    Attributes:
        team: names of the files of the agents that are there and were exported, as their ``team.json`` lists them.

    Raises:
        OSError: it cannot be made or read.
    """

    def __init__(self, folder: Path, programs: Mapping[str, Iterable[str]]) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.team = _team_in(folder)
        came_along = {name for file in self.team for name in programs[file.rpartition(".")[2]]}
        self._ours = {*self.team, *came_along, *([MANIFEST] if self.team else [])}

    def check(self, names: Iterable[str]) -> None:
        """Refuses to replace what somebody else may have written.

        Raises:
            UserError: a file of one of these names is there, and is not of a team that was exported.
        """
        others = [name for name in sorted(names) if name not in self._ours and os.path.lexists(self.folder / name)]
        if others:
            raise UserError(f"{self.folder} holds {', '.join(others[:3])}{', ...' if len(others) > 3 else ''}, not of "
                            "an exported team, and nothing was written over it; choose another folder with "
                            "--out=<folder>, or move it away.")

    def put(self, work: Path) -> None:
        """Moves all files of a folder inside this one here, in place of the team that is there.

        The old agents and programs without a successor go first and the new list comes next: whenever a kill comes, the
        next export still knows whose files these are.

        Raises:
            OSError: they cannot be moved.
        """
        names = sorted(os.listdir(work), key=lambda name: (name != MANIFEST, name))
        for name in self._ours.difference(names, {MANIFEST}):
            (self.folder / name).unlink(missing_ok=True)
        for name in names:
            os.replace(work / name, self.folder / name)
        sync(self.folder)

    def clear(self) -> None:
        """Removes what an export that a kill cut off has left on the way."""
        for leftover in self.folder.glob(f"{UNDER_WAY}*"):
            shutil.rmtree(leftover, ignore_errors=True)


def _team_in(folder: Path) -> set[str]:
    """The agents' files that a ``team.json`` of ours lists, with their digests; empty if there is none."""
    try:
        said = json.loads(read_text(folder / MANIFEST))
        files = said["files"]
        ours = all(AGENT.fullmatch(name) and len(facts["sha256"]) == 64 for name, facts in files.items())
    except (OSError, UserError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return set()  # whatever it is, no export wrote it
    return set(files) if ours else set()
