"""From a trained team to one file per agent, in NumPy's format or as ONNX graphs."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..agreement import key as key_module
from ..errors import UserError, shown
from ..utils.files import reason, write_text, write_with
from . import heads, policy, policy_file, sight
from .check import Acts, Compared, compare
from .graph import graph_of
from .place import MANIFEST, UNDER_WAY, Place
from .policy import Policy
from .session import OnnxPolicy
from .teams import Arrays, LeavingTeam, StudentTeam, arrays_of

__all__ = ["LeavingTeam", "StudentTeam", "arrays_of", "check", "check_team", "export"]

#: what exported agents run
SHIPPED = tuple(Path(str(module.__file__)) for module in (policy, heads, sight, policy_file, key_module))
KEYED = SHIPPED[-1:]  # of which agents that run elsewhere need the keys
TRIED = 32  # joint actions by which an export is checked


def npz_of(meta: Mapping[str, Any], arrays: Arrays) -> bytes:
    """The bytes of one agent's policy file."""
    buffer = io.BytesIO()
    np.savez(buffer, meta=np.array(json.dumps(meta)), digest=np.array(policy_file.digest(meta, arrays)),
             **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


Files = dict[str, dict[str, bytes]]  # by format and name
Content = Callable[[Mapping[str, Any], Arrays], bytes]
#: by format: what writes a file, its ending, and the programs that come with it
WRITERS: Mapping[str, tuple[Content, str, tuple[Path, ...]]] = {
    "numpy": (npz_of, "npz", SHIPPED), "onnx": (graph_of, "onnx", KEYED)}


def export(path: str, out: Path, key: str = "", form: str = "numpy") -> list[Path]:
    """Writes ``agent_<i>.npz`` or ``agent_<i>.onnx`` for every agent, the programs that read and run them, and
    ``team.json``, which says who they are and what each must be told.

    A file holds what this agent needs and no other agent's head.  All are written and compared with the controller
    before the first is put in place, so that a full disk or a fault leaves the team that was there.

    Args:
        path: a run's model folder, or one checkpoint in it.
        out: folder to write to, made if needed; a team that was exported there gives way to this one.
        key: see :class:`..build.Team`.
        form: ``numpy``, ``onnx`` (compared with the controller if onnxruntime is installed) or ``both``.

    Returns:
        The files of the agents.

    Raises:
        UserError: no team that can be exported, it does not do the same as its controller, or the folder cannot be
            written or holds files of somebody else by these names.
    """
    team = LeavingTeam(path, key)
    team.check_encoder()
    made = _files(team, form)
    names = [name for files in made.values() for name in files]
    programs = {source for form in made for source in WRITERS[form][2]}
    try:
        place = Place(out, {ending: [source.name for source in sources] for _, ending, sources in WRITERS.values()})
        place.check([*names, *(source.name for source in programs), MANIFEST])
        place.clear()
        with tempfile.TemporaryDirectory(dir=out, prefix=UNDER_WAY, ignore_cleanup_errors=True) as work:
            for name, content in ((name, content) for files in made.values() for name, content in files.items()):
                write_with(Path(work, name), lambda target, content=content: target.write(content))  # type: ignore[misc]
            compared = _compared(team, made, Path(work), TRIED)
            _refuse(compared)
            for source in programs:
                write_text(Path(work, source.name), source.read_text(encoding="utf-8"))
            write_text(Path(work, MANIFEST), json.dumps(_manifest(team, made, compared), indent=1) + "\n")
            place.put(Path(work))
    except OSError as error:
        raise UserError(f"the policies cannot be written to {out} ({reason(error)}).") from None
    return [out / name for name in names]


def check(path: str, steps: int, seed: int = 0, key: str = "", form: str = "both") -> dict[str, Compared]:
    """What the agents of a model would do, exported, beside its controller; nothing is left behind.

    Args:
        path: a run's model folder, or one checkpoint in it.
        steps: this many joint actions.
        seed: of the game, and of what agents draw.
        key: see :class:`..build.Team`.
        form: ``numpy``, ``onnx`` or ``both``.

    Returns:
        By format; without onnxruntime only NumPy's.

    Raises:
        UserError: no team that can be exported, or ``onnx`` is not installed.
    """
    return check_team(LeavingTeam(path, key), steps, seed, form)


def check_team(team: LeavingTeam, steps: int, seed: int = 0, form: str = "both") -> dict[str, Compared]:
    """The same of a team that is at hand."""
    team.check_encoder()
    made = _files(team, form)
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work:
            for name, content in ((name, content) for files in made.values() for name, content in files.items()):
                Path(work, name).write_bytes(content)
            return _compared(team, made, Path(work), steps, seed)
    except OSError as error:
        raise UserError(f"the agents cannot be tried: nothing can be written to the folder of temporary files "
                        f"({reason(error)}); choose another with TMPDIR=<folder>.") from None


def _compared(team: LeavingTeam, made: Files, folder: Path, steps: int, seed: int = 0) -> dict[str, Compared]:
    """Files in a folder beside the controller, by format."""
    metas = [meta for meta, _ in team.contents()]
    agents: dict[str, list[Acts]] = {}
    for form, files in made.items():
        if form == "numpy":
            agents[form] = [Policy.load(folder / name) for name in files]
        elif runtime():
            agents[form] = [OnnxPolicy(meta, (folder / name).read_bytes())
                            for meta, name in zip(metas, files, strict=True)]
    return compare(team, agents, steps, seed)


def _refuse(compared: Mapping[str, Compared]) -> None:
    """Lets nothing leave that acts otherwise than the controller.

    Raises:
        UserError: it does.
    """
    for name, found in compared.items():
        if not found.whole:
            raise UserError(f"the agents in {name} do not do what their controller does ({found.agreed} of "
                            f"{found.steps} joint actions, logits {found.apart:.1e} apart; {found.where}); nothing was "
                            "exported. Please report this.")


def runtime() -> bool:
    """Whether ONNX graphs can be run here."""
    from importlib.util import find_spec

    return find_spec("onnxruntime") is not None


def _files(team: LeavingTeam, form: str) -> Files:
    """By format and name, the files of the agents.

    Raises:
        UserError: there is no such format.
    """
    if not isinstance(form, str) or form not in (*WRITERS, "both"):
        raise UserError(f"the format of exported agents must be {', '.join(WRITERS)} or both, not {shown(form)}.")
    return {name: {f"agent_{agent}.{ending}": content(meta, arrays)
                   for agent, (meta, arrays) in enumerate(team.contents())}
            for name, (content, ending, _) in WRITERS.items() if form in (name, "both")}


def _manifest(team: LeavingTeam, made: Files, compared: Mapping[str, Compared]) -> dict[str, Any]:
    """What is to be known of the team by those who have it play."""
    agents = [meta for meta, _ in team.contents()]
    first = agents[0]
    facts = ("team", "method", "kind", "env", "env_args", "n_agents", "n_actions", "action_names", "input", "n_seen",
             "key_numbers", "key_per", "draws", "repeat_limit", "obs_last_action", "obs_agent_id", "encoder", "t_env")
    return {**{fact: first[fact] for fact in facts}, "model": team.folder.name,
            "remembers": bool(first["encoder"] != "memoryless" or first["obs_last_action"] or first["repeat_limit"]),
            "told": {f"agent_{meta['agent']}": [f"action of agent_{other}" for other in range(meta["before"])]
                     for meta in agents},
            **{fact: {f"agent_{meta['agent']}": meta[fact] for meta in agents} for fact in ("own_actions", "own_seen")},
            "files": {name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
                      for files in made.values() for name, content in files.items()},
            "checked": {name: f"{found.agreed} of {found.steps} joint actions as the controller's"
                        for name, found in compared.items()}}
