"""The grids of the paper's tables and figures."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from epymarl_cpa.config import FOLDER
from epymarl_cpa.experiments.grid import Cell, read_grid
from epymarl_cpa.experiments.sweep import main

ENVS = {"xor", "permutation", "bridge", "sensor", "aloha"}
BASELINES = ("bc", "bcq", "cql", "maicq", "maicq_tuned", "alberdice", "ar_bc")
RESULTS = Path(__file__).parents[2] / "docs/results"
PA = "cpa_pa pool_size=1 beta=1"


@cache
def grid(name: str) -> list[Cell]:
    return read_grid(name)


def ids(name: str, alg: str = "") -> set[str]:
    return {cell.id for cell in grid(name) if alg in ("", cell.alg)}


@pytest.mark.parametrize("name", sorted(file.stem for file in (FOLDER / "sweeps").glob("*.yaml")))
def test_every_grid_resolves(name: str) -> None:
    cells = grid(name)
    assert len({cell.id for cell in cells}) == len(cells)


@pytest.mark.parametrize("file", sorted(RESULTS.glob("*.jsonl")), ids=lambda file: file.stem)
def test_committed_rows_are_of_their_grids_present_settings(file: Path) -> None:
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert lines and {line["id"] for line in lines} <= ids(file.stem)


def test_table_1_is_complete() -> None:
    cells = grid("table1")
    assert {cell.env for cell in cells} == ENVS
    counts = Counter((cell.alg, cell.env, cell.config["dataset"]) for cell in cells)
    assert counts == {(alg, env, data): 20 if env == "xor" else 5
                      for alg in (*BASELINES, "cpa_ar", PA) for env in ENVS for data in ("good", "medium", "poor")}
    assert {(cell.alg, cell.env) for cell in cells if cell.stack} == {
        (alg, env) for alg in BASELINES for env in ("xor", "permutation")}
    assert {cell.alg for cell in cells if cell.teacher} == {PA}


def test_runs_that_several_grids_have_are_the_same_runs() -> None:
    """So that rows of one count in another."""
    assert ids("teacher") < ids("table1", "cpa_ar")
    assert ids("students", PA) < ids("table1", PA)
    assert ids("figure3") | ids("figure4") < ids("diversity")
    assert ids("figure5", "cpa_ar") < ids("teacher")
    assert {cell.teacher.id for cell in grid("successors") if cell.teacher} < ids("table1", "cpa_ar")


def test_the_smoke_test_has_every_method() -> None:
    methods = {file.stem for file in (FOLDER / "algs").glob("*.yaml")}
    assert {cell.alg.split()[0] for cell in grid("smoke")} == methods
    assert {cell.env for cell in grid("smoke")} == {"xor", "bridge"}


@pytest.mark.slow
def test_every_method_runs(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(str(tmp_path))
    assert main(["smoke"]) == 0
