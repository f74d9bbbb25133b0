"""The scripts and the notebook of ``examples`` run, with fewer updates than they have for people."""

from __future__ import annotations

import json
import re
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(EXAMPLES.glob("0*.py"))
NOTEBOOK = EXAMPLES / "xor_story.ipynb"
pytestmark = [pytest.mark.thorough, pytest.mark.filterwarnings("ignore:THE STUDENTS HAVE NOT LEARNED")]
SMALL: dict[str, dict[str, Any]] = {
    "01_xor_mismatch": {"t_max": 4, "student_t_max": 4}, "02_own_data": {"episodes": 60, "t_max": 4},
    "03_own_game": {"t_max": 4, "episodes": 20}, "04_compare_methods": {"seeds": 1, "t_max": 4},
    "05_play_without_us": {"t_max": 4, "student_t_max": 4}}
FILES = {"02_own_data": "mine.npz", "04_compare_methods": "rows.jsonl", "05_play_without_us": "agents/agent_1.npz"}


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], Callable[..., Any]]:
    """The ``main`` of a script, in a folder of the test's own and with no trace in what is imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(sys.modules, "doors", None)  # put back, or taken out, afterwards
    del sys.modules["doors"]

    def main(path: Path) -> Callable[..., Any]:
        found: Callable[..., Any] = runpy.run_path(str(path))["main"]
        return found

    return main


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_runs(path: Path, script: Callable[[Path], Callable[..., Any]], tmp_path: Path,
                       capsys: pytest.CaptureFixture[str]) -> None:
    result = script(path)(**SMALL[path.stem])
    assert result is not None and capsys.readouterr().out.strip()
    assert (tmp_path / FILES.get(path.stem, "results/models")).exists()


def test_the_porters_get_out(script: Callable[[Path], Callable[..., Any]]) -> None:
    """With the defaults, from random play, though the observation has a clock and episodes end before their limit."""
    assert script(EXAMPLES / "03_own_game.py")() == 2.0


def test_all_scripts_are_small_and_named() -> None:
    assert len(SCRIPTS) == 5 == len(SMALL) and {path.stem for path in SCRIPTS} == set(SMALL)
    page = (ROOT / "docs/api.md").read_text()
    for path in (*SCRIPTS, NOTEBOOK, EXAMPLES / "doors.py"):
        assert f"`examples/{path.name}`" in page
        assert path.suffix == ".ipynb" or len(path.read_text().splitlines()) < 60


@pytest.mark.parametrize("page", ["docs/api.md", "docs/data.md"])
def test_python_blocks_of_the_pages_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.S)
    assert blocks
    for block in blocks:
        exec(compile(re.sub(r"(t_max|episodes)=\d+", r"\1=4", block), page, "exec"), {})


def test_the_notebook_is_committed_with_its_pictures() -> None:
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert NOTEBOOK.stat().st_size < 300_000 and not any(output["output_type"] == "error" for output in outputs)
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 5
    assert [cell["execution_count"] for cell in cells if cell["cell_type"] == "code"] == list(
        range(1, 1 + sum(cell["cell_type"] == "code" for cell in cells)))


def test_the_notebooks_cells_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(matplotlib, "rcParams", matplotlib.rcParams.copy())
    matplotlib.use("agg")
    names: dict[str, Any] = {}
    try:
        for cell in json.loads(NOTEBOOK.read_text())["cells"]:
            if cell["cell_type"] == "code":
                exec(compile(few("".join(cell["source"])), cell["id"], "exec"), names)
    finally:
        names["plt"].close("all")
    assert (tmp_path / "agents/agent_1.npz").is_file()


def few(source: str) -> str:
    """A cell, with few updates."""
    return "T_MAX, STUDENT_T_MAX, DRAWN = 4, 4, 20" if source.startswith("T_MAX, ") else source


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path) -> None:
    """In a kernel of its own, as people run it."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    pytest.importorskip("matplotlib")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        cell.source = few(cell.source)
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3",
                            resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert (tmp_path / "agents/agent_1.npz").is_file()
