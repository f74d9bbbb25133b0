"""Sweeps that are stopped, damaged, continued elsewhere, or started twice."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from epymarl_cpa.experiments import sweep
from epymarl_cpa.experiments.rows.store import Store
from epymarl_cpa.experiments.sweeps import sweep as sweeps

pytestmark = pytest.mark.thorough

GRID = """
algs: [ar_bc, ar_bc lr=0.01]
envs: [xor]
datasets: [good]
seeds: [0, 1]
with: [t_max=20, hidden_dim=8, test_nepisode=4, test_interval=10, recipes.good.episodes=50]
"""
PASSING = ("seconds", "peak_mb", "model")
COMMAND = ["tiny.yaml", "--out=rows"]


@pytest.fixture(autouse=True)
def grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(GRID)


def run(*options: str, status: int = 0) -> None:
    assert sweep.main([*COMMAND, "--backend=serial", *options]) == status


def rows(folder: str = "rows/tiny") -> list[dict[str, Any]]:
    """All rows, without what differs from time to time."""
    found = [json.loads(file.read_text()) for file in sorted(Path(folder).glob("*.json"))]
    return [{key: value for key, value in row.items() if key not in PASSING} for row in found]


def test_a_sweep_that_is_killed_at_any_moment_continues_to_the_same_rows() -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["epymarl_cpa.experiments.sweeps.stack", "epymarl_cpa.cli"])

    def disturbed(seconds: float | None, *options: str) -> bool:
        """Whether the sweep was killed before its end."""
        process = context.Process(target=sweep.main, args=([*COMMAND, "--backend=serial", *options],))
        process.start()
        process.join(seconds)
        process.kill()
        process.join()
        return process.exitcode == -signal.SIGKILL

    context.Process().start()  # the server takes some seconds to import everything
    disturbed(None, "--out=warm", "--only=alg=ar_bc", "--only=seed=0")
    started = time.monotonic()
    assert not disturbed(None, "--out=undisturbed")
    length, luck = time.monotonic() - started, random.Random(1)
    assert any([disturbed(luck.uniform(0.1, 0.9) * length) for _ in range(5)])
    run()
    assert rows() == rows("undisturbed/tiny")
    assert len(rows()) == 4


def test_a_sweep_that_is_stopped_writes_the_rows_that_it_has(monkeypatch: pytest.MonkeyPatch,
                                                             capsys: pytest.CaptureFixture[str]) -> None:
    told = sweeps._told

    def stopping(outcome: list[dict[str, Any]]) -> str:
        if len(rows()) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return told(outcome)

    monkeypatch.setattr(sweeps, "_told", stopping)
    run("--jsonl=have.jsonl", status=130)
    assert len(Path("have.jsonl").read_text().splitlines()) == 2
    assert "continues with what is missing" in capsys.readouterr().err


@pytest.mark.slow
def test_a_whole_process_group_that_is_killed_continues_to_the_same_rows() -> None:
    """As above, with worker processes of its own, and by signals that leave time and that leave none."""
    run("--out=undisturbed")
    line = [sys.executable, "-m", "epymarl_cpa.experiments.sweep", *COMMAND]
    luck = random.Random(2)
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGKILL):
        process = subprocess.Popen(line, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        time.sleep(luck.uniform(3.0, 12.0))
        os.killpg(process.pid, number)
        process.communicate(timeout=30)
    assert subprocess.run(line, capture_output=True).returncode == 0
    assert rows() == rows("undisturbed/tiny")


@pytest.mark.parametrize(("damage", "told"), [
    (lambda text: text[:40], "is damaged or half-written"),
    (lambda text: "", "is damaged or half-written"),
    (lambda text: "[1, 2]", "is damaged or half-written"),
    (lambda text: text.replace("seed0", "seed7", 1), "holds the row of another run"),
    (lambda text: text.replace('"headline":', '"headline?":'), "has no usable 'headline'"),
    (lambda text: text.replace('"seed": 0', '"seed": "0"'), "has no usable 'seed'"),
], ids=["cut", "empty", "list", "other", "lacking", "type"])
def test_a_damaged_row_is_told_and_made_again(damage: Any, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    only = ("--only=seed=0", "--only=alg=ar_bc")
    run(*only)
    before, file = rows(), next(Path("rows/tiny").glob("ar_bc-*.json"))
    file.write_text(damage(file.read_text()))
    capsys.readouterr()
    run(*only)
    said = capsys.readouterr()
    assert said.err.count(told) == len(said.err.splitlines()) == 1
    assert "0 of 1 runs are done already" in said.out
    assert rows() == before


def test_rows_from_elsewhere_count_and_are_told_again(capsys: pytest.CaptureFixture[str]) -> None:
    run("--jsonl=all.jsonl")
    lines = Path("all.jsonl").read_text().splitlines()
    assert [json.loads(line)["alg"] for line in lines] == ["ar_bc", "ar_bc", "ar_bc lr=0.01", "ar_bc lr=0.01"]
    without_id = json.dumps({key: value for key, value in json.loads(lines[0]).items() if key != "id"})
    Path("some.jsonl").write_text("\n".join([without_id, lines[1]]))
    Path("more.jsonl").write_text("\n".join([lines[3], lines[3].replace("-seed1-", "-seed8-")]))
    capsys.readouterr()
    run("--out=new", "--rows=some.jsonl", "--rows=more.jsonl", "--jsonl=again.jsonl")
    said = capsys.readouterr()
    assert "1 of 4 given rows have no 'id' and are ignored" in said.err
    assert "1 of 3 given rows are of other grids or settings and are left out" in said.err
    assert "2 of 4 runs are done already" in said.out
    assert len(rows("new/tiny")) == 2
    again = Path("again.jsonl").read_text().splitlines()
    assert [again[1], again[3]] == [lines[1], lines[3]]
    assert [json.loads(line)["id"] for line in again] == [json.loads(line)["id"] for line in lines]
    run("--out=newest", "--rows=again.jsonl", "--only=seed=0", "--jsonl=again.jsonl")
    assert Path("again.jsonl").read_text().splitlines() == again, "nothing is lost by looking at a part only"


def test_rows_of_a_folder_win_over_given_ones() -> None:
    run("--jsonl=all.jsonl")
    given = {row["id"]: {**row, "seconds": -1.0} for row in map(json.loads, Path("all.jsonl").read_text().splitlines())}
    store = Store(Path("rows/tiny"), given)
    one, two, *_ = given
    assert all(row["seconds"] >= 0 for row in store.rows([one, two]))
    Path(f"rows/tiny/{one}.json").unlink()
    assert [row["seconds"] for row in store.rows([one, two])] == [-1.0, -1.0], "one source for all of a stack"


def test_a_given_file_that_is_cut_off_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("cut.jsonl").write_text('{"id": "x", "alg"')
    run("--rows=cut.jsonl", status=2)
    assert "cut.jsonl, line 1" in capsys.readouterr().err


def test_a_second_sweep_in_the_same_folder_is_refused_until_the_first_has_ended(capsys: pytest.CaptureFixture[str],
                                                                                ) -> None:
    with Store(Path("rows/tiny")).locked():
        run("--jsonl=refused.jsonl", status=2)
        assert not Path("refused.jsonl").exists()
        said = capsys.readouterr().err
        assert f"another sweep is writing to rows/tiny (process {os.getpid()}); wait for its end" in said
        assert len(said.splitlines()) == 1
    run("--only=alg=ar_bc", "--only=seed=0")
