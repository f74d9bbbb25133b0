"""The entry ``"*"`` of a grid's ``algs``: every method that is there and that the grid does not name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...config import FOLDER, resolve
from ...runners import REGISTRY as RUNNERS

EVERY, ONLINE = "*", ["online"]


def with_others(parts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The parts of a grid, each ``"*"`` replaced by parts of their own for the methods that it stands for.

    These are the files of ``config/algs`` that no part names, one's own among them: in a part whose ``datasets`` are
    ``[online]`` those that play to learn, else those that learn from data.  Keys of ``with`` that a method does not
    know are left out for it.

    Args:
        parts: as read, not checked yet.

    Raises:
        UserError: the file of such a method is at fault.
    """
    entries = [alg for part in parts for alg in _listed(part, "algs")]
    if EVERY not in entries:
        return [dict(part) for part in parts]
    named = {alg.split()[0] for alg in entries if isinstance(alg, str) and alg.split()}
    others = sorted({file.stem for file in (FOLDER / "algs").glob("*.yaml")} - named)
    found: list[dict[str, Any]] = []
    for part in parts:
        algs = _listed(part, "algs")
        if rest := [alg for alg in algs if alg != EVERY]:
            found.append({**part, "algs": rest})
        envs = _listed(part, "envs")
        for alg in others if EVERY in algs and envs else ():
            config = resolve(alg, str(envs[0]))
            if (not RUNNERS[config["runner"]].learns_offline) == (part.get("datasets") == ONLINE):
                known = [word for word in _listed(part, "with") if re.split("[.=]", str(word))[0] in config]
                found.append({**part, "algs": [alg], "with": known})
    return found


def _listed(part: Mapping[str, Any], key: str) -> list[Any]:
    """A list of a part; empty where there is none, of which others complain."""
    content = part.get(key)
    return content if isinstance(content, list) else []
