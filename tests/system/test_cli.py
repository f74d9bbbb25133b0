"""The command line: Sacred's own commands, and one sentence for every mistake."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from outcome import Outcome

import epymarl_cpa
from epymarl_cpa.cli import main

SCRIPT = Path(epymarl_cpa.__file__).resolve().parent / "main.py"
TINY = ["with", "seed=1", "t_max=2", "batch_size=8", "hidden_dim=8", "test_nepisode=2", "recipes.medium.episodes=40"]
PAIR = ["--config=cpa_ar", "--env-config=xor"]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def spoken(capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence on stderr."""
    err = capsys.readouterr().err.strip()
    assert err.startswith("Error: ")
    assert "\n" not in err
    assert "Traceback" not in err
    return err


def test_the_script_runs_from_anywhere_and_imports_nothing_by_epymarls_names(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-X", "importtime", str(SCRIPT), *PAIR, *TINY], cwd=tmp_path, text=True,
                          capture_output=True, timeout=120, env={**os.environ, "PYTHONPATH": ""})
    assert done.returncode == 0, done.stderr[-2000:]
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "epymarl_cpa.run" in imported
    taken = {"run", "main", "components", "controllers", "envs", "learners", "modules", "runners", "utils"}
    assert not imported & taken
    slow = {"torch._dynamo", "torch._inductor", "sympy", "pandas", "pymongo"}  # a second and more to import
    assert not imported & slow
    assert "Completed" in done.stdout
    assert {file.name for file in tmp_path.glob("results/sacred/cpa_ar/xor/1/*")} == {
        "config.json", "cout.txt", "info.json", "metrics.json", "run.json", "manifest.json", "data.json", "row.jsonl"}


def test_the_module_is_the_same_program(tmp_path: Path) -> None:
    """And a mistake is one sentence on stderr also seen from outside."""
    done = subprocess.run([sys.executable, "-m", "epymarl_cpa", *PAIR, "with", "weihgt=chain"], cwd=tmp_path, text=True,
                          capture_output=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr == "Error: unknown config key 'weihgt' (did you mean 'weight'?).\n"
    assert done.stdout == ""


def test_print_config_shows_what_would_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["lr=1e-4", "recipes.poor.per=step", "env_args.bb_reward=-2"]
    assert main(["main.py", *PAIR, "print_config", "with", *words]) == 0
    out = capsys.readouterr().out
    assert "lr = 0.0001" in out
    assert "per = 'step'" in out
    assert "bb_reward = -2.0" in out
    assert not list(tmp_path.iterdir()), "nothing is written"


@pytest.mark.parametrize("words", [["--help"], ["-h"], [*PAIR, "--help"], ["help"], ["help", "print_config"]])
def test_help(words: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["main.py", *words]) == 0
    out, err = capsys.readouterr()
    assert "print_config" in out
    assert not err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("words", "sentence"), [
    ([], "--config and --env-config are both needed: python src/main.py --config="),
    (["--config=cpa_ar"], "are both needed"), (["--env-config=xor"], "are both needed"),
    (["--config=", "--env-config=xor"], "are both needed"), (["--config"], "are both needed"),
    (["--config=cpa-ar", "--env-config=xor"], "unknown --config=cpa-ar (did you mean 'cpa_ar'?)"),
    (["--config=a=b", "--env-config=xor"], "unknown --config=a=b"),
    ([*PAIR, "--config=ar_bc"], "--config is given twice: cpa_ar and ar_bc"),
    ([*PAIR, "--no-such-option"], "'--no-such-option' is not understood; --help lists the options"),
    ([*PAIR, "lr=3"], "'lr=3' must come after the word 'with'"), ([*PAIR, "lr=3", "t_max=3"], "follow the word 'with'"),
    ([*PAIR, "-q"], "--queue is not possible: nothing would start the run later"),
    ([*PAIR, "--enforce_clean"], "--enforce_clean is not possible"),
    ([*PAIR, "-C", "foo"], "--capture=foo must be one of no, sys, fd."),
    ([*PAIR, "-b", "x"], "--beat-interval=x must be a number of seconds above 0."),
    ([*PAIR, "-P", "x"], "--priority=x must be a whole number."), ([*PAIR, "-l", "LOUD"], "--loglevel=LOUD must be"),
    ([*PAIR, "--id=../../x"], "--id=../../x must be a number or a word"),
    ([*PAIR, "-F", "taken"], "--file_storage=taken must name a folder"),
    ([*PAIR, "prnt_config"], "unknown command 'prnt_config' (did you mean 'print_config'?)"),
    ([*PAIR, "with", "quick"], "'quick' is not of the form key=value"),
    ([*PAIR, "with", "lr=1", "lr=2"], "'lr' is given twice"),
    ([*PAIR, "with", "t_max=-1"], "'t_max' must be at least 0"),
    ([*PAIR, "with", "checkpoint_path=nowhere"], "checkpoint_path=nowhere holds no checkpoint"),
    ([*PAIR, "with", "local_results_path=/proc/x"], "the results folder /proc/x/sacred/cpa_ar/xor cannot be written"),
    ([*PAIR, "with", "local_results_path=taken"], "the results folder taken/sacred/cpa_ar/xor cannot be written")])
