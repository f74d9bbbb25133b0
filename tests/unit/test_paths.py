"""Paths and commands as people type them."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from epymarl_cpa.data.__main__ import main as data
from epymarl_cpa.deploy.__main__ import main as deploy
from epymarl_cpa.errors import UserError
from epymarl_cpa.utils.files import named_path
from epymarl_cpa.utils.process import program, python_module


def test_home_is_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert named_path("~/x.html") == tmp_path / "x.html"
    assert named_path("~nobody-has-this-name/x") == Path("~nobody-has-this-name/x")
    assert named_path("a~b") == Path("a~b")


def test_an_empty_path_is_not_the_present_folder() -> None:
    with pytest.raises(UserError, match="the path is empty"):
        named_path("")
    with pytest.raises(UserError, match="local_results_path is empty"):
        named_path("", "local_results_path")
    assert named_path(".") == Path(".")


@pytest.mark.parametrize(("main", "words"), [
    (data, ["validate", "", "--env-config=xor"]), (deploy, ["export", "model", "--out="]), (deploy, ["play", ""])])
def test_an_option_whose_path_is_empty_is_named(main: Callable[[list[str]], int], words: list[str],
                                                capsys: pytest.CaptureFixture[str]) -> None:
    """Such as ``--out="$OUT"`` where nobody has set OUT."""
    try:
        status = main(words)
    except SystemExit as end:  # by the parser of the options
        status = int(str(end.code))
    err = capsys.readouterr().err
    assert status == 2 and " is empty, perhaps since a variable is not set; " in err and "Traceback" not in err


def test_the_name_of_the_program_can_be_typed() -> None:
    assert shlex.split(program("/my dir/src/main.py")) == ["python", "/my dir/src/main.py"]
    assert program("src/main.py") == "python src/main.py"


def test_modules_run_without_an_installed_package(tmp_path: Path) -> None:
    """As the agents of ``play`` do; here nothing that is installed can be imported."""
    words = python_module("epymarl_cpa.errors")
    done = subprocess.run([words[0], "-I", "-S", *words[1:]], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
