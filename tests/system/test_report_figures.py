"""Figures of reports: drawn from rows and from trained models, or refused with a reason."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from outcome import Outcome

from epymarl_cpa.experiments.report import main
from epymarl_cpa.experiments.rows.paper import table1

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
    assert pictures(tmp_path / "out") == {"figure1_joint_actions", "learning_curves", "aggregate"}
    said = capsys.readouterr().out
    assert "figure3_permutation is not drawn: Figure 3 needs rows of permutation on poor data" in said
    assert "figure4_aloha is not drawn: Figure 4 needs rows of aloha on poor data" in said
    page = (tmp_path / "out/report.html").read_text()
    assert page.count("src=\"data:image/png;base64,") == 3
    assert "![Learning curves" in (tmp_path / "out/report.md").read_text()


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
                            ([teacher.models, teacher.models], "only the students of policy agreement"),
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
