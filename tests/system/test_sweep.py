"""Sweeps: rows, continuation, subsets, tables, and complaints."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from epymarl_cpa import __version__
from epymarl_cpa.experiments.sweep import main
from epymarl_cpa.experiments.sweeps.grid import read_grid
from epymarl_cpa.experiments.sweeps.jobs import Job
from epymarl_cpa.experiments.sweeps.progress import Progress
from epymarl_cpa.experiments.sweeps.subset import chosen
from epymarl_cpa.experiments.sweeps.work import work

GRID = """
algs: [cpa_ar, ar_bc lr=0.01]
envs: [xor]
datasets: [good]
seeds: [0]
with: [t_max=20, hidden_dim=8, test_nepisode=4, test_interval=10, recipes.good.episodes=50]
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
    assert row["id"] == rows[0].stem
    assert row["headline_optimum"] == 1.0
    assert row["peak_mb"] > 50
    assert [t for t, _ in row["curve"]] == [0, 10, 20]
    assert row["curve"][-1][1] == row["headline"]
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
    (("[0]", "[zero]"), "'seeds' must hold a list of whole numbers"),
    (("[0]", "[-1]"), "'seed' must be at least 0"),
    (("[0]", "{from: 3, to: 2}"), "or a span of at most 10000, as in {from: 1000, to: 1099}"),
    (("[0]", "{from: 0, to: 100000}"), "a span of at most 10000"),
    (("[0]", "{from: 0, until: 1}"), "or a span"),
    (("[xor]", "[1]"), "'envs' must hold a list of texts"),
    (("ar_bc lr=0.01", "''"), "'algs' has an entry that names no method"),
    (("seeds:", "stack: 1\nseeds:"), "'stack' must be true or false"),
    (("[0]", "[]"), "the list 'seeds' is empty, so that nothing would run"),
    (("[good]", "[]"), "the list 'datasets' is empty"),
    (("seeds:", "parts: [{parts: [{}]}]\nseeds:"), "a grid of 'parts' cannot have 'parts' itself"),
    (("[t_max=20,", "[local_results_path=x, t_max=20,"), "'local_results_path=x' cannot be set by a grid"),
    (("[t_max=20,", "[runner=record, t_max=20,"), "runner=record leaves no result"),
])
def test_a_bad_grid_is_refused_in_one_sentence(grid: Path, change: tuple[str, str], message: str,
                                               capsys: pytest.CaptureFixture[str]) -> None:
    grid.write_text(GRID.replace(*change))
    assert main([str(grid)]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1


def test_an_unknown_grid_lists_the_choices(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["teachers"]) == 2
    assert "did you mean 'teacher'?" in capsys.readouterr().err


def test_rows_are_told_apart_by_everything_that_decides_them(grid: Path) -> None:
    one = read_grid(str(grid))[0].id
    grid.write_text(GRID.replace("t_max=20", "t_max=21"))
    assert read_grid(str(grid))[0].id != one


def test_a_run_that_is_listed_twice_is_one(grid: Path) -> None:
    grid.write_text(GRID.replace("[0]", "[0, 0]").replace("[cpa_ar,", "[cpa_ar, cpa_ar,"))
    assert len(read_grid(str(grid))) == 2


def test_names_of_rows_are_never_longer_than_names_of_files_may_be(grid: Path) -> None:
    data = grid.parent / "/".join(["a" * 60] * 4) / "episodes.npz"
    grid.write_text(GRID.replace("datasets: [good]", f"datasets: ['{data}']"))
    one, two = read_grid(str(grid))
    assert one.id != two.id and max(len(spec.id) for spec in (one, two)) < 200
    assert one.id.rpartition("-")[2] != one.with_seed(1).id.rpartition("-")[2], "the digest tells them apart"


def test_folders_may_have_any_names(grid: Path) -> None:
    """Those with letters that mean something in YAML, too: models and records lie where the rows are."""
    for place in ("res #2", "a: b", "[x]"):
        assert main([str(grid), f"--out={place}", "--only=alg=cpa_ar"]) == 0
        row, = Path(place, "tiny").glob("*.json")
        assert (Path(place, "tiny") / json.loads(row.read_text())["model"]).exists()


def test_runs_that_only_evaluate_have_rows_too(grid: Path) -> None:
    """They leave no model; and what is said of models beside the sweep's own word is left out."""
    grid.write_text(GRID.replace("[t_max=20,", "[evaluate=true, save_model=true, t_max=20,"))
    assert main([str(grid), "--out=rows", "--backend=serial"]) == 0
    rows = [json.loads(file.read_text()) for file in Path("rows/tiny").glob("*.json")]
    assert [row["model"] for row in rows] == ["", ""] and all(0 <= row["headline"] <= 1 for row in rows)


def test_a_failing_run_costs_no_other(grid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grid.write_text(GRID.replace("[good]", "[./missing.npz, good]"))
    assert main([str(grid), "--out=rows", "--backend=serial"]) == 1
    said = capsys.readouterr()
    assert "2 runs failed" in said.err
    assert "missing.npz" in said.err
    assert "| xor | good | cpa_ar |" in said.out
    assert len(list(Path("rows/tiny").glob("*.json"))) == 2


def test_a_run_whose_settings_changed_since_the_sweep_began_gets_no_row(grid: Path) -> None:
    spec = read_grid(str(grid))[0]
    former = replace(spec, config={**spec.config, "lr": 0.25})  # as if a YAML file had been edited meanwhile
    assert work(Job((former,), "rows"), "") == (
        "its configuration has been changed since the sweep began; start the sweep again.")


def test_rows_tell_version_and_overrides(grid: Path) -> None:
    row, = work(Job((read_grid(str(grid))[0],), str(Path("rows").absolute())), "")
    assert (row["version"], row["with"][0]) == (__version__, "t_max=20")
    assert not any(override.startswith(("seed=", "dataset=")) for override in row["with"])


def test_any_subset_can_be_run(grid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grid.write_text(GRID.replace("[0]", "[0, 1]").replace("[good]", "[good, poor]"))
    chosen = ["--only=alg=ar_bc", "--only=dataset=good", "--only=seed=1"]
    assert main([str(grid), "--out=rows", "--backend=serial", *chosen, "--jsonl=all.jsonl"]) == 0
    assert "0 of 1 runs are done already" in capsys.readouterr().out
    row = json.loads(Path("all.jsonl").read_text())
    assert (row["alg"], row["dataset"], row["seed"]) == ("ar_bc lr=0.01", "good", 1)
    assert "model" not in row


@pytest.mark.parametrize(("only", "message"), [
    ("alg=ar_bd", "there is no alg 'ar_bd'; the choices are: cpa_ar, ar_bc lr=0.01"),
    ("env=bridge", "there is no env 'bridge'; the choices are: xor"),
    ("seed=1", "there is no seed '1'; the choices are: 0"),
    ("game=xor", "where key is one of alg, env, dataset, seed"),
    ("xor", "must be of the form key=value,value"),
])
def test_an_unknown_subset_is_refused(only: str, message: str, grid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(grid), f"--only={only}"]) == 2
    assert message in capsys.readouterr().err


def test_values_of_a_subset_add_up_and_entries_win_over_beginnings(grid: Path) -> None:
    grid.write_text(GRID.replace("[cpa_ar,", "[ar_bc, ar_bc lr=0.1,"))
    specs = read_grid(str(grid))
    assert [spec.alg for spec in chosen(specs, ["alg=ar_bc"])] == ["ar_bc"]
    assert [spec.alg for spec in chosen(specs, ["alg=ar_bc,ar_bc lr=0.1"])] == ["ar_bc", "ar_bc lr=0.1"]
    assert [spec.alg for spec in chosen(specs[1:], ["alg=ar_bc"])] == ["ar_bc lr=0.1", "ar_bc lr=0.01"]


@pytest.mark.parametrize("option", ["--workers=0", "--seeds=2", "--rows=nowhere.jsonl", "--jsonl=nowhere/x.jsonl",
                                    "--jsonl=."])
def test_bad_options_are_refused_in_one_sentence(option: str, grid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grid.write_text(GRID.replace("[cpa_ar, ar_bc lr=0.01]", "[ar_bc]"))
    assert main([str(grid), "--out=rows", "--backend=serial", option]) == 2
    said = capsys.readouterr().err
    assert said.startswith("Error: ") and len(said.splitlines()) == 1


def test_an_unwritable_folder_is_refused(grid: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("rows").write_text("a file")
    assert main([str(grid), "--out=rows"]) == 2
    assert "choose another folder with --out" in capsys.readouterr().err


def test_time_left_is_guessed_by_method_and_game_else_by_game(grid: Path) -> None:
    grid.write_text(GRID.replace("[0]", "[0, 1, 2]").replace("[xor]", "[xor, bridge]"))
    jobs = [Job((spec,), "rows") for spec in read_grid(str(grid))]
    progress = Progress(jobs, [{"alg": "cpa_ar", "env": "xor", "seconds": 10.0}])
    assert progress.line(2) == "0/12, 1 min left, kinds of runs not timed yet: 3"
    assert progress.seconds_left(2) == pytest.approx(60.0, abs=1), "as long as the only one known"
    progress.begin(jobs[0])
    progress.finish(jobs[0], [{"seconds": 20.0}])
    assert progress.seconds_left(1) == pytest.approx(11 * 15.0, abs=1)
    bridge = next(job for job in jobs if job.kind[:2] == ("cpa_ar", "bridge"))
    progress.finish(bridge, [{"seconds": 300.0}])
    assert progress.seconds_left(1) == pytest.approx(5 * 15.0 + 5 * 300.0, abs=1)
    assert progress.seconds_left(100) == pytest.approx(300.0, abs=1), "no shorter than the longest"
    progress.drop(jobs[1])
    assert progress.done == 3
