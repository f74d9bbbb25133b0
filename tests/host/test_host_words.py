"""What EPyMARL is told instead of what the user wrote."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from outcome import Outcome

from epymarl_cpa.controllers import REGISTRY as MACS
from epymarl_cpa.errors import UserError
from epymarl_cpa.host.checkout import Checkout
from epymarl_cpa.host.configs import CommandLine
from epymarl_cpa.host.hosted_runner import _for_their_loop
from epymarl_cpa.host.names import Names, own_config, own_env_args, shared_env_args
from epymarl_cpa.learners import REGISTRY as LEARNERS


@pytest.fixture
def line(fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    monkeypatch.chdir(tmp_path)
    names = Names()
    names.macs = {name: f"cpa_{name}" if name == "basic_mac" else name for name in MACS}
    names.learners = {name: name for name in LEARNERS}
    names.runners = {"offline": "offline", "record": "cpa_record"}
    names.envs = {"xor": "xor", "gymma": "cpa_gymma"}
    return CommandLine(Checkout(fake), names)


def told(words: list[str]) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Contents of the algorithm's and the environment's file, and the words behind them."""
    (alg, env), rest = words[:2], words[2:]
    return (*(yaml.safe_load(Path(f"{word.partition('=')[2]}.yaml").read_text()) for word in (alg, env)), rest)


def test_our_algorithm_comes_as_two_whole_files(line: CommandLine) -> None:
    alg, env, rest = told(line.rewrite(["--config=bc", "--env-config", "xor", "--force", "with", "lr=1e-2", "seed=3",
                                        "evaluate=false", "use_wandb=True", "env_args.bb_reward=-2"]))
    assert env == {"env": "xor", "env_args": {"map_name": "xor", "n_agents": 2, "bb_reward": -2.0, "episode_limit": 1}}
    assert (alg["mac"], alg["runner"], alg["lr"], alg["seed"]) == ("cpa_basic_mac", "offline", 0.01, 3)
    assert "per_env" not in alg
    assert rest[:5] == ["--force", "with", "lr=0.01", "seed=3", "evaluate=False"]
    assert ast.literal_eval(rest[5].removeprefix("env_args=")) == env["env_args"]
    assert rest[6:] == ["use_wandb=True"]


def test_what_agents_see_and_remember_is_what_our_files_say_not_theirs(line: CommandLine) -> None:
    """EPyMARL's defaults are obs_agent_id=True and obs_last_action=True."""
    alg, _, rest = told(line.rewrite(["--config=bc", "--env-config=xor"]))
    assert {key: alg[key] for key in ("use_rnn", "agent", "obs_last_action", "obs_agent_id", "policy_input")} == {
        "use_rnn": False, "agent": "rnn", "obs_last_action": False, "obs_agent_id": False, "policy_input": "state"}
    alg, _, rest = told(line.rewrite(["--config=bc", "--env-config=xor", "with", "use_rnn=True", "agent=rnn_ns",
                                      "obs_last_action=True", "obs_agent_id=True"]))
    assert (alg["use_rnn"], alg["agent"], alg["obs_last_action"], alg["obs_agent_id"]) == (True, "rnn_ns", True, True)
    assert rest == ["with", "use_rnn=True", "agent='rnn_ns'", "obs_last_action=True", "obs_agent_id=True"]


def test_an_unset_seed_is_left_to_sacred(line: CommandLine) -> None:
    alg, _, rest = told(line.rewrite(["--config=bc", "--env-config=xor"]))
    assert "seed" not in alg
    assert rest == []


def test_their_algorithm_keeps_its_file(line: CommandLine) -> None:
    assert line.rewrite(["--config=qmix", "--env-config=gymma", "with", "env_args.key=x", "lr=1"]) == [
        "--config=qmix", "--env-config=gymma", "with", "env_args.key=x", "lr=1"]
    words = line.rewrite(["--config=qmix", "--env-config=xor", "with", "env_args.bb_reward=-2", "lr=1"])
    assert words[0] == "--config=qmix"
    assert words[2:] == ["with", "lr=1"]
    assert yaml.safe_load(Path(f"{words[1].partition('=')[2]}.yaml").read_text())["env_args"]["bb_reward"] == -2.0


def test_their_recordings_declare_our_keys(line: CommandLine) -> None:
    words = line.rewrite(["--config=qmix", "--env-config=gymma", "with", "env_args.key=x", "runner=record",
                          "record_to=mix.npz", "record_epsilons=[0, 0.5]"])
    assert words[2:] == ["with", "env_args.key=x", "runner=record"]
    section = yaml.safe_load(Path(f"{words[1].partition('=')[2]}.yaml").read_text())
    assert section["env_args"] == {"key": None, "time_limit": 100, "pretrained_wrapper": None}
    assert {key: value for key, value in section.items() if key.startswith("record_")} == {
        "record_to": "mix.npz", "record_from": "", "record_steps": [], "record_epsilons": [0, 0.5],
        "record_episodes": 1000}


def test_an_edited_file_in_the_checkout_counts(line: CommandLine, fake: Path) -> None:
    from epymarl_cpa.host.installer import install

    install(Checkout(fake))
    file = fake / "src/config/algs/bc.yaml"
    file.write_text(file.read_text() + "lr: 0.125\n")
    assert told(line.rewrite(["--config=bc", "--env-config=xor"]))[0]["lr"] == 0.125


