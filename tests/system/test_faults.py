"""Every write that fails or is cut off, at every step, leaves what was there before or what was to be, and is told.

Each fault happens in a process of its own: the step numbered ``n`` of its kind fails, for all n until none is reached.
"""

from __future__ import annotations

import builtins
import errno
import io
import json
import logging
import os
import resource
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import torch as th
from helpers import Built
from outcome import Outcome

from epymarl_cpa.data.dataset import OfflineDataset
from epymarl_cpa.data.generate import generate
from epymarl_cpa.data.store import write_dataset
from epymarl_cpa.deploy.export import export
from epymarl_cpa.deploy.policy import Policy
from epymarl_cpa.errors import UserError
from epymarl_cpa.experiments.rows.store import Store
from epymarl_cpa.records.apart import Apart
from epymarl_cpa.records.folder import Folder
from epymarl_cpa.utils import checkpoint
from epymarl_cpa.utils.manifest import read_manifest
from epymarl_cpa.utils.tensor_files import load_tensors, save_tensors

pytestmark = pytest.mark.thorough

REACHED, UNREACHED, TOLD = 7, 8, 9
Write, Read = Callable[[int], None], Callable[[], set[int]]


# ------------------------------------------------------------------------------------------------- what is written
class Learner:
    def __init__(self, value: int) -> None:
        self.value = value

    def save_models(self, path: str) -> None:
        save_tensors({"w": th.full((5000,), self.value)}, Path(path) / "learner.th")


def checkpoints() -> tuple[Write, Read]:
    """The same t_env is saved again, and others stay."""
    facts = {"game": {}, "config": {"seed": 1}}

    def read() -> set[int]:
        read_manifest(Path("models/10"))
        folder, _ = checkpoint.find_whole("models", 0)
        assert folder.name == "20" or folder.name.startswith(".old-20")
        return {int(load_tensors(folder / "learner.th")["w"][0])}

    def write(value: int) -> None:
        checkpoint.save(Path("models"), 10, Learner(0), {}, facts) if value == 1 else None
        checkpoint.save(Path("models"), 20, Learner(value), {"n": value}, facts, {"series": {}})
        checkpoint.prune(Path("models"), 2)

    return write, read


def rows() -> tuple[Write, Read]:
    def write(value: int) -> None:
        row = {"env": "xor", "dataset": "good", "alg": "bc", "headline": 1, "headline_optimum": 1, "seconds": 1,
               "peak_mb": 1, "seed": value}
        Store(Path("rows")).write([{"id": "one", **row, "more": "x" * 5000}])

    return write, lambda: {row["seed"] for row in Store(Path("rows")).rows(["one"])}


def data() -> tuple[Write, Read]:
    game = Built("bc", "xor").game

    def write(value: int) -> None:
        made = generate(game, {"episodes": 20, "mixture": {"random": 1.0}}, value)
        write_dataset(iter([made]), Path("data.npz"), force=value > 1)

    return write, lambda: {int(OfflineDataset.load(Path("data.npz")).meta["seed"])}


def records() -> tuple[Write, Read]:
    """A heartbeat with new points; the first one is whole."""
    now = datetime.now(UTC)
    apart = Apart(Folder("runs"), "runs")

    def write(value: int) -> None:
        if value == 1:
            apart.started_event({"sources": [], "base_dir": "."}, "trial", {}, now, {"seed": 1}, {}, None)
        apart.log_metrics({"x": {"values": [value], "steps": [value], "timestamps": [now]}}, {})
        apart.heartbeat_event({"n": [value] * 500}, "said\n" * value, now, None)

    def read() -> set[int]:
        here = Outcome(0, Path("runs/1"), None)
        assert here.record("run")["status"] == "RUNNING"
        assert here.record("config") == {"seed": 1}
        assert Path("runs/1/cout.txt").read_text() in ("said\n", "said\nsaid\n")
        assert here.record("info")["n"] in ([1] * 500, [2] * 500)
        return {here.series()["x"][-1][0]}

    return write, read


def exports(students: Mapping[int, str]) -> tuple[Write, Read]:
    def read() -> set[int]:
        found = {Policy.load(file).meta["t_env"] for file in Path("agents").glob("agent_*.npz")}
        return {1 if each == 2 else 2 for each in found}

    def write(value: int) -> None:
        export(students[value], Path("agents"))

    return write, read


# ---------------------------------------------------------------------------------------------------- what goes wrong
def faults(kind: str, n: int, killed: bool) -> Callable[[], bool]:
    """Lets the step ``n`` of a kind fail in this process, or be its last; tells whether it came to that."""
    left = [n]

    def wrapped(function: Callable[..., Any], writes: Callable[..., bool] = lambda *a, **k: True) -> Any:
        def fails(*args: Any, **how: Any) -> Any:
            if not writes(*args, **how):
                return function(*args, **how)
            left[0] -= 1
            if left[0] == -1:
                if killed:
                    os.kill(os.getpid(), signal.SIGKILL)
                number = errno.EACCES if kind == "open" else errno.ENOSPC
                raise OSError(number, os.strerror(number))
            return function(*args, **how)

        return fails

    def to_write(file: Any, mode: str = "r", *args: Any, **how: Any) -> bool:
        return any(letter in mode for letter in "wax+")

    if kind == "open":
        builtins.open = io.open = wrapped(open, to_write)  # type: ignore[misc]
        tempfile.mkstemp, tempfile.mkdtemp = wrapped(tempfile.mkstemp), wrapped(tempfile.mkdtemp)
    elif kind == "fsync":
        os.fsync = wrapped(os.fsync)
    else:
        os.replace, os.rename = wrapped(os.replace), wrapped(os.rename)
    return lambda: left[0] < 0


