"""Programs of others beside ours, on the same data: recorded transitions learned from in a second."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...config import word
from ...errors import UserError
from ...utils.progress import counted
from .fresh import ONE_THREAD
from .plan import Plan
from .results import Row, Table
from .timing import digits
from .trials import trial_of

HERE = Path(__file__).parent
TURN = 1.0  # seconds of the processor that a turn takes, about


class Kind(NamedTuple):
    """A program of others.

    Attributes:
        title: what it is called.
        mark: a file in its folder, by which it is recognised.
        method: our method of the same equations.
    """

    title: str
    mark: str
    method: str


KINDS = {"alberdice": Kind("AlberDICE, its authors'", "pymarl-master/src/learners/alberdice_learner.py", "alberdice"),
         "maicq": Kind("MAICQ, its authors'", "ICQ-MA/src/learners/offpg_learner.py", "maicq"),
         "oryx": Kind("Oryx, its authors' (JAX)", "og_marl/baselines/jax_systems/offline/discrete_oryx.py", "oryx"),
         "offpymarl": Kind("ICQ of offpymarl", "src/learners/icq_learner.py", "maicq"),
         "ourselves": Kind("another checkout of this", "src/learners/cpa_ar_learner.py", "cpa_ar")}
GAMES = ("sensor", "aloha", "bridge")
NOTE = "Recorded transitions in the batches of a second of processor time, one thread, each program with its own " \
       "networks, batches and settings on the same medium data, every one in a process of its own, in turns. `same " \
       "method`: ours of the same equations; `teacher`: our `cpa_ar`. Drawing batches is in the time."


def measure(plan: Plan) -> list[Table]:
    """A table for each folder.

    Raises:
        UserError: none is given, or one is not known.
    """
    if not plan.peers:
        raise UserError("the part 'peers' needs the folder of a program: --peer=FOLDER (AlberDICE, MAICQ or Oryx of "
                        "their authors, offpymarl, or another checkout of this one).")
    known = [(folder, _recognised(folder)) for folder in plan.peers]
    tables = []
    for folder, name in known:
        rows: list[Row] = []
        games = _games(plan, name)
        for _, env in zip(counted(range(len(games)), f"beside {folder.name}", "games"), games, strict=True):
            rows.append(_row(plan, name, folder, env))
        tables.append(Table(f"Beside {KINDS[name].title}", rows, NOTE))
    return tables


def _games(plan: Plan, name: str) -> tuple[str, ...]:
    """On which games a program is measured; unless somebody says it, those of others where they have much to do."""
    if plan.only_games or (name == "ourselves" and not plan.quick):
        return plan.games
    return GAMES[-1:] if plan.quick else GAMES


def _recognised(folder: Path) -> str:
    """What kind of program is in a folder.

    Raises:
        UserError: none that is known.
    """
    for name, kind in KINDS.items():
        if (folder / kind.mark).is_file():
            return name
    marks = "; ".join(f"{kind.title}: {kind.mark}" for kind in KINDS.values())
    raise UserError(f"--peer={folder} holds no program that the benchmark knows ({marks}).")


def _row(plan: Plan, name: str, folder: Path, env: str) -> Row:
    """Theirs and ours on one game."""
    kind, trial = KINDS[name], trial_of(plan, "bc", env)
    data = trial.runner.dataset  # type: ignore[attr-defined]
    steps = float(data.filled.sum(1).mean() - 1)
    row: dict[str, Any] = {"game": env}
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        arrays, own = Path(place) / "arrays.npz", Path(place) / "data.npz"
        np.savez(arrays, state=data.state, actions=data.actions, available=data.avail_actions, reward=data.reward,
                 terminated=data.terminated, filled=data.filled)
        data.save(own)
        words = [word("datasets_path", place), *plan.words]
        about = {"env": env, "dataset": str(own), "steps": steps, "words": words, "warm": plan.times(30)}
        programs = {"theirs": (name, folder.absolute(), plan.python or sys.executable, kind.method),
                    "same method": ("ourselves", HERE.parents[1], sys.executable, kind.method),
                    "teacher": ("ourselves", HERE.parents[1], sys.executable, "cpa_ar")}
        if name == "ourselves":
            del programs["same method"]
        children: dict[str, Child] = {}
        for label, (which, where, python, method) in programs.items():
            try:
                child = started(python, which, where, arrays, {**about, "method": method})
                children[label] = stack.enter_context(child)
            except UserError as error:
                return {**row, "not measured": f"{label}: {error}"}
        rounds = [{label: child.rate() for label, child in children.items()} for _ in range(plan.rounds)]
    for label in children:
        row[f"{label}, 1/s"] = float(round(np.median([each[label] for each in rounds])))
    for label in [*children][1:]:
        row[f"{label} / theirs"] = digits(float(np.median([each[label] / each["theirs"] for each in rounds])), 3)
    return row


class Child:
    """Another program in a process of its own.

    Args:
        process: that has said it is ready.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._times = 1
        seconds, _ = self._do(1)
        self._times = max(1, round(TURN / max(seconds, 1e-6)))

    def rate(self) -> float:
        """Transitions in a second of processor time."""
        seconds, transitions = self._do(self._times)
        return transitions / max(seconds, 1e-9)

    def _do(self, times: int) -> tuple[float, float]:
        """Makes so many updates; seconds and transitions."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            print(times, file=self._process.stdin, flush=True)
        answer = answered(self._process)
        return answer["seconds"], answer["transitions"]


def answered(process: subprocess.Popen[str]) -> dict[str, float]:
    """What a child says next.

    Raises:
        UserError: it failed.
    """
    assert process.stdout is not None
    line = process.stdout.readline()
    answer: dict[str, Any] = json.loads(line) if line else {"error": "the process ended"}
    if "error" in answer:
        raise UserError(f"it failed with {answer['error']}")
    return answer


@contextlib.contextmanager
def started(python: str, kind: str, folder: Path, arrays: Path, about: dict[str, Any]) -> Iterator[Child]:
    """Starts another program, and ends it after the ``with`` block.

    Raises:
        UserError: it cannot be started.
    """
    command = [python, str(HERE / "others/child.py"), kind, str(folder), str(arrays), json.dumps(about)]
    with tempfile.TemporaryDirectory() as place:
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=place,
                                       stderr=subprocess.DEVNULL, env={**os.environ, **ONE_THREAD})
        except OSError as error:
            raise UserError(f"{python} cannot be started ({error.strerror}); name another with --python.") from None
        try:
            answered(process)
            yield Child(process)
        finally:
            process.kill()
            process.communicate()