def test_files_of_the_user(line: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("extends: bc\nlr: 0.25\n")
    for name in ("mine.yaml", "./mine", str(tmp_path / "mine")):
        assert told(line.rewrite([f"--config={name}", "--env-config=xor"]))[0]["lr"] == 0.25
    (tmp_path / "theirs.yaml").write_text("name: x\nlearner: coma_learner\n")
    theirs = f"--config={tmp_path / 'theirs'}"
    assert line.rewrite([theirs, "--env-config=gymma"]) == [theirs, "--env-config=gymma"]


def test_their_algorithms_play_tasks_of_other_packages(line: CommandLine, tmp_path: Path) -> None:
    """By EPyMARL's own wrapper, in its words; a user's own file for that wrapper is EPyMARL's to read."""
    words = line.rewrite(["--config=qmix", "--env-config=lbf", "with", "env_args.time_limit=25", "seed=0", "-F", "out"])
    section = yaml.safe_load(Path(f"{words[1].partition('=')[2]}.yaml").read_text())
    assert section == {"env": "gymma", "env_args": {"key": "lbforaging:Foraging-8x8-2p-3f-v3", "time_limit": 25,
                                                    "pretrained_wrapper": None}}
    assert words[2:] == ["-F", "out", "with", "seed=0"]
    (tmp_path / "mine.yaml").write_text("env: gymma\nenv_args: {key: x:y-v0, time_limit: 5, whatever: 1}\n")
    mine = f"--env-config={tmp_path / 'mine'}"
    assert line.rewrite(["--config=qmix", mine]) == ["--config=qmix", mine]


@pytest.mark.parametrize(("words", "sentence"), [
    (["--config=bc"], "--config and --env-config are both needed"),
    (["--config=qmx", "--env-config=xor"], "did you mean 'qmix'"),
    (["--config=bc", "--env-config=sc2"], "EPyMARL has: gymma"),
    (["--config=bc", "--env-config=xor", "with", "lr=fast"], "'lr' must be a number"),
    (["--config=bc", "--env-config=xor", "with", "runner=episode", "buffer_size=999"], "does not run inside EPyMARL"),
    (["--config=qmix", "--env-config=xor", "with", "lr=1", "env_args.bb=2"], "unknown config key 'env_args.bb'"),
    (["--config=qmix", "--env-config=gymma", "with", "record_too=x"], "did you mean 'record_to'"),
    (["--config=qmix", "--env-config=gymma", "with", "record_steps=3"], "'record_steps' must be a list"),
    (["--config=qmix", "--env-config=xor", "with", "record_to=x.npz"], "no effect without runner=record")])
def test_mistakes(line: CommandLine, words: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        line.rewrite(words)


def test_environment_arguments_there_and_back() -> None:
    ours = {"key": "a:b", "time_limit": 25, "pretrained_wrapper": None, "kwargs": {"size": 3}}
    theirs = shared_env_args("gymma", {"map_name": "a-b", **ours})
    assert theirs == {"key": "a:b", "time_limit": 25, "pretrained_wrapper": None, "size": 3}
    assert own_env_args("gymma", theirs) == ours
    assert shared_env_args("xor", {"map_name": "x"}) == own_env_args("xor", {"map_name": "x"}) == {"map_name": "x"}


def test_our_names_come_back() -> None:
    config = {"mac": "cpa_basic_mac", "learner": "cpa_ar_learner", "runner": "cpa_record", "env": "xor",
              "env_args": {"seed": 1, "n_agents": 2}}
    assert own_config(config) == {"mac": "basic_mac", "learner": "cpa_ar_learner", "runner": "record", "env": "xor",
                                  "env_args": {"n_agents": 2}}


def test_results_are_kept_out_of_git(fake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = Checkout(fake)
    checkout.keep_apart(fake / "results")
    assert (fake / "results/.gitignore").read_text() == "*\n"
    (fake / "data").mkdir()
    monkeypatch.chdir(fake)
    for folder in ("data", "../outside", "."):
        checkout.keep_apart(Path(folder))
    assert not list((fake / "data").iterdir())
    assert not (tmp_path / "outside").exists()


def test_our_observers_are_refused_there(line: CommandLine) -> None:
    with pytest.raises(UserError, match=r"observers=\['tensorboard'\] watch runs in our own host; .*leave them out"):
        line.rewrite(["--config=bc", "--env-config=xor", "with", "observers=[tensorboard]"])


def test_a_checkpoint_is_named_as_their_loop_names_it(tiny_run: Callable[..., Outcome]) -> None:
    """By the folder of all of them and a step, of which 0 means the newest."""
    models = tiny_run("t_max=8", "test_interval=4", "save_model_interval=4").models
    assert models and sorted(file.name for file in models.iterdir()) == ["4", "8"]
    assert _for_their_loop(str(models / "4"), 0) == (str(models), 4)
    assert _for_their_loop(str(models), 4) == (str(models), 4)
    (models / "4").rename(models / "0")
    with pytest.raises(UserError, match=r"/0 cannot be named inside EPyMARL"):
        _for_their_loop(str(models / "0"), 0)
    with pytest.raises(UserError, match="holds no checkpoint"):
        _for_their_loop("nowhere", 0)
