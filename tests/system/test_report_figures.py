"""Figures of reports: drawn from rows and from trained models, or refused with a reason."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from outcome import Outcome

from epymarl_cpa.experiments.report import main
from epymarl_cpa.experiments.rows.paper import table1

pytestmark = pytest.mark.thorough

RESULTS = Path(__file__).parents[2] / "docs/results"
QUICK = "--repetitions=200"
STUDENTS = ("student_t_max=2", "pool_hidden=8", "pool_size=6", "beta=0.05", "entry_floor=0.0")


def made_up() -> list[dict[str, Any]]:
    """Rows of two methods on two games, with curves, and of QMIX on XOR with joint actions."""
    common = {"headline_optimum": 1.0, "seconds": 1.0, "peak_mb": 300}
    tasks = [task for task in table1().names if task.env in ("xor", "sensor")]
    rows = [{**common, "alg": alg, "env": task.env, "dataset": task.dataset, "seed": seed, "headline": 0.5 + seed / 4,
             "curve": [[0, 0.25], [10, 0.5 + seed / 4]]}
            for alg in ("bc", "cpa_ar") for task in tasks for seed in range(3)]
    return rows + [{**common, "alg": alg, "env": "xor", "dataset": data, "seed": seed, "headline": float(seed % 2),
                    "joint_action": [seed % 2, 0]}
                   for alg in ("qmix", "qmix_offline") for data in ("good", "medium", "poor") for seed in range(4)]


def pictures(folder: Path) -> set[str]:
    """Names of the figures in a report's folder, after a look at their first bytes."""
    found = set()
    for file in (folder / "figures").iterdir():
        content = file.read_bytes()
        assert content.startswith(b"\x89PNG" if file.suffix == ".png" else b"<?xml")
        assert len(content) > 5000
        found.add(file.stem)
    return found


def test_all_figures_that_the_rows_allow_are_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, made_up())))
    sources = [str(tmp_path / "rows.jsonl")]
    assert main([*sources, f"--out={tmp_path / 'out'}", "--figures", QUICK]) == 0
    assert pictures(tmp_path / "out") == {"figure1_joint_actions", "learning_curves_xor", "learning_curves_sensor",
                                           "aggregate"}
    said = capsys.readouterr().out
    assert "figure3_permutation is not drawn: Figure 3 needs rows of permutation on poor data" in said
    assert "figure4_aloha is not drawn: Figure 4 needs rows of aloha on poor data" in said
    page = (tmp_path / "out/report.html").read_text()
    assert page.count("src=\"data:image/png;base64,") == 4
    text = (tmp_path / "out/report.md").read_text()
    assert "![Learning curves on XOR" in text
    assert "](figures/learning_curves_sensor.png)" in text


