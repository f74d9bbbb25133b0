"""Sweeps whose runs start from the models of another sweep, and their tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from epymarl_cpa.experiments import table
from epymarl_cpa.experiments.sweep import main

TEACHERS = """
algs: [cpa_ar]
envs: [xor]
datasets: [good]
seeds: [0, 1]
with: [t_max=20, hidden_dim=8, test_nepisode=4, recipes.good.episodes=50, policy_start=0.0]
"""
STUDENTS = """
teachers: teach.yaml
envs: [xor]
datasets: [good]
seeds: [1]
with: [t_max=20, hidden_dim=8, test_nepisode=4, recipes.good.episodes=50, policy_start=0.0, test_greedy=false]
parts:
  - algs: [cpa_ar beta=0.2]
  - algs: [cpa_pa beta=0.2 student_t_max=5 pool_hidden=8]
"""


@pytest.fixture
def grids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("teach.yaml").write_text(TEACHERS)
    Path("learn.yaml").write_text(STUDENTS)
    return tmp_path


def rows(folder: str) -> list[dict[str, object]]:
    return [json.loads(file.read_text()) for file in sorted(Path(folder).glob("*.json"))]


def test_missing_teachers_are_trained_first_and_only_the_needed_ones(grids: Path, capsys: pytest.CaptureFixture[str],
                                                                     ) -> None:
    assert main(["learn.yaml", "--out=rows", "--workers=1"]) == 0
    out = capsys.readouterr().out
    assert [row["seed"] for row in rows("rows/teach")] == [1]
    evaluated, learned = rows("rows/learn")
    assert (evaluated["alg"], learned["alg"]) == ("cpa_ar beta=0.2", "cpa_pa beta=0.2 student_t_max=5 pool_hidden=8")
    assert "tv" in learned and "tv" not in evaluated
    assert "| xor | good | cpa_ar beta=0.2 |" in out
    assert "TV to teacher" in out
    models = list(Path("rows").glob("*/runs/models/*"))
    assert len(models) == 2, "the teacher's and the students'; what is evaluated is not trained again"
    assert main(["learn.yaml", "--out=rows", "--workers=1"]) == 0
    assert "2 of 2 runs are done already" in capsys.readouterr().out


def test_a_sweep_without_the_needed_teacher_is_refused(grids: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("learn.yaml").write_text(STUDENTS.replace("seeds: [1]", "seeds: [7]"))
    assert main(["learn.yaml", "--out=rows", "--workers=1"]) == 2
    assert "the sweep 'teach.yaml' trains no teacher for xor, good, 7" in capsys.readouterr().err


def test_two_teachers_for_one_task_are_refused(grids: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("both.yaml").write_text(TEACHERS.replace("[cpa_ar]", "[cpa_ar, ar_bc]").replace(", policy_start=0.0", ""))
    Path("learn.yaml").write_text(STUDENTS.replace("teach.yaml", "both.yaml"))
    assert main(["learn.yaml", "--out=rows", "--workers=1"]) == 2
    assert "the sweep 'both.yaml' trains 2 teachers for xor, good, 1, where it must be one" in capsys.readouterr().err


def test_a_sweep_cannot_be_its_own_teacher(grids: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("learn.yaml").write_text(STUDENTS.replace("teach.yaml", "learn.yaml"))
    assert main(["learn.yaml", "--out=rows", "--workers=1"]) == 2
    assert "the sweep 'learn.yaml' cannot train teachers, since it needs some itself" in capsys.readouterr().err


def test_a_teacher_whose_model_is_gone_is_told_apart(grids: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["teach.yaml", "--out=rows", "--workers=1"]) == 0
    for file in Path("rows/teach").glob("*.json"):
        row = json.loads(file.read_text())
        del row["model"]
        file.write_text(json.dumps(row))
    assert main(["learn.yaml", "--out=rows", "--workers=1"]) == 1
    assert "the model of its teacher is gone; remove rows/teach/cpa_ar-xor-good-seed1-" in capsys.readouterr().err


@pytest.mark.parametrize(("change", "message"), [
    (("teachers: teach.yaml", "teachers: [1]"), "'teachers' must name a sweep"),
    (("parts:\n", "parts: 3\nx:\n"), "'parts' must hold a list of grids"),
    (("teachers: teach.yaml", "teacher: teach.yaml"), "unknown key 'teacher' (did you mean 'teachers'?)"),
    (("teachers: teach.yaml", "teachers: nowhere"), "unknown sweep 'nowhere'"),
])
def test_a_bad_grid_with_teachers_is_refused(change: tuple[str, str], message: str, grids: Path,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    Path("learn.yaml").write_text(STUDENTS.replace(*change))
    assert main(["learn.yaml", "--out=rows", "--workers=1"]) == 2
    assert message in capsys.readouterr().err


def test_tables_of_folders_and_files_put_methods_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                                              ) -> None:
    common = {"headline_optimum": 1.0, "seconds": 1.0, "peak_mb": 1, "seed": 0}
    given = [{**common, "env": env, "dataset": "good", "alg": alg, "headline": value}
             for alg, value in (("a", 0.5), ("b", 1.0)) for env in ("xor", "bridge")]
    given.append({**common, "env": "xor", "dataset": "good", "alg": "a", "headline": 1.0, "joint_entropy": 1.5})
    (tmp_path / "rows").mkdir()
    for i, row in enumerate(given[:3]):
        (tmp_path / f"rows/{i}.json").write_text(json.dumps(row))
    (tmp_path / "more.jsonl").write_text("\n".join(json.dumps(row) for row in given[3:]))
    assert table.main([str(tmp_path / "rows"), str(tmp_path / "more.jsonl")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[:3] for line in lines[2:6]] == [
        ["| xor", "good", "a"], ["| xor", "good", "b"], ["| bridge", "good", "a"], ["| bridge", "good", "b"]]
    assert "0.7500 ± 0.2500 | 0.5000" in lines[2]
    assert "| 1.500 |" in lines[-1]
    assert table.main([str(tmp_path / "rows"), str(tmp_path / "more.jsonl"), "--compact"]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == [
        "| xor | good | 0.7500 ± 0.2500 (0.5000) | 1.0000 ± 0.0000 (1.0000) | 1.0000 |",
        "| bridge | good | 0.5000 ± 0.0000 (0.5000) | 1.0000 ± 0.0000 (1.0000) | 1.0000 |"]
    assert table.main([str(tmp_path / "rows"), "--jsonl"]) == 0
    assert [json.loads(line)["alg"] for line in capsys.readouterr().out.splitlines()] == ["a", "a", "b"]
    assert table.main([str(tmp_path / "nowhere")]) == 2
    (tmp_path / "other.jsonl").write_text('{"a": 1}\n[1]')
    (tmp_path / "empty").mkdir()
    for source in ("other.jsonl", "empty"):
        assert table.main([str(tmp_path / source)]) == 2
        assert "rows of sweeps are needed" in capsys.readouterr().err
