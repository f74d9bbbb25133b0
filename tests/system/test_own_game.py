"""The game that docs/extend.md shows, added to a copy of the package as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from own import ROOT, command, copy_with, run

pytestmark = pytest.mark.thorough

#: the contract of games and data sets
CONTRACT = ("test_envs", "test_env_adapters", "test_envs_pettingzoo", "test_datasets", "test_configs")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The folder of a copy of the package with the game in it."""
    copy, files = copy_with(tmp_path, "Your own game")
    assert files == ["envs/crate.py", "config/envs/crate.yaml"]
    return copy


def test_it_passes_the_contract_tests(package: Path, tmp_path: Path) -> None:
    where = run(package, tmp_path, "-c", "import epymarl_cpa.envs.crate as game; print(game.__file__)")
    assert Path(where.strip()) == package / "envs" / "crate.py"
    tests = [str(ROOT / "tests" / "contract" / f"{name}.py") for name in CONTRACT]
    told = run(package, ROOT, "-m", "pytest", *tests, "-k", "crate", "-rp", "-p", "no:cacheprovider",
               f"--basetemp={tmp_path / 'temp'}")
    for name in CONTRACT:
        assert re.search(rf"PASSED \S*{name}\.py::\S*crate", told), told


def test_its_command_trains_and_an_edit_makes_the_data_anew(package: Path, tmp_path: Path) -> None:
    small = ["t_max=4", "test_nepisode=8", "hidden_dim=8", "seed=0"]
    assert "data: crate random, seed 0, 1000 episodes" in run(
        package, tmp_path, str(package / "main.py"), *command("Your own game", "crate"), "with", *small)
    game = package / "envs" / "crate.py"
    for edit, files in ((("import", "# a remark\nimport"), 1), (("- 1, 0)", "- 1, 1)"), 2)):
        game.write_text(game.read_text(encoding="utf-8").replace(*edit, 1), encoding="utf-8")
        run(package, tmp_path, "-m", "epymarl_cpa.data", "make", "--env-config=crate", "--quality=random")
        assert len([*(tmp_path / "datasets").iterdir()]) == files


def test_its_rows_are_swept_and_reported(package: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "envs: [crate]\ndatasets: [random]\nseeds: [0, 1]\nalgs: [bc, cpa_ar]\n"
        "with: [t_max=3, test_nepisode=8, hidden_dim=8, recipes.random.episodes=20]\n")
    sweep = ["-m", "epymarl_cpa.experiments.sweep", "mine.yaml", "--backend=serial", "--jsonl=mine.jsonl"]
    assert "| crate | random | cpa_ar |" in run(package, tmp_path, *sweep)
    run(package, tmp_path, "-m", "epymarl_cpa.experiments.report", "mine.jsonl", "--out=report")
    assert re.search(r"^\| crate \| random \| bc \| \d", (tmp_path / "report/report.md").read_text(), re.M)
    game = package / "envs" / "crate.py"
    game.write_text(game.read_text(encoding="utf-8").replace("- 1, 0)", "- 1, 1)"), encoding="utf-8")
    assert "0 of 4 runs are done already" in run(package, tmp_path, *sweep), "rows of other rules never count"
