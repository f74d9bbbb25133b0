"""The method and the observer that docs/extend.md shows, added to a copy of the package as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from own import ROOT, command, copy_with, run

pytestmark = pytest.mark.thorough

#: what every method must hold to
CONTRACT = ("test_learners", "test_configs")
SMALL = ["test_interval=5", "test_nepisode=8", "hidden_dim=8", "recipes.poor.episodes=60"]


@pytest.fixture
def method(tmp_path: Path) -> Path:
    """The folder of a copy of the package with the method in it."""
    copy, files = copy_with(tmp_path, "Your own method")
    assert files == ["learners/rwbc_learner.py", "config/algs/rwbc.yaml"]
    return copy


def test_it_passes_the_contract_tests(method: Path, tmp_path: Path) -> None:
    tests = [str(ROOT / "tests" / "contract" / f"{name}.py") for name in CONTRACT]
    told = run(method, ROOT, "-m", "pytest", *tests, "-k", "rwbc", "-rp", "-p", "no:cacheprovider",
               f"--basetemp={tmp_path / 'temp'}")
    for name in CONTRACT:
        assert re.search(rf"PASSED \S*{name}\.py::\S*rwbc", told), told


def test_it_runs_alone_and_stacked(method: Path, tmp_path: Path) -> None:
    run(method, tmp_path, str(method / "main.py"), *command("Your own method", "rwbc"), "with", *SMALL, "t_max=10",
        "dataset=poor")
    (tmp_path / "mine.yaml").write_text("envs: [xor]\ndatasets: [poor]\nseeds: [0, 1]\nalgs: [rwbc]\nstack: true\n"
                                        f"with: [{', '.join(SMALL)}, t_max=10]\n")
    told = run(method, tmp_path, "-m", "epymarl_cpa.experiments.sweep", "mine.yaml", "--backend=serial")
    assert "| xor | poor | rwbc |" in told


def test_the_observer_ends_a_run(tmp_path: Path) -> None:
    copy, files = copy_with(tmp_path, "Your own observer")
    assert files == ["observers/patience.py"]
    told = run(copy, tmp_path, str(copy / "main.py"), *command("Your own observer", "patience"), *SMALL, "t_max=400",
               "lr=1e-9", "dataset=poor", "seed=0")
    assert re.search(r"the observer 'patience' ends the run at t_env 15: no return above .* in three evaluations", told)
