"""Sweeps: rows, continuation, tables, and complaints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from epymarl_cpa.experiments.grid import read_grid
from epymarl_cpa.experiments.sweep import main

GRID = """
algs: [cpa_ar, ar_bc lr=0.01]
envs: [xor]
datasets: [good]
seeds: [0]
with: [t_max=20, hidden_dim=8, test_nepisode=4, recipes.good.episodes=50]
"""


@pytest.fixture
def grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tiny.yaml"
    path.write_text(GRID)
    return path


def test_a_sweep_leaves_rows_and_does_nothing_twice(grid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(grid), "--out=rows"]) == 0
    first = capsys.readouterr().out
    assert "0 of 2 runs are done already" in first
    assert "| xor | good | cpa_ar |" in first
    assert "| xor | good | ar_bc lr=0.01 |" in first
    rows = sorted(Path("rows/tiny").glob("*.json"))
    assert len(rows) == 2
    row = json.loads(rows[0].read_text())
    assert row["headline_optimum"] == 1.0
    assert row["peak_mb"] > 50
    before = [file.stat().st_mtime_ns for file in rows]
    assert main([str(grid), "--out=rows"]) == 0
    assert "2 of 2 runs are done already" in capsys.readouterr().out
    assert [file.stat().st_mtime_ns for file in rows] == before


@pytest.mark.parametrize(("change", "message"), [
    (("seeds", "seed"), "unknown key 'seed' (did you mean 'seeds'?)"),
    (("cpa_ar,", "cpa_arr,"), "unknown --config=cpa_arr (did you mean 'cpa_ar'?)"),
    (("[xor]", "[xorr]"), "unknown --env-config=xorr (did you mean 'xor'?)"),
    (("t_max=20", "tmax=20"), "unknown config key 'tmax' (did you mean 't_max'?)"),
    (("[0]", "0"), "'seeds' must hold a list"),
])
def test_a_bad_grid_is_refused_in_one_sentence(grid: Path, change: tuple[str, str], message: str,
                                               capsys: pytest.CaptureFixture[str]) -> None:
    grid.write_text(GRID.replace(*change))
    assert main([str(grid)]) == 2
    assert message in capsys.readouterr().err


def test_an_unknown_grid_lists_the_choices(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["teachers"]) == 2
    assert "did you mean 'teacher'?" in capsys.readouterr().err


def test_rows_are_told_apart_by_everything_that_decides_them(grid: Path) -> None:
    one = read_grid(str(grid))[0].row_name()
    grid.write_text(GRID.replace("t_max=20", "t_max=21"))
    assert read_grid(str(grid))[0].row_name() != one


def test_a_failing_run_costs_no_other(grid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grid.write_text(GRID.replace("[good]", "[./missing.npz, good]"))
    assert main([str(grid), "--out=rows", "--workers=1"]) == 1
    said = capsys.readouterr()
    assert "2 runs failed" in said.err
    assert "missing.npz" in said.err
    assert "| xor | good | cpa_ar |" in said.out
    assert len(list(Path("rows/tiny").glob("*.json"))) == 2
