"""The game that the README shows, added to a copy of the package as the README says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECTION = (ROOT / "README.md").read_text(encoding="utf-8").split("## Your own game")[1].split("\n## ")[0]
#: the contract of games and data sets
CONTRACT = ("test_envs", "test_env_adapters", "test_envs_pettingzoo", "test_datasets", "test_configs")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The folder of a copy of the package with the game in it."""
    copy = tmp_path / "packages" / "epymarl_cpa"
    shutil.copytree(ROOT / "src", copy, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    files = re.findall(r"`(\w+\.\w+)` in `src/([\w/]+)`:\n\n```\w+\n(.*?)```", SECTION, re.S)
    assert [(name, folder) for name, folder, _ in files] == [("crate.py", "envs"), ("crate.yaml", "config/envs")]
    for name, folder, content in files:
        assert not (copy / folder / name).exists()
        (copy / folder / name).write_text(content, encoding="utf-8")
    return copy


def run(package: Path, folder: Path, *words: str) -> str:
    """Output of a command of this interpreter that finds the copy first."""
    paths = [str(package.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_passes_the_contract_tests(package: Path, tmp_path: Path) -> None:
    where = run(package, tmp_path, "-c", "import epymarl_cpa.envs.crate as game; print(game.__file__)")
    assert Path(where.strip()) == package / "envs" / "crate.py"
    tests = [str(ROOT / "tests" / "contract" / f"{name}.py") for name in CONTRACT]
    told = run(package, ROOT, "-m", "pytest", *tests, "-k", "crate", "-rp", "-p", "no:cacheprovider",
               f"--basetemp={tmp_path / 'temp'}")
    for name in CONTRACT:
        assert re.search(rf"PASSED \S*{name}\.py::\S*crate", told), told


def test_its_command_trains_and_an_edit_makes_the_data_anew(package: Path, tmp_path: Path) -> None:
    command = re.findall(r"`python src/main\.py (--config=\S+ --env-config=crate)`", SECTION)
    assert len(command) == 1
    small = ["t_max=4", "test_nepisode=8", "hidden_dim=8", "seed=0"]
    assert "data: crate random, seed 0, 1000 episodes" in run(package, tmp_path, str(package / "main.py"),
                                                              *command[0].split(), "with", *small)
    game = package / "envs" / "crate.py"
    for edit, files in ((("import", "# a remark\nimport"), 1), (("- 1, 0)", "- 1, 1)"), 2)):
        game.write_text(game.read_text(encoding="utf-8").replace(*edit, 1), encoding="utf-8")
        run(package, tmp_path, "-m", "epymarl_cpa.data", "make", "--env-config=crate", "--quality=random")
        assert len([*(tmp_path / "datasets").iterdir()]) == files
