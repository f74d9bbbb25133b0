"""Sweeps whose runs start from the models of another sweep, and their tables."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from epymarl_cpa.experiments import table
from epymarl_cpa.experiments.rows.store import Store
from epymarl_cpa.experiments.sweep import main
from epymarl_cpa.experiments.sweeps.grid import read_grid

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


def plain(found: list[dict[str, object]]) -> list[dict[str, object]]:
    """Rows without what differs from time to time."""
    return [{key: value for key, value in row.items() if key not in ("seconds", "peak_mb", "model")} for row in found]


def test_missing_teachers_are_trained_first_and_only_the_needed_ones(grids: Path, capsys: pytest.CaptureFixture[str],
                                                                     ) -> None:
    assert main(["learn.yaml", "--out=rows", "--backend=serial"]) == 0
    out = capsys.readouterr().out
    assert [row["seed"] for row in rows("rows/teach")] == [1]
    evaluated, learned = rows("rows/learn")
    assert (evaluated["alg"], learned["alg"]) == ("cpa_ar beta=0.2", "cpa_pa beta=0.2 student_t_max=5 pool_hidden=8")
    assert "tv" in learned and "tv" not in evaluated
    assert "| xor | good | cpa_ar beta=0.2 |" in out
    assert "TV to teacher" in out
    models = list(Path("rows").glob("*/runs/models/*"))
    assert len(models) == 2, "the teacher's and the students'; what is evaluated is not trained again"
    assert main(["learn.yaml", "--out=rows", "--backend=serial"]) == 0
    assert "2 of 2 runs are done already" in capsys.readouterr().out


def test_a_sweep_without_the_needed_teacher_is_refused(grids: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("learn.yaml").write_text(STUDENTS.replace("seeds: [1]", "seeds: [7]"))
    assert main(["learn.yaml", "--out=rows", "--backend=serial"]) == 2
    assert "the sweep 'teach.yaml' trains no teacher for xor, good, 7" in capsys.readouterr().err


def test_two_teachers_for_one_task_are_refused(grids: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("both.yaml").write_text(TEACHERS.replace("[cpa_ar]", "[cpa_ar, ar_bc]").replace(", policy_start=0.0", ""))
    Path("learn.yaml").write_text(STUDENTS.replace("teach.yaml", "both.yaml"))
    assert main(["learn.yaml", "--out=rows", "--backend=serial"]) == 2
    assert "the sweep 'both.yaml' trains 2 teachers for xor, good, 1, where it must be one" in capsys.readouterr().err


def test_a_sweep_cannot_be_its_own_teacher(grids: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("learn.yaml").write_text(STUDENTS.replace("teach.yaml", "learn.yaml"))
    assert main(["learn.yaml", "--out=rows", "--backend=serial"]) == 2
    assert "the sweep 'learn.yaml' cannot train teachers, since it needs some itself" in capsys.readouterr().err


def test_a_teacher_whose_model_is_gone_is_trained_again_if_a_student_is_missing(grids: Path) -> None:
    assert main(["learn.yaml", "--out=rows", "--backend=serial"]) == 0
    before = rows("rows/learn")
    shutil.rmtree("rows/teach/runs")
    assert main(["learn.yaml", "--out=rows", "--backend=serial"]) == 0
    assert not Path("rows/teach/runs").exists(), "no student needs it"
    for file in Path("rows/learn").glob("cpa_pa*.json"):
        file.unlink()
    assert main(["learn.yaml", "--out=rows", "--backend=serial"]) == 0
    assert len(list(Path("rows/teach/runs/models").iterdir())) == 1
    assert plain(rows("rows/learn")) == plain(before)


def test_students_of_a_teacher_that_failed_are_told(grids: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in ("teach.yaml", "learn.yaml"):
        Path(file).write_text(Path(file).read_text().replace("[good]", "[./missing.npz]"))
    assert main(["learn.yaml", "--out=rows", "--backend=serial"]) == 1
    said = capsys.readouterr().err
    assert "3 runs failed" in said
    assert said.count("its teacher could not be trained") == 4, "two students, when it happens and in the end"


def test_students_of_a_teacher_whose_model_cannot_be_seen_are_told(
        grids: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a cluster without a shared folder; they must not train teachers of their own instead."""
    monkeypatch.setattr(Store, "model", lambda self, name, counts=None: "")
    assert main(["learn.yaml", "--out=rows", "--backend=serial"]) == 1
    assert "its teacher's model is not there; all machines must share the folder of --out" in capsys.readouterr().err
    assert not list(Path("rows/learn").glob("*.json"))


SELF = """
envs: [xor]
datasets: [good]
seeds: [1]
with: [t_max=20, hidden_dim=8, test_nepisode=4, recipes.good.episodes=50, policy_start=0.0]
parts:
  - {algs: [cpa_pa beta=0.2 student_t_max=5 pool_hidden=8], teachers: cpa_ar}
  - algs: [cpa_ar]
"""


