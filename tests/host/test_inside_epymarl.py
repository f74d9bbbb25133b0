"""The real thing: runs inside an unmodified checkout (set ``EPYMARL_DIR``)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch as th
from outcome import equal

from epymarl_cpa.config import FOLDER, resolve
from epymarl_cpa.data.dataset import OfflineDataset

Contents = Callable[[Path], dict[str, bytes]]
SMALL = ["seed=1", "t_max=30", "test_interval=10", "test_nepisode=20", "batch_size=8", "recipes.medium.episodes=40"]
THEIRS = ["seed=1", "t_max=60", "test_interval=30", "test_nepisode=10", "use_cuda=False"]


def run(folder: Path, *words: str, program: tuple[str, ...] = ("-m", "epymarl_cpa"), status: int = 0) -> str:
    """Runs a program in ``folder``; returns what it said."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([sys.executable, *program, *words], cwd=folder, text=True, capture_output=True, timeout=900,
                          env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])})
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def metrics(results: Path, alg: str, env: str) -> dict[str, Any]:
    """Every series of the last run, as pairs (t_env, value)."""
    newest = max((results / "sacred" / alg).glob(f"{env}*/[0-9]*"), key=lambda folder: int(folder.name))
    content = json.loads((newest / "metrics.json").read_text())
    return {key: list(zip(entry["steps"], entry["values"], strict=True)) for key, entry in content.items()}


def same_as_our_host(epymarl: Path, tmp_path: Path, alg: str, env: str, *words: str,
                     program: tuple[str, ...] = ("-m", "epymarl_cpa")) -> dict[str, Any]:
    line = [f"--config={alg}", f"--env-config={env}", "with", *words]
    run(tmp_path / "own", *line, program=program)
    run(tmp_path / "guest", "--epymarl", str(epymarl), *line, program=program)
    own, guest = metrics(tmp_path / "own/results", alg, env), metrics(epymarl / "results", alg, env)
    for series in (own, guest):
        series.pop("episode", None)  # EPyMARL counts one a round
    assert own == guest
    return own


@pytest.mark.parametrize(("alg", "env", "words"), [
    ("cpa_ar", "xor", []), ("cpa_ar", "bridge", ["save_model_interval=10"]), ("bc", "aloha", []),
    ("cpa_pa", "xor", ["student_t_max=20"]), ("oryx", "xor", []), ("alberdice", "xor", [])])
def test_every_series_is_that_of_our_host(epymarl: Path, contents: Contents, tmp_path: Path, alg: str, env: str,
                                          words: list[str]) -> None:
    before = contents(epymarl)
    same_as_our_host(epymarl, tmp_path, alg, env, *SMALL, *words)
    after = contents(epymarl)
    assert {name: after[name] for name in after if not name.startswith("results/")} == before, "nothing was touched"


@pytest.mark.parametrize("alg", ["bc", "cpa_ar", "cpa_pa"])
def test_an_encoder_with_a_memory_is_at_home_there(epymarl: Path, tmp_path: Path, alg: str) -> None:
    with_memory = "import recurrent, sys; from epymarl_cpa.main import entry; sys.exit(entry())"
    series = same_as_our_host(epymarl, tmp_path, alg, "bridge", *SMALL, "use_rnn=true", "agent=running", "hidden_dim=8",
                              *(["student_t_max=20", "pool_hidden=8"] if alg == "cpa_pa" else []),
                              program=("-c", with_memory))
    assert series["encoder_grad_norm"]


@pytest.mark.parametrize(("alg", "agent"), [("bc", "rnn_ns"), ("cql", "rnn"), ("cpa_pa", "rnn")])
def test_agents_remember_there_as_here(epymarl: Path, tmp_path: Path, alg: str, agent: str) -> None:
    series = same_as_our_host(epymarl, tmp_path, alg, "bridge", *SMALL, "use_rnn=True", f"agent={agent}",
                              "hidden_dim=8", "policy_input=obs", "obs_last_action=True", "obs_agent_id=True",
                              *(["critic_input=history"] if alg == "cql" else []),
                              *(["student_t_max=20", "pool_hidden=8"] if alg == "cpa_pa" else []))
    assert series["encoder_grad_norm"]


@pytest.mark.parametrize(("env", "words"), [
    ("dpomdp", ["recipes.good.episodes=60", "dataset=good", "ascents=4", "plans=2", "pool_size=3", "fit_share=0.5"]),
    ("bridge", ["env_args.observation=local", "policy_input=obs", "use_rnn=True", "improvement=imitation",
                "obs_last_action=True", "pool_size=3", "repeat_limit=2", "recipes.medium.episodes=20"])])
def test_conventions_are_at_home_there(epymarl: Path, tmp_path: Path, env: str, words: list[str]) -> None:
    small = [word for word in SMALL if "recipes" not in word]
    series = same_as_our_host(epymarl, tmp_path, "cpa_pa", env, *small, "student_t_max=20", "hidden_dim=8",
                              "learner_log_interval=1", *words)
    assert series["fit_loss"] and series["test_joint_entropy_mean"] and "test_tv_mean" not in series
    assert ("teach_loss" in series) is (env == "dpomdp")


@pytest.mark.slow
@pytest.mark.parametrize("alg", [file.stem for file in sorted((FOLDER / "algs").glob("*.yaml"))
                                 if resolve(file.stem, "xor")["runner"] == "offline"])
