"""Sweeps that train the seeds of a method together."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from epymarl_cpa.errors import UserError
from epymarl_cpa.experiments.rows.store import Store
from epymarl_cpa.experiments.sweep import main
from epymarl_cpa.experiments.sweeps.grid import read_grid

GRID = """
algs: [ar_bc]
envs: [xor]
datasets: [good]
seeds: [3, 1, 2]
stack: true
with: [t_max=20, hidden_dim=8, test_nepisode=4, test_interval=10, recipes.good.episodes=50]
"""
ALL = ["grid.yaml", "--out=rows", "--backend=serial"]


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The seeds of every stack that is trained, by something that looks like training."""
    monkeypatch.chdir(tmp_path)
    Path("grid.yaml").write_text(GRID)
    seen: list[list[int]] = []

    def train_stack(configs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        seen.append([config["seed"] for config in configs])
        assert {config["local_results_path"] for config in configs} == {"rows/grid/runs"}
        return [{"headline": config["seed"] / 10, "headline_optimum": 1.0, "curve": [[0, 0.0]], "made_by": {}}
                for config in configs]

    module = ModuleType("stack")
    module.train_stack = train_stack  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "epymarl_cpa.experiments.sweeps.stack", module)
    return seen


def rows() -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in sorted(Path("rows/grid").glob("*.json"))]


def test_a_stack_is_one_job_with_a_row_for_every_seed(calls: list[list[int]], capsys: pytest.CaptureFixture[str],
                                                      ) -> None:
    assert main([*ALL, "--jsonl=all.jsonl"]) == 0
    assert calls == [[3, 1, 2]]
    assert "[1/1, 0 min left] ar_bc-xor-good-3_seeds: 0.2000 of 1.0000" in capsys.readouterr().out
    assert [(row["seed"], row["headline"], row["stacked"]) for row in rows()] == [(1, 0.1, 3), (2, 0.2, 3), (3, 0.3, 3)]
    assert [json.loads(line)["seed"] for line in Path("all.jsonl").read_text().splitlines()] == [3, 1, 2]
    assert main(ALL) == 0
    assert main([*ALL, "--out=new", "--rows=all.jsonl"]) == 0
    assert len(calls) == 1


def test_a_stack_is_always_done_as_a_whole(calls: list[list[int]], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ALL, "--only=seed=1"]) == 0
    assert calls == [[3, 1, 2]]
    assert len(rows()) == 3
    next(Path("rows/grid").glob("*seed2-*.json")).unlink()
    capsys.readouterr()
    assert main([*ALL, "--only=seed=1"]) == 0
    assert "0 of 1 runs are done already" in capsys.readouterr().out
    assert calls == [[3, 1, 2]] * 2


def test_a_crash_between_the_rows_of_a_stack_never_leaves_old_ones_beside_new_ones(
        calls: list[list[int]], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(ALL) == 0
    old = rows()
    written: list[Path] = []

    def crash(path: Path, text: str) -> None:
        if written:
            raise KeyboardInterrupt
        written.append(path)
        path.write_text(text)

    monkeypatch.setattr("epymarl_cpa.experiments.rows.store.write_text", crash)
    with pytest.raises(KeyboardInterrupt):
        Store(Path("rows/grid")).write([{**row, "seconds": 9.0} for row in old])
    assert [row["seconds"] for row in rows()] == [9.0]
    assert Store(Path("rows/grid")).rows([row["id"] for row in old]) == []


def test_ids_cover_the_stack(calls: list[list[int]]) -> None:
    def ids(text: str) -> list[str]:
        Path("grid.yaml").write_text(text)
        return [spec.id for spec in read_grid("grid.yaml")]

    stacked = ids(GRID)
    variants = [GRID.replace("true", "false"), GRID.replace("[3, 1, 2]", "[1, 2, 3]"), GRID.replace("1, 2]", "1]")]
    assert all(not set(stacked) & set(ids(variant)) for variant in variants)
    assert ids("parts: [{stack: true}]\n" + GRID.replace("stack: true", "")) == stacked


def test_a_stack_that_fails_costs_no_other_job(calls: list[list[int]], monkeypatch: pytest.MonkeyPatch,
                                               capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(configs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        raise UserError("this cannot be stacked.")

    monkeypatch.setattr(sys.modules["epymarl_cpa.experiments.sweeps.stack"], "train_stack", refuse)
    single = "{algs: [ar_bc lr=0.01], stack: false, seeds: [0]}"
    Path("grid.yaml").write_text(GRID.replace("algs: [ar_bc]", f"parts: [{{algs: [ar_bc]}}, {single}]"))
    assert main(ALL) == 1
    assert "ar_bc-xor-good-3_seeds: this cannot be stacked." in capsys.readouterr().err
    assert [row["alg"] for row in rows()] == ["ar_bc lr=0.01"]


def test_real_stacks_agree_with_single_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found: list[list[list[float]]] = []
    for stack in ("true", "false"):
        Path("grid.yaml").write_text(GRID.replace("stack: true", f"stack: {stack}").replace("[ar_bc]", "[bc]"))
        assert main([*ALL, f"--out={stack}", f"--jsonl={stack}.jsonl"]) == 0
        lines = Path(f"{stack}.jsonl").read_text().splitlines()
        found.append([json.loads(line)["curve"] for line in lines])
    assert found[0] == found[1]
