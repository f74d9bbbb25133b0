"""What rows say about the code that made them: which changes count, and which do not."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import recurrent
from helpers import needing_its_package

from epymarl_cpa.config import resolve
from epymarl_cpa.envs import Game, make_game
from epymarl_cpa.provenance import PACKAGE, code_digest, digest_of, provenance, versions
from epymarl_cpa.utils.sources import folder_digest


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package; most of its files are read once."""
    copy = tmp_path_factory.mktemp("copy") / "package"
    return Path(shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__")))


@pytest.fixture
def edited(package: Path) -> Callable[..., str]:
    """The digest of ``ar_bc`` on XOR in a copy of the package in which one text of one file is another."""
    roots = ["learners/ar_bc_learner.py", "controllers/ar_controller.py", "runners/offline_runner.py", "envs/xor.py",
             "run.py"]

    games = [package / f"envs/{name}.py" for name in ("aloha", "aloha_large", "bridge", "gymma", "permutation",
                                                      "pettingzoo_game", "sensor", "sensor_large")]
    games += (package / "envs/dpomdp").rglob("*.py")

    def digest(name: str = "", former: str = "", new: str = "") -> str:
        text = (package / name).read_text() if name else ""
        if name:
            assert former in text
            (package / name).write_text(text.replace(former, new, 1))
        try:
            return digest_of([package / root for root in roots], package, without=games)
        finally:
            if name:
                (package / name).write_text(text)

    return digest


def test_a_method_has_the_digest_of_its_files(edited: Callable[..., str]) -> None:
    digest = code_digest(resolve("ar_bc", "xor"))
    assert len(digest) == 12 and int(digest, 16) >= 0
    assert digest == edited()
    others = [code_digest(resolve(alg, env)) for alg, env in (("bcq", "xor"), ("ar_bc", "bridge"), ("qmix", "xor"))]
    assert len({digest, *others}) == 4
    assert code_digest(resolve("ar_bc", "xor", ["lr=0.5"])) == digest, "settings are not code"
    assert code_digest(resolve("ar_bc", "xor"), (PACKAGE / "experiments/sweeps/stack.py",)) != digest


@pytest.mark.parametrize("name", ["learners/ar_bc_learner.py", "learners/base.py", "envs/xor.py", "run.py",
                                  "modules/autoregressive.py", "data/generate.py", "evaluation/play.py"])
def test_code_that_decides_counts(name: str, edited: Callable[..., str]) -> None:
    assert edited(name, "\nfrom ", "\nLIMIT = 3\nfrom ") != edited()


@pytest.mark.parametrize("name", ["learners/bcq_learner.py", "envs/aloha.py", "envs/dpomdp/search.py",
                                  "runners/episode_runner.py",
                                  "utils/logging.py", "experiments/sweeps/grid.py", "data/formats/npz.py", "cli.py"])
def test_code_that_decides_nothing_does_not(name: str, edited: Callable[..., str]) -> None:
    assert edited(name, "\nfrom ", "\nLIMIT = 3\nfrom ") == edited()


def test_absolute_imports_are_followed_too(edited: Callable[..., str], package: Path) -> None:
    learner = package / "learners/ar_bc_learner.py"
    text = learner.read_text()
    learner.write_text(text.replace("from ..modules.losses import", "from epymarl_cpa.modules.losses import"))
    try:
        assert edited("modules/losses.py", "\nfrom ", "\nLIMIT = 3\nfrom ") != edited()
    finally:
        learner.write_text(text)


def test_another_encoder_is_other_code() -> None:
    assert recurrent.Running.exported == "running"
    remembering = resolve("ar_bc", "xor", ["use_rnn=true", "agent=running"])
    assert code_digest(remembering) != code_digest(resolve("ar_bc", "xor"))


def test_comments_docstrings_and_layout_do_not_count(edited: Callable[..., str]) -> None:
    assert edited("learners/ar_bc_learner.py", "\nfrom ", "\n# why\n\n\nfrom ") == edited()
    assert edited("learners/ar_bc_learner.py", '"""', '"""Other words.  ') == edited()


def test_versions_name_the_package_of_an_environment() -> None:
    assert {*versions(resolve("ar_bc", "xor"))} == {"python", "torch", "numpy"}


@pytest.mark.parametrize("env", [needing_its_package("pettingzoo"), needing_its_package("gymma")])
def test_versions_of_environments_of_packages(env: str) -> None:
    package = {"pettingzoo": "mpe2", "gymma": "lbforaging"}[env]
    assert package in versions(resolve("cpa_ar", env))
    known = versions(resolve("cpa_ar", env, ["env_args.key=butterfly/pistonball-v6" if env == "pettingzoo" else
                                             "env_args.key=CartPole-v1"]))
    assert {"pettingzoo": "pettingzoo", "gymma": "gymnasium"}[env] in known


def test_provenance_is_plain() -> None:
    class Ruled:
        def rules(self) -> str:
            return "abc"

    config = resolve("ar_bc", "xor")
    found = provenance(config, cast(Game, Ruled()))
    assert found == {"code": code_digest(config), "versions": versions(config), "rules": "abc"}
    assert provenance(config, make_game("xor"))["rules"] == make_game("xor").rules()


def test_a_digest_of_a_folder_covers_what_a_module_imports_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                                      ) -> None:
    """As a scripted team's data do, which are played by several files."""
    for name, code in {"a_script": "import a_step\n\ndef play(): return a_step.go()", "a_step": "def go(): return 1",
                       "a_stranger": "x = 1"}.items():
        (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    play = importlib.import_module("a_script").play
    before = folder_digest(play)
    (tmp_path / "a_stranger.py").write_text("x = 2")
    (tmp_path / "a_step.py").write_text("def go(): return 1  # said otherwise")
    assert folder_digest(play) == before
    (tmp_path / "a_step.py").write_text("def go(): return 2")
    assert folder_digest(play) != before