def test_every_method_that_learns_from_data_does_so_there(epymarl: Path, tmp_path: Path, alg: str) -> None:
    more = ["student_t_max=20"] if "student_t_max" in resolve(alg, "xor") else []
    same_as_our_host(epymarl, tmp_path, alg, "xor", *SMALL, *more)


def test_checkpoints_are_at_home_in_both(epymarl: Path, tmp_path: Path) -> None:
    """Trained there, then continued here and there, it ends where a run in one go does; and it can be evaluated."""
    line, there = ["--config=bc", "--env-config=xor", "with", *SMALL, "lr_final=1"], ["--epymarl", str(epymarl)]
    run(tmp_path / "whole", *line)
    short = [word.replace("t_max=30", "t_max=20") for word in line]
    run(tmp_path / "first", *there, *short, "save_model_interval=10")
    models = next((tmp_path / "first/results/models").iterdir())
    assert sorted(int(folder.name) for folder in models.iterdir()) == [10, 20]
    for name, host in (("here", []), ("there", there)):
        run(tmp_path / name, *host, *line, f"checkpoint_path={models}")
        run(tmp_path / f"{name}-evaluated", *host, *line, "evaluate=True", f"checkpoint_path={models}")
        assert not (tmp_path / f"{name}-evaluated/results/models").exists(), "nothing is saved"
    ends = [th.load(next((tmp_path / name / "results/models").iterdir()) / "30/learner.th", weights_only=True)
            for name in ("whole", "here", "there")]
    assert equal(ends[0], ends[1])
    assert equal(ends[0], ends[2])


@pytest.mark.parametrize("alg", ["qmix", "iql", "mappo"])
@pytest.mark.parametrize("env", ["xor", "bridge", "sensor", "aloha"])
@pytest.mark.slow
def test_their_algorithms_play_our_games(epymarl: Path, tmp_path: Path, alg: str, env: str) -> None:
    run(tmp_path, "--epymarl", str(epymarl), f"--config={alg}", f"--env-config={env}", "with", *THEIRS)
    assert len(metrics(epymarl / "results", alg, env)["test_return_mean"]) >= 1


def test_installed(epymarl: Path, contents: Contents, tmp_path: Path) -> None:
    before = contents(epymarl)
    run(tmp_path, "install", str(epymarl))
    literal = ("src/main.py", "--config=bc", "--env-config=xor", "with", *SMALL)
    run(epymarl, program=literal)
    first = metrics(epymarl / "results", "bc", "xor")
    run(epymarl, "--epymarl", ".", *literal[1:])  # the launcher still works, too
    assert metrics(epymarl / "results", "bc", "xor") == first
    said = run(epymarl, program=("src/main.py", "--config=alberdise", "--env-config=xor"), status=2)
    assert "did you mean 'alberdice'" in said
    assert "EPyMARL has: coma" in said
    run(epymarl, program=("src/main.py", "--config=qmix", "--env-config=xor", "with", *THEIRS))
    run(tmp_path, "uninstall", str(epymarl))
    after = contents(epymarl)
    assert {name: after[name] for name in after if not name.startswith(("results/", "datasets/"))} == before
    for folder in ("results", "datasets"):
        assert (epymarl / folder / ".gitignore").read_text() == "*\n"


def test_recordings_are_those_of_our_host(epymarl: Path, tmp_path: Path) -> None:
    words = ["--config=cpa_ar", "--env-config=bridge", "with", "seed=5", "runner=record", "record_to=x.npz",
             "record_episodes=60", "record_epsilons=[0,0.5]"]
    run(tmp_path / "own", *words)
    run(tmp_path / "guest", "--epymarl", str(epymarl), *words)
    assert (tmp_path / "own/x.npz").read_bytes() == (tmp_path / "guest/x.npz").read_bytes()


def test_recording_their_algorithm(epymarl: Path, tmp_path: Path) -> None:
    guest = ["--epymarl", str(epymarl), "--config=iql", "--env-config=xor", "with", *THEIRS]
    run(tmp_path, *guest, "save_model=True", "save_model_interval=30")
    models = next((tmp_path / "results/models").iterdir())
    record = [*guest, "runner=record", f"record_from={models}", "record_steps=[30,60]", "record_epsilons=[0,0.5]",
              "record_to=mix.npz", "record_episodes=80", "common_reward=False"]
    said = run(tmp_path, *record)
    assert "recording: mix.npz, 80 episodes" in said
    data = OfflineDataset.load(tmp_path / "mix.npz")
    assert data.n_episodes == 80
    assert [name.partition("@")[0] for name in data.meta["behaviours"]] == ["iql"] * 4
    assert data.meta["spec"]["game"] == "xor"
    assert data.agent_reward is not None
    assert (data.agent_reward.sum(-1) == data.reward).all()
    run(tmp_path, "--epymarl", str(epymarl), "--config=bc", "--env-config=xor", "with", *SMALL, "dataset=mix.npz")
    again = [word.replace("mix.npz", "again.npz") for word in record]
    run(tmp_path, *again)
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "mix.npz").read_bytes()


@pytest.mark.parametrize(("alg", "env", "best"), [("cpa_ar", "xor", 1.0), ("cpa_pa", "xor", 1.0),
                                                  ("cpa_ar", "bridge", -1.2355), ("cpa_pa", "bridge", -1.2355)])
@pytest.mark.slow
def test_full_size(epymarl: Path, tmp_path: Path, alg: str, env: str, best: float) -> None:
    series = same_as_our_host(epymarl, tmp_path, alg, env, "seed=0", "dataset=good")
    assert series["test_return_mean"][-1][1] == pytest.approx(best, abs=5e-5)