def test_teachers_may_be_runs_of_the_same_sweep(grids: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which are then trained once, and first; only those that a subset needs."""
    Path("self.yaml").write_text(SELF.replace("[cpa_ar]", "[ar_bc, cpa_ar]").replace("policy_start=0.0", "gamma=0.9"))
    assert main(["self.yaml", "--out=rows", "--backend=serial", "--only=alg=cpa_pa"]) == 0
    assert [row["alg"] for row in rows("rows/self")] == ["cpa_ar", "cpa_pa beta=0.2 student_t_max=5 pool_hidden=8"]
    assert main(["self.yaml", "--out=rows", "--backend=serial"]) == 0
    assert "2 of 3 runs are done already" in capsys.readouterr().out
    assert len(list(Path("rows/self/runs/models").iterdir())) == 3


def test_students_are_the_same_wherever_their_teachers_come_from(grids: Path) -> None:
    """Their ids, too, so that rows of one sweep count in another."""
    Path("self.yaml").write_text(SELF)
    learn = STUDENTS.replace(", test_greedy=false", "").replace("  - algs: [cpa_ar beta=0.2]\n", "")
    Path("learn.yaml").write_text(learn)
    assert {spec.id for spec in read_grid("self.yaml")} == {
        *(spec.id for spec in read_grid("learn.yaml")),
        *(spec.id for spec in read_grid("teach.yaml") if spec.config["seed"] == 1)}


def test_teachers_may_be_an_entry_of_a_sweep_that_has_others_and_students_too(grids: Path) -> None:
    Path("self.yaml").write_text(SELF.replace("[cpa_ar]", "[ar_bc, cpa_ar]").replace("policy_start=0.0", "gamma=0.9"))
    learn = STUDENTS.replace("policy_start=0.0", "gamma=0.9").replace("teach.yaml", "{self.yaml: cpa_ar}")
    Path("learn.yaml").write_text(learn)
    assert main(["learn.yaml", "--out=rows", "--backend=serial", "--only=alg=cpa_pa"]) == 0
    assert [row["alg"] for row in rows("rows/self")] == ["cpa_ar"]


def test_stacked_runs_leave_no_models_for_students(grids: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("self.yaml").write_text(SELF.replace("- algs", "- stack: true\n    algs"))
    assert main(["self.yaml", "--out=rows"]) == 2
    assert "the runs of 'cpa_ar' are stacked, which leaves no models for 'teachers'" in capsys.readouterr().err
    Path("self.yaml").write_text(SELF.replace("teachers: cpa_ar", "teachers: cpa_ar, stack: true"))
    assert main(["self.yaml", "--out=rows"]) == 2
    assert "does not go with 'stack: true'" in capsys.readouterr().err


@pytest.mark.parametrize(("change", "message"), [
    (("teachers: teach.yaml", "teachers: [1]"), "'teachers' must name a sweep"),
    (("teachers: teach.yaml", "teachers: {teach.yaml: 1}"), "'teachers' must name a sweep"),
    (("teachers: teach.yaml", "teachers: {teach.yaml: bc}"), "the sweep 'teach.yaml' trains no teacher"),
    (("teachers: teach.yaml", "teachers: {nowhere: cpa_ar}"), "unknown sweep 'nowhere'"),
    (("parts:\n", "parts: 3\nx:\n"), "'parts' must hold a list of grids"),
    (("teachers: teach.yaml", "teacher: teach.yaml"), "unknown key 'teacher' (did you mean 'teachers'?)"),
    (("teachers: teach.yaml", "teachers: nowhere"), "unknown sweep 'nowhere'"),
])
def test_a_bad_grid_with_teachers_is_refused(change: tuple[str, str], message: str, grids: Path,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    Path("learn.yaml").write_text(STUDENTS.replace(*change))
    assert main(["learn.yaml", "--out=rows", "--backend=serial"]) == 2
    assert message in capsys.readouterr().err


def test_tables_of_folders_and_files_put_methods_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                                              ) -> None:
    common = {"headline_optimum": 1.0, "seconds": 1.0, "peak_mb": 1, "seed": 0}
    given = [{**common, "env": env, "dataset": "good", "alg": alg, "headline": value}
             for alg, value in (("a", 0.5), ("b", 1.0)) for env in ("xor", "bridge")]
    given.append({**common, "env": "xor", "dataset": "good", "alg": "a", "seed": 1, "headline": 1.0,
                  "joint_entropy": 1.5})
    (tmp_path / "rows").mkdir()
    for i, row in enumerate(given[:3]):
        (tmp_path / f"rows/{i}.json").write_text(json.dumps(row))
    (tmp_path / "more.jsonl").write_text("\n".join(json.dumps(row) for row in given[3:]))
    assert table.main([str(tmp_path / "rows"), str(tmp_path / "more.jsonl")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[:3] for line in lines[2:6]] == [
        ["| xor", "good", "a"], ["| xor", "good", "b"], ["| bridge", "good", "a"], ["| bridge", "good", "b"]]
    assert "0.7500 ± 0.2500 | 0.5000" in lines[2]
    assert "| 1.500 |" in lines[-3]
    assert lines[-1] == "5 of 5 rows were made by other or unknown code: 5 by unknown code."
    assert table.main([str(tmp_path / "rows"), str(tmp_path / "more.jsonl"), "--compact"]) == 0
    assert capsys.readouterr().out.splitlines()[2:4] == [
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