def in_a_process(work: Callable[[], int]) -> int:
    """Does the work in a fork of this process; returns its exit status, negative for a signal."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(work())
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def attempt(write: Write, reached: Callable[[], bool]) -> int:
    try:
        write(2)
    except UserError as error:
        assert "\n" not in str(error)
        assert any(words in str(error) for words in ("the disk is full", "Permission denied", "File too large"))
        return TOLD
    return REACHED if reached() else UNREACHED


@pytest.fixture(scope="module")
def students(tmp_path_factory: pytest.TempPathFactory) -> Mapping[int, str]:
    """Two checkpoints of a team, by the number that stands for them."""
    from epymarl_cpa.cli import main

    here = tmp_path_factory.mktemp("students")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(here)
        assert main(["main.py", "--config=cpa_pa", "--env-config=xor", "-u", "with", "t_max=1", "student_t_max=2",
                     "test_interval=1", "test_nepisode=2", "recipes.medium.episodes=20", "hidden_dim=8",
                     "pool_hidden=8", "batch_size=4", "seed=1"]) == 0
    folder, = (here / "results/models").iterdir()
    return {1: str(folder / "2"), 2: str(folder / "3")}


@pytest.fixture(params=["checkpoints", "rows", "data", "records", "exports"])
def writer(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.chdir(tmp_path)
    make = {"checkpoints": checkpoints, "rows": rows, "data": data, "records": records}.get(request.param)
    write, read = make() if make else exports(request.getfixturevalue("students"))
    write(1)
    assert read() == {1}
    yield request.param, write, read


@pytest.mark.parametrize("kind", ["open", "fsync", "rename"])
@pytest.mark.parametrize("killed", [False, True])
def test_a_write_that_fails_anywhere(kind: str, killed: bool, writer: Any) -> None:
    name, write, read = writer
    for n in range(60):
        def work(n: int = n) -> int:
            reached = faults(kind, n, killed)
            return attempt(write, reached)

        status = in_a_process(work)
        assert status in ((-signal.SIGKILL, UNREACHED) if killed else (TOLD, REACHED, UNREACHED)), (kind, n)
        if status == UNREACHED:
            break
        # Files of an export are put in place one by one; whose they are stands in each.
        found, mixed = read(), name == "exports" and kind == "rename"
        assert found in ({1}, {2}) or (mixed and found == {1, 2}), (kind, n, found)
        if not killed and name != "records":
            assert not [path for path in Path().rglob(".*") if path.name != ".lock"], "nothing half-made is left"
    else:
        pytest.fail("it never came to its end")
    assert n > 0, "there was something to fail"
    assert read() == {2}
    write(2)  # what was left by kills is no hindrance
    assert read() == {2}
    assert not [path for path in Path().rglob(".*") if path.name[:5] in (".savi", ".old-", ".expo")]


def test_a_disk_that_takes_no_more(writer: Any) -> None:
    """Real writes that are cut off after so many bytes."""
    _, write, read = writer
    for limit in (0, 1, 100, 1500):
        def work(limit: int = limit) -> int:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            return attempt(write, lambda: True)

        assert in_a_process(work) in (TOLD, REACHED)
        assert read() in ({1}, {2})


def test_what_was_not_recorded_is_given_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full for a while costs a record nothing but time, and is told once."""
    monkeypatch.chdir(tmp_path)
    told: list[str] = []
    monkeypatch.setattr(logging.getLogger("epymarl_cpa"), "warning", lambda text, *rest: told.append(text % rest))
    now, folder = datetime.now(UTC), Folder("runs")
    apart = Apart(folder, "runs")
    apart.started_event({"sources": [], "base_dir": "."}, "trial", {}, now, {}, {}, None)

    def beat(step: int) -> None:
        apart.log_metrics({"x": {"values": [1.0 * step], "steps": [step], "timestamps": [now]}}, {})
        apart.heartbeat_event({}, "word\n" * step, now, None)

    beat(1)
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left")))
        beat(2)
        beat(3)
        assert [t for t, _ in Outcome(0, Path("runs/1"), None).series()["x"]] == [1]
    beat(4)
    assert [t for t, _ in Outcome(0, Path("runs/1"), None).series()["x"]] == [1, 2, 3, 4]
    assert Path("runs/1/cout.txt").read_text() == "word\n" * 4
    assert told == ["the run goes on, but is not recorded in runs at present (the disk is full)"]
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left")))
        beat(5)
    apart.completed_event(now, 1.0)
    assert json.loads(Path("runs/1/run.json").read_text())["status"] == "COMPLETED"
    assert [t for t, _ in Outcome(0, Path("runs/1"), None).series()["x"]] == [1, 2, 3, 4, 5], "the last one, too"
