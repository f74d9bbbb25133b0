"""Reports: what is written, from committed rows and from made-up ones, and complaints."""

from __future__ import annotations

import csv
import html
import importlib
import json
import platform
import re
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from epymarl_cpa.errors import UserError
from epymarl_cpa.experiments.report import main
from epymarl_cpa.experiments.reports.document import Field, Section, markdown, web_page
from epymarl_cpa.experiments.reports.marl_export import marl_eval_json
from epymarl_cpa.experiments.rows.paper import Methods
from epymarl_cpa.experiments.rows.reading import read_rows
from epymarl_cpa.experiments.table import main as table

RESULTS = Path(__file__).parents[2] / "docs/results"
QUICK = "--repetitions=200"


def row(alg: str, seed: int = 0, dataset: str = "good", headline: float = 1.0, **more: Any) -> dict[str, Any]:
    return {"alg": alg, "env": "xor", "dataset": dataset, "seed": seed, "headline": headline, "headline_optimum": 1.0,
            "seconds": 1.5, "peak_mb": 300, **more}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    def to_file(*rows: dict[str, Any]) -> str:
        (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
        return str(tmp_path / "rows.jsonl")

    return to_file


def read_csv(file: Path) -> list[dict[str, str]]:
    with open(file, newline="", encoding="utf-8") as text:
        return list(csv.DictReader(text))


def aloha_good_by_ar() -> tuple[float, float]:
    """Mean and population standard deviation of one cell, straight from the committed rows."""
    rows = [json.loads(line) for line in (RESULTS / "teacher.jsonl").read_text().splitlines()]
    messages = [row["headline"] for row in rows if (row["env"], row["dataset"]) == ("aloha", "good")]
    assert len(messages) == 5
    return statistics.fmean(messages), statistics.pstdev(messages)


def test_the_committed_rows_make_the_papers_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources = [str(RESULTS / "teacher.jsonl"), str(RESULTS / "students.jsonl")]
    assert main([*sources, f"--out={tmp_path / 'out'}", QUICK]) == 0
    assert "report.html" in capsys.readouterr().out
    cells = read_csv(tmp_path / "out/table1.csv")
    methods = {json.loads(line)["alg"] for file in sources for line in Path(file).read_text().splitlines()}
    assert len(cells) == 15 * len(methods)
    assert len(methods) == 3
    aloha = next(cell for cell in cells if (cell["env"], cell["dataset"], cell["method"]) == ("aloha", "good", "AR"))
    mean, spread = aloha_good_by_ar()
    assert 96.8 < mean < 97.0
    assert float(aloha["mean"]) == pytest.approx(mean)
    assert float(aloha["population_std"]) == pytest.approx(spread)
    assert (aloha["paper_mean"], aloha["reaches_paper"], aloha["best_or_tied"]) == ("76.12", "1", "1")
    assert all(cell["reaches_paper"] in ("1", "") for cell in cells)
    text = (tmp_path / "out/report.md").read_text()
    assert "| Task | AR | PA | PA likeliest entry | Optimum |" in text
    assert f"| Aloha Good<br>aloha, good | **{mean:.2f} ± {spread:.2f}**<br>paper 76.12 ± 0.63 ✓ |" in text
    assert "| XOR Complete<br>xor, poor | **1.00 ± 0.00**<br>paper 1.00 ± 0.00 ✓ |" in text
    assert "Seeds 0, 1, 2, 3, 4" in text
    assert "Over 15 of 15 tasks" in text
    assert {line["method"]: line["runs"] for line in read_csv(tmp_path / "out/times.csv")} == {
        "AR": "75", "PA": "75", "PA likeliest entry": "75"}
    best = {line["method"]: float(line["value"]) for line in read_csv(tmp_path / "out/aggregate.csv")
            if line["statistic"] == "IQM"}
    assert all(0.999 < value <= 1.0 for value in best.values())
    assert len(read_csv(tmp_path / "out/improvement.csv")) == 6


def test_the_page_needs_nothing_else_and_tells_no_host(tmp_path: Path) -> None:
    assert main([str(RESULTS / "teacher.jsonl"), f"--out={tmp_path / 'out'}", QUICK]) == 0
    page = (tmp_path / "out/report.html").read_text()
    assert not re.search(r"(src|href)=\"(?!data:)|https?:|@import|url\(", page)
    mean, spread = aloha_good_by_ar()
    assert f"<strong>{mean:.2f} ± {spread:.2f}</strong><br><small>paper 76.12 ± 0.63 ✓</small>" in page
    for text in (page, (tmp_path / "out/report.md").read_text()):
        assert platform.python_version() in text
        assert platform.node() not in text
        assert str(tmp_path) not in text


def test_names_are_text_not_markup(write: Callable[..., str], tmp_path: Path) -> None:
    assert main([write(row("<b>|x*")), f"--out={tmp_path / 'out'}", QUICK]) == 0
    page, text = ((tmp_path / f"out/report.{kind}").read_text() for kind in ("html", "md"))
    assert "&lt;b&gt;|x*" in page
    assert "<b>" not in page + text
    assert "&lt;b&gt;\\|x\\*" in text


def test_a_document_keeps_its_order(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"png")
    sections = [Section("One", ["name", "value"], [[Field("a"), Field("1", bold=True, below="2")]], notes=["so_so"]),
                Section("Two", pictures=[(tmp_path / "a.png", "a & b")])]
    assert markdown("T", sections, tmp_path).splitlines()[2:] == [
        "## One", "", "| name | value |", "|---|---|", "| a | **1**<br>2 |", "", "so\\_so", "", "## Two", "",
        "![a &amp; b](a.png)", "", "a &amp; b"]
    page = web_page("T", sections)
    assert "<th scope=\"row\">a</th><td><strong>1</strong><br><small>2</small></td>" in page
    assert "<img alt=\"a &amp; b\" src=\"data:image/png;base64,cG5n\">" in page


def test_what_is_left_out_is_said(write: Callable[..., str], tmp_path: Path,
                                  capsys: pytest.CaptureFixture[str]) -> None:
    source = write(row("bc"), row("bc", 1), row("cql beta=1"), row("qmix"), row("cql", dataset="poor"), row("cql", 0),
                   row("cql", 1, curve=[[0, 0.5], [9, 1.0]]), {**row("bc"), "dataset": "./mine.npz"})
    assert main([source, f"--out={tmp_path / 'out'}", QUICK]) == 0
    said = capsys.readouterr().out
    assert "'cql beta=1' (1), 'qmix' (1), 'bc' (1)." in said
    assert "BC is left out of xor in marl_eval.json" in said
    assert "./mine.npz" not in (tmp_path / "out/report.md").read_text()
    assert "Left out, since they lack some of these tasks (number that they have): BC (1)." in \
        (tmp_path / "out/report.md").read_text()
    assert "(1 seed)" in (tmp_path / "out/report.md").read_text()


def test_rows_that_are_too_short_are_told(write: Callable[..., str], tmp_path: Path,
                                          capsys: pytest.CaptureFixture[str]) -> None:
    """A tenth of what the configuration says is enough, as is what one's own configuration says."""
    told = "Too short to mean anything: {} of runs of less than a tenth of what their method's configuration says ({})"
    for words, rows in {
            ("2 of 4 rows are", "t_max=20 instead of 600"): [
                row("bc", **{"with": ["t_max=20"]}), row("cpa_pa student_t_max=20"), row("cql t_max=60"),
                row("mine t_max=1")],
            ("All 2 rows are", "t_max=59 instead of 600"): [row("bc t_max=59"), row("bc t_max=59", 1)]}.items():
        assert main([write(*rows), f"--out={tmp_path / 'out'}", QUICK]) == 0
        said = told.format(*words)
        assert said in capsys.readouterr().out
        assert html.escape(said) in (tmp_path / "out/report.html").read_text()
        assert (tmp_path / "out/report.md").read_text().index("## Read this first") < 200
        assert table([write(*rows)]) == 0 and said in capsys.readouterr().out
    for good in (row("bc t_max=60"), row("bc"), row("mine t_max=5"), row("bc t_max=²"), row("bc t_max=x")):
        assert main([write(good), f"--out={tmp_path / 'out'}", QUICK]) == 0
        assert "Too short" not in capsys.readouterr().out


def test_columns_are_chosen_by_name(write: Callable[..., str], tmp_path: Path,
                                    capsys: pytest.CaptureFixture[str]) -> None:
    source = write(row("bc"), row("cql"), row("cpa_ar", headline=0.5), row("mine"))
    assert main([source, f"--out={tmp_path / 'out'}", QUICK, "--columns", "AR", "mine"]) == 0
    assert "| game | data | AR | mine | optimum |" in (tmp_path / "out/short.md").read_text()
    assert main([source, f"--out={tmp_path / 'bad'}", QUICK, "--columns", "AR", "BCC"]) == 2
    assert "no row is of the method 'BCC' (did you mean 'BC'?); those with rows are: BC," in capsys.readouterr().err
    assert not (tmp_path / "bad").exists()


@pytest.mark.parametrize(("text", "message"), [
    ('{"alg": "bc"', "is no whole JSON object"),
    ('{"alg": "bc"}', "rows of sweeps are needed"),
    (f"{json.dumps(row('bc'))}\n{json.dumps(row('bc', headline=0.0))}", "two different rows of bc on xor, good"),
])
def test_bad_rows_end_in_one_sentence(text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                      ) -> None:
    (tmp_path / "bad.jsonl").write_text(text)
    assert main([str(tmp_path / "bad.jsonl"), f"--out={tmp_path / 'out'}"]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_said(write: Callable[..., str], tmp_path: Path,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").write_text("a file")
    assert main([write(row("bc")), f"--out={tmp_path / 'out'}", QUICK]) == 2
    assert "the report cannot be written to" in capsys.readouterr().err


def test_marl_eval_reads_the_export() -> None:
    tools = _marl_eval("data_processing_utils")
    rows = read_rows([RESULTS / "teacher.jsonl", RESULTS / "students.jsonl"])
    for given in rows:
        given["curve"] = [[0, 0.25], [100, given["headline"]]]
    content, notes = marl_eval_json(rows, Methods.read())
    assert notes == []
    checked = _marl_eval("diagnose_data_errors").DiagnoseData(content).check_data()
    assert {*checked} == {"xor", "permutation", "bridge", "sensor", "aloha"}
    assert all(all(checks.values()) for checks in checked.values())
    processed = tools.data_process_pipeline(json.loads(json.dumps(content)), [])
    final, series = tools.create_matrices_for_rliable(processed, "aloha", [])
    assert final["mean_headline"]["ar"].shape == (5, 3)  # seeds and data sets
    poor = [given["headline"] for given in rows
            if (given["alg"], given["env"], given["dataset"]) == ("cpa_ar", "aloha", "poor")]
    assert final["mean_headline"]["ar"][:, 0].tolist() == poor
    assert series["mean_headline"]["ar"].shape == (5, 3, 2)


def _marl_eval(module: str) -> Any:
    try:
        return importlib.import_module(f"marl_eval.utils.{module}")
    except ImportError as error:
        pytest.skip(f"marl-eval cannot be used here: {error}")


def test_the_export_has_curves_only_where_they_fit_together() -> None:
    methods = Methods.read()
    curve = [[0, 0.5], [20, 0.75]]
    content, notes = marl_eval_json([row("bc", curve=curve), row("cql", headline=0.0, curve=curve)], methods)
    assert notes == []
    assert content["xor"]["good"]["BC"]["seed_0"] == {
        "step_1": {"step_count": 0, "headline": [0.5], "normalised": [0.0]},
        "step_2": {"step_count": 20, "headline": [0.75], "normalised": [0.5]},
        "absolute_metrics": {"headline": [1.0], "normalised": [1.0]}}
    content, notes = marl_eval_json([row("bc", curve=curve), row("cql"), row("cql", 1)], methods)
    assert [*content["xor"]["good"]["CQL"]] == ["seed_0"]
    assert content["xor"]["good"]["BC"]["seed_0"]["step_1"] == {
        "step_count": 20, "headline": [1.0], "normalised": [1.0]}
    assert [note.partition(" of xor")[0] for note in notes] == [
        "marl_eval.json has 1 seeds", "marl_eval.json has no learning curves"]
    with pytest.raises(UserError):
        Methods.read(Path("nowhere.yaml"))
