"""Where a sweep's jobs are done: the same rows everywhere, and no job that costs another."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from epymarl_cpa.errors import UserError
from epymarl_cpa.experiments import sweep
from epymarl_cpa.experiments.sweeps import backends
from epymarl_cpa.experiments.sweeps.backends import Local, make_backend
from epymarl_cpa.experiments.sweeps.grid import read_grid
from epymarl_cpa.experiments.sweeps.jobs import Job

pytestmark = pytest.mark.thorough

GRID = """
envs: [xor]
datasets: [good]
seeds: [0, 1]
with: [t_max=20, hidden_dim=8, test_nepisode=4, test_interval=10, recipes.good.episodes=50]
parts:
  - algs: [ar_bc, cpa_ar]
  - {algs: [cpa_pa student_t_max=5 pool_hidden=8], teachers: cpa_ar}
"""
LONG = """
algs: [ar_bc]
envs: [xor]
datasets: [good]
seeds: [0, 1]
with: [t_max=1000000, hidden_dim=8, test_nepisode=4, test_interval=1000000, recipes.good.episodes=50]
"""


@pytest.fixture(autouse=True)
def grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(GRID)
    Path("long.yaml").write_text(LONG)


def rows(*options: str, count: int = 6) -> list[dict[str, Any]]:
    """Rows of a sweep, without what differs from time to time."""
    assert sweep.main(["tiny.yaml", "--jsonl=all.jsonl", *options]) == 0
    found = list(map(json.loads, Path("all.jsonl").read_text().splitlines()))
    assert len(found) == count
    return [{key: value for key, value in row.items() if key not in ("seconds", "peak_mb")} for row in found]


def test_rows_do_not_depend_on_what_a_process_did_before() -> None:
    """One process for all jobs and a new one for each agree bit for bit."""
    assert rows("--out=a", "--backend=serial") == rows("--out=b", "--backend=local")


def test_ray_gives_the_same_rows() -> None:
    pytest.importorskip("ray")
    few = ("--only=alg=cpa_ar,cpa_pa", "--only=seed=1")
    with_ray = rows("--out=a", "--backend=ray", "--workers=1", *few, count=2)
    assert with_ray == rows("--out=b", "--backend=serial", *few, count=2)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert sweep.main(["tiny.yaml", "--out=a", "--backend=ray"]) == 2
    assert capsys.readouterr().err == "Error: --backend=ray needs Ray: pip install 'epymarl-cpa[ray]'.\n"


def test_a_ray_cluster_that_is_not_there_is_told() -> None:
    pytest.importorskip("ray")
    with pytest.raises(UserError, match="Ray cannot be reached at --ray-address=auto"):
        make_backend("ray", None, "auto")


def begin(backend: Local) -> list[Future[Any]]:
    """Two jobs that would go on for very long, in processes that have begun."""
    futures = [backend.submit(Job((spec,), str(Path("rows").resolve())), "") for spec in read_grid("long.yaml")]
    until(lambda: len(pids(backend)) == 2)
    return futures


def until(there: Callable[[], bool]) -> None:
    """Waits, on a busy machine also for long."""
    end = time.monotonic() + 120
    while not there():
        assert time.monotonic() < end, "nothing has come"
        time.sleep(0.05)


def pids(backend: Local) -> list[int]:
    return [process.pid for process in list(backend._processes) if process.pid]


def test_a_killed_worker_costs_no_other() -> None:
    backend = Local(2)
    try:
        one, two = begin(backend)
        os.kill(pids(backend)[0], signal.SIGKILL)
        until(lambda: one.done() or two.done())
        assert sorted([one.done(), two.done()]) == [False, True]
        told = (one if one.done() else two).result()
        assert told == "its process was ended from outside (status -9), perhaps for want of memory"
        small, *_ = read_grid("tiny.yaml")
        later = backend.submit(Job((small,), str(Path("rows").resolve())), "")
        assert later.result()[0]["id"] == small.id
    finally:
        backend.stop()
    assert one.done() and two.done()


def test_stopping_ends_what_goes_on_at_once() -> None:
    backend = Local(2)
    begin(backend)
    children = pids(backend)
    started = time.monotonic()
    backend.stop()
    assert time.monotonic() - started < 30  # instead of hours
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)


def test_a_sweep_goes_on_after_a_worker_was_killed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
                                                   ) -> None:
    made: list[Local] = []

    def make(*args: Any) -> Local:
        made.append(Local(1))
        return made[0]

    def kill_the_first() -> None:
        until(lambda: bool(made and pids(made[0])))
        os.kill(pids(made[0])[0], signal.SIGKILL)

    monkeypatch.setattr(backends, "make_backend", make)
    threading.Thread(target=kill_the_first, daemon=True).start()
    assert sweep.main(["tiny.yaml", "--out=a", "--only=alg=ar_bc"]) == 1
    said = capsys.readouterr()
    assert "1 runs failed" in said.err
    assert said.err.count("perhaps for want of memory") == 2, "when it happens, and in the end"
    assert len(list(Path("a/tiny").glob("*.json"))) == 1