def test_mistakes_before_the_run(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str],
                                 tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file in the way")
    assert main(["main.py", *words]) == 2
    assert sentence in spoken(capsys)
    assert [file.name for file in tmp_path.iterdir()] == ["taken"]


def test_a_read_only_results_folder(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Being allowed to make folders is not enough: the files must fit, too."""
    def full(dir: Path) -> None:
        raise OSError(30, f"Read-only file system of {dir.name}")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    assert main(["main.py", *PAIR, *TINY]) == 2
    assert "cannot be written (Read-only file system of xor)" in spoken(capsys)


@pytest.mark.parametrize(("word", "sentence"), [
    ("dataset=broken.npz", "data set broken.npz is damaged"), ("lr=1e30", "training diverged")])
def test_mistakes_that_only_the_run_can_see(word: str, sentence: str, tiny_run: Callable[..., Outcome],
                                            capsys: pytest.CaptureFixture[str]) -> None:
    Path("broken.npz").write_bytes(b"PK\x03\x04 not really")
    outcome = tiny_run(word, "t_max=20", status=2)
    assert sentence in spoken(capsys)
    assert outcome.record("run")["status"] == "FAILED"
    assert outcome.sacred is not None
    assert (outcome.sacred / "cout.txt").read_text().splitlines()[-1].startswith("Error: ")


@pytest.mark.parametrize(("word", "sentence"), [
    ("dataset=goood", "there is no recipe and no file 'goood' (did you mean 'good'?)"),
    ("recipes.medium.mixture.optmal=1", "mixture"), ("recipes.medium.mixture.optimal_or_first=0.5", "mixture"),
    ("datasets_path=broken.npz", "the data set cannot be written to broken.npz"),
    ("env_args.n_agents=99", "env_args.n_agents of xor must be between 2 and 16"),
    ("use_tensorboard=true", "pip install 'epymarl-cpa[tensorboard]'"), ("observers=[tensorboard]", "pip install"),
    ("checkpoint_path=results", "checkpoint_path=results holds no checkpoint")])
def test_mistakes_that_are_found_before_anything_is_written(word: str, sentence: str, tiny_run: Callable[..., Outcome],
                                                            capsys: pytest.CaptureFixture[str],
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)  # as if the extra were not installed
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard.writer", raising=False)
    Path("broken.npz").write_bytes(b"PK\x03\x04 not really")
    tiny_run(word, "t_max=20", status=2)
    assert sentence in spoken(capsys)
    assert [file.name for file in Path().iterdir()] == ["broken.npz"], "no record, no data"


@pytest.mark.parametrize(("words", "sentence"), [
    (["teacher=nowhere"], "teacher=nowhere holds no checkpoint"), (["teacher=bridge"], "was trained with game=bridge"),
    (["checkpoint_path=bridge"], "was trained with game=bridge"),
    (["teacher=bridge", "env_args.n_agents=3"], "was trained with"),
    (["checkpoint_path=bridge", "evaluate=true"], "was trained with game=bridge")])
def test_wrong_models_are_found_before_anything_is_written(words: list[str], sentence: str,
                                                           tiny_run: Callable[..., Outcome],
                                                           capsys: pytest.CaptureFixture[str]) -> None:
    trained = tiny_run("recipes.poor.episodes=8", "t_max=1", alg="cpa_ar", env="bridge")
    assert trained.models
    trained.models.rename("bridge")
    for folder in ("results", "datasets"):
        shutil.rmtree(folder)
    capsys.readouterr()
    tiny_run(*words, alg="cpa_pa", status=2)
    assert sentence in spoken(capsys)
    assert [file.name for file in Path().iterdir()] == ["bridge"], "no record, no data"


def test_other_failures_keep_their_traceback(tiny_run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("epymarl_cpa.cli.run", lambda *args: 1 / 0)
    tiny_run(status=1)
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_sacreds_own_options(tiny_run: Callable[..., Outcome], tmp_path: Path) -> None:
    outcome = tiny_run(options=("--name=x", "--force", f"--file_storage={tmp_path / 'second'}", "-c", "a=b: why", "-p"))
    assert outcome.sacred == Path("results/sacred/ar_bc/xor/1")
    assert outcome.record("run")["experiment"]["name"] == "x"
    assert outcome.record("run")["meta"]["options"]["--comment"] == "a=b: why"
    assert (tmp_path / "second/1/metrics.json").read_text() == (tmp_path / outcome.sacred / "metrics.json").read_text()
    assert not any("seed=" in str(path) for path in tmp_path.rglob("*"))


def test_values_of_the_options_of_another_kind_are_taken(tiny_run: Callable[..., Outcome],
                                                         capsys: pytest.CaptureFixture[str]) -> None:
    outcome = tiny_run("limit_ends=null", alg="maicq", options=("-l", "INFO", "-P", "3", "-b", "2.5", "--id=seven"))
    assert outcome.sacred is None and Path("results/sacred/maicq/xor/seven/run.json").exists()
    said = capsys.readouterr()
    assert "Changed type" not in said.out + said.err, "it was checked by us"
    assert not json.loads(Path("results/sacred/maicq/xor/seven/run.json").read_text())["meta"]["options"]["--force"]


def test_options_may_follow_the_settings() -> None:
    assert main(["main.py", *PAIR, *TINY, "--name=later"]) == 0
    assert '"name": "later"' in Path("results/sacred/cpa_ar/xor/1/run.json").read_text()


def test_unobserved_runs_leave_no_record(tiny_run: Callable[..., Outcome]) -> None:
    outcome = tiny_run(options=("-u",))
    assert outcome.sacred is None
    assert outcome.steps() == [6]


def test_configuration_is_recorded_as_it_was_checked(tiny_run: Callable[..., Outcome]) -> None:
    outcome = tiny_run("lr=1e-4", "recipes.medium.per=step", "name=try 2", "env_args.map_name=xor-b", "reward_min=-3")
    assert outcome.sacred == Path("results/sacred/try 2/xor-b/1")
    config = outcome.record("config")
    assert (config["lr"], config["name"], config["reward_min"], config["seed"]) == (1e-4, "try 2", -3.0, 1)
    assert config["recipes"]["medium"] == {"episodes": 40, "mixture": {"optimal_or_first": 1.0}, "per": "step"}
    assert config["env_args"] == {"map_name": "xor-b", "n_agents": 2, "bb_reward": 0.0, "episode_limit": 1}
    dependencies = outcome.record("run")["experiment"]["dependencies"]
    assert f"epymarl-cpa=={epymarl_cpa.__version__}" in dependencies


def test_a_seed_is_drawn_and_recorded(tiny_run: Callable[..., Outcome]) -> None:
    drawn = [tiny_run("seed=").record("config")["seed"] for _ in range(2)]
    assert all(isinstance(seed, int) for seed in drawn)
    assert drawn[0] != drawn[1]
    assert isinstance(tiny_run("seed=null").record("config")["seed"], int)