def test_the_committed_rows_give_the_figures_of_diversity(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    assert main([str(RESULTS / "diversity.jsonl"), f"--out={tmp_path}", "--figures", QUICK]) == 0
    assert pictures(tmp_path) == {"figure3_permutation", "figure4_aloha"}
    said = capsys.readouterr().out
    for reason in ("Figure 1 needs rows of xor with 'joint_action'", "the learning curves need rows with 'curve'",
                   "the aggregate figure needs a method with rows of every task"):
        assert reason in said


def test_a_figure_is_the_same_every_time(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from epymarl_cpa.experiments.figures.canvas import save
    from epymarl_cpa.experiments.figures.joint_tables import joint_tables
    from epymarl_cpa.experiments.rows.paper import Methods

    figures = [joint_tables(made_up(), Methods.read()) for _ in range(2)]
    titles = [ax.get_title() for ax in figures[0].axes if ax.axison]
    assert titles == ["QMIX, online\n4 seeds", "QMIX, AB+BA\n4 seeds", "QMIX, AA+AB+BA\n4 seeds",
                      "QMIX, Complete\n4 seeds"]
    assert [text.get_text() for text in figures[0].axes[0].texts] == ["AA\n50%", "AB\n0%", "BA\n50%", "BB\n0%"]
    written = [[file.read_bytes() for file in save(figure, tmp_path, "same")] for figure in figures]
    assert written[0] == written[1]


def committed(*names: str) -> list[dict[str, Any]]:
    return [json.loads(line) for name in names for line in (RESULTS / f"{name}.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def compared() -> list[dict[str, Any]]:
    return committed("table1", "successors")


def test_figure_1_has_no_empty_panel(compared: list[dict[str, Any]]) -> None:
    pytest.importorskip("matplotlib")
    from epymarl_cpa.experiments.figures.joint_tables import joint_tables, wrapped
    from epymarl_cpa.experiments.rows.paper import Methods

    methods = Methods.read()
    published = joint_tables(committed("figure1"), methods)
    assert published.axes[0].get_subplotspec().get_gridspec().get_geometry() == (2, 3)
    assert [ax.get_title().partition("\n")[0] for ax in published.axes if ax.axison] == [
        "IQL, online", "VDN, online", "QMIX, online", "QMIX, AB+BA", "QMIX, AA+AB+BA", "QMIX, Complete"]
    matrix = joint_tables(compared, methods)  # nine methods on three data sets each
    assert matrix.axes[0].get_subplotspec().get_gridspec().get_geometry() == (3, 9)
    assert all(ax.axison for ax in matrix.axes)
    assert [ax.get_title() for ax in matrix.axes[:3]] == ["MAICQ", "AlberDICE", "AR"]
    assert [ax.get_ylabel() for ax in matrix.axes[::9]] == [f"{data}\n20 seeds" for data in
                                                            ("AB+BA", "AA+AB+BA", "Complete")]
    for count, width in ((1, 1), (2, 2), (5, 5), (7, 4), (10, 5)):
        lines = wrapped([("QMIX", str(i)) for i in range(count)])
        assert len(lines[0]) == width
        assert sum(map(len, lines)) == count


@pytest.mark.parametrize(("env", "unit", "cut"), [("sensor", "return", True), ("bridge", "return", False),
                                                  ("xor", "return", False), ("aloha", "messages sent", False)])
def test_learning_curves_can_be_read(env: str, unit: str, cut: bool, compared: list[dict[str, Any]]) -> None:
    pytest.importorskip("matplotlib")
    from epymarl_cpa.experiments.figures.canvas import signed
    from epymarl_cpa.experiments.figures.curves import learning_curves
    from epymarl_cpa.experiments.rows.paper import Methods

    figure = learning_curves(compared, Methods.read(), env)
    assert len(figure.axes) == 9
    assert [ax.get_ylabel() for ax in figure.axes] == [unit, "", ""] * 3
    assert [ax.get_xlabel() for ax in figure.axes] == [""] * 6 + ["t_env (updates)"] * 3
    low, high = figure.axes[0].get_ylim()
    drawn = [line for ax in figure.axes for line in ax.lines]
    for ax in figure.axes:
        assert ax.get_ylim() == (low, high)
        own = [line for line in ax.lines if line.get_label() != "optimum"]
        assert len({line.get_color() for line in own}) == len(own) == 5
        assert own[0].get_label() == "PA"
    legends = [ax.get_legend() for ax in figure.axes[2::3]]
    named = [text.get_text() for legend in legends for text in legend.get_texts()]
    assert set(named) == {str(line.get_label()) for line in drawn}
    assert len(set(named)) == 14
    lowest = min(float(min(line.get_ydata())) for line in drawn)
    notes = [[text.get_text() for text in ax.texts] for ax in figure.axes]
    if cut:
        assert lowest < -100 < 15 < low < 20 < 30.9 < high < 33
        assert notes[3:6] == [[f"↓ MAICQ ends at {end}"] for end in (signed(-26, 1), signed(-57.1, 1), "9.1")]
        assert figure.get_supxlabel() == (f"The axis begins at {low:.1f}; what is lower is not drawn. Before training, "
                                          f"teams are at {signed(-122)} to {signed(-103)}.")
    else:
        assert low < lowest
        assert not any(notes)
        assert figure.get_supxlabel() == ""


def test_axes_are_named_where_panels_lack(compared: list[dict[str, Any]]) -> None:
    """Also where a family of methods, or all, have no rows of a data set."""
    pytest.importorskip("matplotlib")
    from epymarl_cpa.experiments.figures.curves import games, learning_curves
    from epymarl_cpa.experiments.rows.paper import Methods

    methods = Methods.read()
    rows = [row for row in compared if row["env"] == "bridge" and row["dataset"] != "poor" and
            (row["alg"] == "bc" or (row["alg"] == "maicq" and row["dataset"] == "good"))]
    assert games(rows, methods) == ["bridge"]
    assert games([], methods) == []
    figure = learning_curves(rows, methods, "bridge")
    assert [ax.axison for ax in figure.axes] == [True, True, False, True]
    assert [ax.get_ylabel() for ax in figure.axes] == ["return", "", "", "return"]
    assert [ax.get_xlabel() for ax in figure.axes] == ["t_env (updates)", "", "", "t_env (updates)"]
    assert [ax.get_title() for ax in figure.axes] == ["Bridge Medium", "Bridge Good", "", ""]
    assert [line.get_label() for line in figure.axes[3].lines] == ["optimum", "MAICQ"]


def test_few_curves_are_never_cut() -> None:
    pytest.importorskip("matplotlib")
    from epymarl_cpa.experiments.figures.curves import Curve, limits

    def curve(start: float, end: float) -> Curve:
        return Curve(np.array([0.0, 9.0]), np.array([start, end]), np.zeros(2))

    good = [curve(-100, 20 + i) for i in range(10)]
    low, high = limits([*good[:6], curve(-100, -60)], 30)
    assert low < -100 < 30 < high
    low, high = limits([*good, curve(-100, -60)], 30)
    assert 10 < low < 20
    assert limits([curve(1, 1)], 1) == (0, 2)


def test_committed_figures_are_small_and_shown() -> None:
    pillow = pytest.importorskip("PIL.Image")
    files = [*RESULTS.glob("figures/*.png"), *RESULTS.glob("report/figures/*.png")]
    assert len(files) == 11
    for file in files:
        assert file.stat().st_size < 200_000, file
        with pillow.open(file) as image:
            assert image.info["dpi"] == pytest.approx((150, 150), abs=0.1), file
    page = (RESULTS / "report/report.md").read_text()
    assert {file.name for file in files if file.parent.parent.name == "report"} == {
        name.rpartition("/")[2] for name in re.findall(r"\]\((figures/.*?)\)", page)}


def test_policies_on_bridge_are_drawn_from_models(tiny_run: Callable[..., Outcome], tmp_path: Path,
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    from epymarl_cpa.experiments.figures.bridge_policy import BridgeTeams

    students = tiny_run("t_max=1", *STUDENTS, alg="cpa_pa", env="bridge")
    teacher = tiny_run("t_max=1", env="bridge")
    start, later = BridgeTeams(str(students.models)).scenes()
    for scene in (start, later):
        assert scene.first.sum() == pytest.approx(1, abs=1e-5)
        assert scene.second.sum(1) == pytest.approx([1] * 5, abs=1e-5)
        assert scene.entries is not None
        assert 0.9 < sum(chance for _, chance, _ in scene.entries) < 1.001
    assert start.last is None
    assert later.last is not None
    best = later.last[1]
    assert start.first[best[0]] * start.second[best[0], best[1]] == (start.first[:, None] * start.second).max()
    alone = BridgeTeams(str(teacher.models)).scenes()[0]
    assert alone.entries is None
    rows = str(RESULTS / "teacher.jsonl")
    for models in ([teacher.models], [teacher.models, students.models]):
        out = tmp_path / f"out{len(models)}"
        assert main([rows, f"--out={out}", QUICK, "--bridge", *map(str, models)]) == 0
        assert pictures(out) == {"figure5_bridge"}
    other = tiny_run("t_max=1")
    capsys.readouterr()
    for models, message in (([other.models], "was trained on xor; Figure 5 is drawn on bridge"),
                            ([teacher.models, teacher.models], "not as students who agree by a key"),
                            ([tmp_path / "nowhere"], "holds no checkpoint")):
        assert main([rows, f"--out={tmp_path / 'bad'}", QUICK, "--bridge", *map(str, models)]) == 2
        assert message in capsys.readouterr().err


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                               capsys: pytest.CaptureFixture[str]) -> None:
    for name in [*sys.modules]:
        if name.startswith("epymarl_cpa.experiments.figures"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("epymarl_cpa.experiments.figures", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main([str(RESULTS / "teacher.jsonl"), f"--out={tmp_path}", "--figures", QUICK]) == 2
    assert "figures need matplotlib: pip install 'epymarl-cpa[report]'." in capsys.readouterr().err
    assert main([str(RESULTS / "teacher.jsonl"), f"--out={tmp_path}", QUICK]) == 0
