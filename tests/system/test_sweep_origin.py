"""Rows say what made them: other code is told and done anew on demand, other rules never count."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from epymarl_cpa.data.__main__ import main as data
from epymarl_cpa.envs import Game
from epymarl_cpa.experiments import recompute, table
from epymarl_cpa.experiments.rows.origin import of_other_code
from epymarl_cpa.experiments.sweep import main
from epymarl_cpa.experiments.sweeps import validity
from epymarl_cpa.experiments.sweeps.grid import read_grid
from epymarl_cpa.experiments.sweeps.jobs import Job
from epymarl_cpa.experiments.sweeps.recomputing import Agreement, compared
from epymarl_cpa.experiments.sweeps.work import work
from epymarl_cpa.provenance import code_digest, versions

pytestmark = pytest.mark.thorough

SETTINGS = "[t_max=20, hidden_dim=8, test_nepisode=4, test_interval=10, recipes.good.episodes=50]"
GRID = f"""
envs: [xor]
datasets: [good]
seeds: [0, 1]
with: {SETTINGS}
parts:
  - algs: [ar_bc, cpa_ar]
  - {{algs: [cpa_pa student_t_max=5 pool_hidden=8], teachers: cpa_ar}}
  - {{algs: [bc], stack: true}}
"""
ALL = ["tiny.yaml", "--out=rows", "--backend=serial"]


@pytest.fixture(autouse=True)
def grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(GRID)


def files(pattern: str = "*") -> list[Path]:
    return sorted(Path("rows/tiny").glob(f"{pattern}.json"))


def change(pattern: str, **changes: Any) -> None:
    """Changes what rows say of their origin, or other keys of them."""
    for file in files(pattern):
        row = json.loads(file.read_text())
        origin = {key: value for key, value in changes.items() if key in ("code", "rules", "at")}
        rest = {key: value for key, value in changes.items() if key not in origin}
        file.write_text(json.dumps({**row, "made_by": {**row["made_by"], **origin}, **rest}))


def test_new_rows_say_what_made_them() -> None:
    assert main(ALL) == 0
    by_alg = {row["alg"].split()[0]: row["made_by"] for row in (json.loads(file.read_text()) for file in files())}
    spec = read_grid("tiny.yaml")[0]
    assert by_alg["ar_bc"]["code"] == code_digest(spec.config) != by_alg["cpa_ar"]["code"]
    assert {*by_alg["bc"]} == {"code", "versions", "rules", "data", "recipe", "at"}
    assert by_alg["bc"]["versions"] == versions(spec.config)
    stacked = next(spec for spec in read_grid("tiny.yaml") if spec.stack)
    assert by_alg["bc"]["code"] == validity.code_now(stacked) != code_digest(stacked.config), "a stack's code counts"


def test_rows_of_other_code_count_are_told_and_done_anew_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    only = "--only=alg=ar_bc,bc"
    assert main([*ALL, only]) == 0
    assert "other code" not in capsys.readouterr().out
    change("ar_bc*", code="1a2b3c4d5e6f", at="2026-11-20")
    change("bc*seed1*", code=None, at="2026-11-14")
    before = {file: file.read_text() for file in files()}
    assert main([*ALL, only, "--jsonl=kept.jsonl"]) == 0
    out = capsys.readouterr().out
    assert "4 of 4 runs are done already" in out
    told = ("3 of 4 rows were made by other or unknown code: 2 by code 1a2b3c4d5e6f since 2026-11-20, "
            "1 by unknown code since 2026-11-14")
    assert f"{told}; --redo makes them anew\n" in out
    assert len(Path("kept.jsonl").read_text().splitlines()) == 4
    assert table.main(["rows/tiny"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{told}."
    assert main([*ALL, "--redo", "--only=alg=ar_bc", "--only=seed=1"]) == 0
    assert "1 of 1 rows were made by other or unknown code: 1 by code 1a2b3c4d5e6f since 2026-11-20; they are made " \
        "anew" in capsys.readouterr().out
    assert [file.name.partition("-xor")[0] for file in files() if file.read_text() != before[file]] == ["ar_bc"]
    assert main([*ALL, "--redo", only]) == 0
    assert "1 of 4 runs are done already" in capsys.readouterr().out, "one of the stack counts for nothing by itself"
    assert main([*ALL, "--redo", only]) == 0
    assert "4 of 4 runs are done already\n" in capsys.readouterr().out


def test_a_teacher_of_other_code_is_done_anew_before_its_student() -> None:
    only = ["--only=alg=cpa_pa", "--only=seed=0"]
    assert main([*ALL, *only]) == 0
    teacher, student = (file.read_text() for file in files())
    change("*", code=None)
    assert main([*ALL, *only, "--redo"]) == 0
    redone = [json.loads(file.read_text()) for file in files()]
    assert [row["headline"] for row in redone] == [json.loads(text)["headline"] for text in (teacher, student)]
    assert [row["made_by"] for row in redone] == [json.loads(text)["made_by"] for text in (teacher, student)]
    assert redone[0]["model"] != json.loads(teacher)["model"]


def test_rows_of_other_rules_never_count(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(Game, "rules", lambda game: "now")
    monkeypatch.setattr(validity, "_rules_now", validity._rules_now.__wrapped__)
    only = ["--only=alg=ar_bc"]
    assert main([*ALL, *only, "--jsonl=all.jsonl"]) == 0
    change("*seed0*", rules="former")
    capsys.readouterr()
    assert main([*ALL, *only]) == 0
    said = capsys.readouterr()
    assert f"the row {files()[0].stem} was made with other rules of xor; it is made anew\n" == said.err
    assert "1 of 2 runs are done already" in said.out
    assert {json.loads(file.read_text())["made_by"]["rules"] for file in files()} == {"now"}
    Path("former.jsonl").write_text(Path("all.jsonl").read_text().replace('"rules": "now"', '"rules": "former"'))
    assert main([*ALL, *only, "--out=new", "--rows=former.jsonl"]) == 0
    assert "2 rows were made with other rules of xor; they are made anew" in capsys.readouterr().err
    former = Path("former.jsonl").read_text().splitlines()
    for _ in range(2):  # written over itself, with another part of the grid
        assert main([*ALL, "--out=newer", "--only=alg=bc", "--rows=former.jsonl", "--jsonl=former.jsonl"]) == 0
    assert [json.loads(line)["alg"] for line in Path("former.jsonl").read_text().splitlines()] == ["bc", "bc"]
    assert Path("former.left_out.jsonl").read_text().splitlines() == former
    assert capsys.readouterr().err.count("lines of former.jsonl are of no run that counts in this grid now") == 1


def test_rows_of_a_file_of_other_data_never_count(capsys: pytest.CaptureFixture[str]) -> None:
    make = ["make", "--env-config=xor", "--quality=good", "--out=mine.npz"]
    assert data(make) == 0
    Path("own.yaml").write_text(GRID.replace("[good]", "[mine.npz]").partition("parts:")[0] + "algs: [ar_bc]\n")
    line = ["own.yaml", "--out=rows", "--backend=serial"]
    assert main(line) == main(line) == 0
    assert "2 of 2 runs are done already" in capsys.readouterr().out
    Path("mine.npz").unlink()
    assert data([*make, "--seed=1"]) == 0
    assert main(line) == 0
    said = capsys.readouterr()
    assert "2 rows were made with other data than those in mine.npz now; they are made anew" in said.err
    assert "0 of 2 runs are done already" in said.out


def test_what_lies_beside_data_may_be_anything(capsys: pytest.CaptureFixture[str]) -> None:
    """A link that leads nowhere, such as editors leave, is none of the data."""
    assert data(["make", "--env-config=xor", "--quality=good", "--out=mine.mapped"]) == 0
    Path("own.yaml").write_text(GRID.replace("[good]", "[mine.mapped]").partition("parts:")[0] + "algs: [ar_bc]\n")
    line = ["own.yaml", "--out=rows", "--backend=serial"]
    assert main(line) == 0
    Path("mine.mapped/.#notes").symlink_to("nowhere")
    assert main(line) == 0
    assert "2 of 2 runs are done already" in capsys.readouterr().out


def test_rows_of_other_settings_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ALL, "--only=alg=ar_bc"]) == 0
    Path("tiny.yaml").write_text(GRID.replace("hidden_dim=8", "hidden_dim=9"))
    assert main([*ALL, "--only=alg=ar_bc"]) == 0
    assert "2 rows in rows/tiny are of other settings, or of a version that named rows otherwise" in \
        capsys.readouterr().err


def test_a_run_that_an_observer_ended_counts_only_where_that_observer_is_wanted(capsys: pytest.CaptureFixture[str],
                                                                               ) -> None:
    only = ["--only=alg=ar_bc", "--only=seed=0"]
    assert main([*ALL, *only]) == 0
    change("*", stopped={"by": "patience", "t_env": 10})
    spec, row = read_grid("tiny.yaml")[0], json.loads(files()[0].read_text())
    assert not validity.unfit(replace(spec, config={**spec.config, "observers": ["patience"]}), row)
    capsys.readouterr()
    assert main([*ALL, *only]) == 0
    assert f"the row {files()[0].stem} was ended early by 'patience', which is not among this grid's observers; " \
        "it is made anew" in capsys.readouterr().err
    assert "stopped" not in json.loads(files()[0].read_text())


def test_code_that_changed_since_the_sweep_began_makes_no_row() -> None:
    spec = read_grid("tiny.yaml")[0]
    assert work(Job((spec,), "rows", code="0" * 12), "") == (
        "the code here is not that with which the sweep began; start the sweep again.")


def test_many_codes_are_summed_up() -> None:
    rows = [{"made_by": {"code": f"code{i // 2}", "at": f"2026-11-{10 + i}"}} for i in range(10)]
    assert of_other_code(rows, lambda row: "code4") == (
        "8 of 10 rows were made by other or unknown code: 2 by code code0 since 2026-11-10, 2 by code code1 since "
        "2026-11-12, 2 by code code2 since 2026-11-14, 2 by 1 further code since 2026-11-16")


def test_a_sample_of_rows_is_recomputed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ALL, "--jsonl=tiny.jsonl"]) == 0
    rows = [json.loads(line) for line in Path("tiny.jsonl").read_text().splitlines()]
    wrong = next(row for row in rows if row["alg"].startswith("cpa_pa"))
    wrong.update(headline=wrong["headline"] - 0.5, made_by={"code": None, "at": "2026-11-14", "commit": "fa9e519"})
    near = next(row for row in rows if row["alg"] == "bc")
    near["headline"] += 1e-9
    Path("mine.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in [*rows, {**rows[0], "id": "strange"}]))
    capsys.readouterr()
    before = sorted(Path().rglob("*"))
    command = ["mine.jsonl", "--grid=tiny.yaml", "--backend=serial", "--only=seed=0"]
    assert recompute.main([*command, "--out=found.md"]) == 0
    said = capsys.readouterr()
    assert "1 of 9 rows are of other grids or settings and are left out" in said.err
    assert "Of 4 rows, 2 agree to the last digit, 1 within what another machine does, 1 not." in said.out
    assert f"{wrong['id']} (made by unknown code, 2026-11-14): not, {wrong['headline']:.10g} recorded, " \
        f"{wrong['headline'] + 0.5:.10g} now" in said.out
    assert f"{rows[0]['id']} (made by this code, {rows[0]['made_by']['at']}): to the last digit" in said.out
    page = Path("found.md").read_text()
    assert page.startswith("# A sample of mine.jsonl, recomputed\n\nOf 4 rows, 2 agree to the last digit, ")
    assert f"| {wrong['id']} | unknown code, 2026-11-14 |" in page
    assert sorted(Path().rglob("*")) == sorted([*before, Path("found.md")]), "nothing else is left behind"
    drawn = []
    for seed in (0, 0, 1):
        assert recompute.main([*command, "--sample=1", f"--seed={seed}"]) == 0
        drawn.append([line for line in capsys.readouterr().out.splitlines() if "(made by" in line])
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(("recorded", "now", "agreement"), [
    ({"headline": 0.5}, {"headline": 0.5, "curve": [[0, 0.1]]}, Agreement.EXACT),
    ({"headline": 0.5, "curve": [[0, 0.1]]}, {"headline": 0.5, "curve": [[0, 0.1]]}, Agreement.EXACT),
    ({"headline": 0.5, "curve": [[0, 0.1]]}, {"headline": 0.5, "curve": [[0, 0.2]]}, Agreement.CLOSE),
    ({"headline": 1e6}, {"headline": 1e6 + 0.5}, Agreement.CLOSE),
    ({"headline": 0.501}, {"headline": 0.504}, Agreement.CLOSE),
    ({"headline": 0.5}, {"headline": 0.51}, Agreement.DIFFERENT),
    ({"headline": 0.5}, None, Agreement.FAILED)])
def test_agreement(recorded: dict[str, Any], now: dict[str, Any] | None, agreement: Agreement) -> None:
    found = compared({**recorded, "made_by": {"code": "abc"}}, now, "abc")
    assert (found.agreement, found.same_code) == (agreement, True)


@pytest.mark.parametrize(("options", "message"), [
    (["nowhere.jsonl"], "nowhere.jsonl cannot be read"),
    (["tiny.jsonl", "--grid=smoke"], "holds no row of such runs of the grid 'smoke'"),
    (["tiny.jsonl", "--grid=smokes"], "unknown sweep 'smokes'"),
    (["tiny.jsonl", "--grid=tiny.yaml", "--only=seed=7"], "there is no seed '7'"),
    (["tiny.jsonl", "--grid=tiny.yaml", "--sample=0"], "must be at least 1"),
    (["tiny.jsonl", "--grid=tiny.yaml", "--out=nowhere/x.md"], "choose another with --out")])
def test_bad_input_of_recompute_is_one_sentence(options: list[str], message: str,
                                                capsys: pytest.CaptureFixture[str]) -> None:
    row = {"id": "x", "alg": "bc", "env": "xor", "dataset": "good", "seed": 0, "headline": 1.0,
           "headline_optimum": 1.0, "seconds": 1.0, "peak_mb": 1}
    Path("tiny.jsonl").write_text(json.dumps(row))
    assert recompute.main(options) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("Error: ") and message in said
