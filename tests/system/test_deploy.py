"""Exported agents: one process each, no word between them, and still the controller's joint actions."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import ENV_FILES, OUR_ENVS, few_episodes
from outcome import Outcome

from epymarl_cpa.controllers.independent_controller import BasicMAC
from epymarl_cpa.deploy import agents as agents_module
from epymarl_cpa.deploy import demo, teams
from epymarl_cpa.deploy.__main__ import main
from epymarl_cpa.deploy.demo import play
from epymarl_cpa.deploy.export import StudentTeam, export
from epymarl_cpa.deploy.policy import Policy, PolicyError, digest
from epymarl_cpa.errors import UserError

pytestmark = pytest.mark.thorough

ENVS = OUR_ENVS
SHORT = ("t_max=1", "student_t_max=2", "pool_hidden=8", "pool_size=6", "beta=0.05", "entry_floor=0.0",
         "plans=6")
Run = Callable[..., Outcome]


@pytest.fixture
def exported(tiny_run: Run, tmp_path: Path) -> Callable[..., tuple[Path, str]]:
    """Trains a tiny team and exports it: the policies' folder and the model's."""

    def make(env: str, *words: str) -> tuple[Path, str]:
        outcome = tiny_run(*few_episodes(env), *SHORT, *words, alg="cpa_pa", env=env)
        named = [f"--key={ENV_FILES[env]['env_args']['key']}"] if env == "gymma" else []
        assert main(["export", str(outcome.models), f"--out={tmp_path / 'agents'}", *named]) == 0
        return tmp_path / "agents", str(outcome.models)

    return make


@pytest.mark.parametrize("env", ENVS)
def test_separate_processes_play_the_controllers_joint_actions(env: str, exported: Callable[..., tuple[Path, str]],
                                                               ) -> None:
    folder, model = exported(env)
    played = play(folder, [3], 60, model)
    assert played.agreed == played.steps >= 60
    if env == "sensor":  # in other games a team may well always do the same
        assert played.distinct > 1


@pytest.mark.slow
@pytest.mark.parametrize("env", ENVS)
def test_they_do_so_for_a_thousand_steps(env: str, exported: Callable[..., tuple[Path, str]]) -> None:
    folder, model = exported(env)
    played = play(folder, [3], 1000, model)
    assert played.agreed == played.steps >= 1000


@pytest.mark.parametrize("key", ["cvae_vector", "cvae_index"])
@pytest.mark.parametrize("per", ["step", "episode"])
def test_every_kind_of_key_can_be_exported(key: str, per: str, exported: Callable[..., tuple[Path, str]]) -> None:
    folder, model = exported("permutation", f"key={key}", f"key_per={per}")
    played = play(folder, [5], 30, model)
    assert played.agreed == played.steps


def test_agents_with_local_observations_can_be_exported(exported: Callable[..., tuple[Path, str]]) -> None:
    folder, model = exported("aloha", "policy_input=obs", "env_args.observation=local")
    played = play(folder, [5], 40, model)
    assert played.agreed == played.steps


def test_agents_of_a_chain_pass_their_actions_on(tiny_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = tiny_run("t_max=1", "test_greedy=false", *few_episodes("bridge"), alg="cpa_ar", env="bridge")
    assert main(["export", str(outcome.models), "--out=agents"]) == 0
    assert main(["play", "agents", "--steps=60", f"--model={outcome.models}"]) == 0
    assert re.search(r"equal to the controller's in one process: (\d+) of \1\n", capsys.readouterr().out)


#: conventions, which do not stand still, and students that see the state
REMEMBERING = [["agent=rnn", "policy_input=obs", "obs_last_action=true", "repeat_limit=3"],
               ["agent=rnn_ns", "policy_input=obs", "obs_last_action=true", "obs_agent_id=true", "state_levels=6",
                "repeat_limit=1"],
               pytest.param(["agent=rnn", "policy_input=state", "key=cvae_vector"], marks=pytest.mark.slow)]


@pytest.mark.parametrize("words", REMEMBERING)
def test_agents_that_remember_play_a_thousand_steps_as_the_controller_does(
        words: list[str], exported: Callable[..., tuple[Path, str]]) -> None:
    """Bridge's episodes last up to 50 steps here, so these are twenty at least."""
    folder, model = exported("bridge", "use_rnn=true", *words, "student_t_max=40", "student_lr=0.02", "beta=0.01")
    played = play(folder, [3], 1000, model)
    assert played.agreed == played.steps >= 1000
    assert len(played.returns) >= 20 and played.distinct > 1


def test_an_agents_memory_is_its_own_and_ends_with_the_episode(exported: Callable[..., tuple[Path, str]]) -> None:
    folder, _ = exported("bridge", "use_rnn=true", "agent=rnn_ns", "obs_last_action=true")
    files = [np.load(folder / f"agent_{i}.npz", allow_pickle=False) for i in range(2)]
    assert files[0]["encoder.back.w"].shape == (8, 24)  # of one agent: no axis of agents
    assert not np.array_equal(files[0]["encoder.back.w"], files[1]["encoder.back.w"])
    policy = Policy.load(folder / "agent_0.npz")
    policy.agree(0)
    rng = np.random.default_rng(0)
    seen = rng.random((5, policy.meta["n_seen"]))
    first, again = ([policy.act(seen[t], episode=0, step=t) for t in range(5)] for _ in range(2))
    assert first == again
    policy.act(seen[0], episode=1, step=0)
    with pytest.raises(PolicyError, match="remembers and cannot act at step 2 of episode 1: it must be asked once for"):
        policy.act(seen[2], episode=1, step=2)
    with pytest.raises(PolicyError, match="at step 1 of episode 0"):
        policy.act(seen[1], episode=0, step=1)
    policy.act(seen[1], episode=1, step=1)


def test_a_file_holds_no_other_agents_head(exported: Callable[..., tuple[Path, str]]) -> None:
    folder, _ = exported("permutation")
    files = [np.load(folder / f"agent_{i}.npz", allow_pickle=False) for i in range(4)]
    assert {name.split(".")[0] for name in files[0].files} == {"entries", "shares", "head", "meta", "digest"}
    heads = [file["head.w0"] for file in files]
    assert all(head.shape == (32, 64) for head in heads)  # of one agent: no axis of agents
    assert not any(np.array_equal(heads[0], head) for head in heads[1:])
    assert all(np.array_equal(files[0]["entries.w0"], file["entries.w0"]) for file in files)


def test_agents_with_different_seeds_are_told_so(exported: Callable[..., tuple[Path, str]],
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    folder, _ = exported("permutation")
    assert main(["play", str(folder), "--seed=1,1,2,1"]) == 2
    assert "agent 0 and agent 2 were started with different seeds" in capsys.readouterr().err
    assert main(["play", str(folder), "--seed=1,1"]) == 2
    assert "one seed for all, or one for each of the 4 agents, not 2" in capsys.readouterr().err
    assert main(["play", str(folder), "--seed=x"]) == 2
    assert "--seed must be a whole number" in capsys.readouterr().err


def test_a_damaged_policy_file_is_refused_at_every_place(exported: Callable[..., tuple[Path, str]],
                                                         capsys: pytest.CaptureFixture[str]) -> None:
    folder, _ = exported("xor")
    file = folder / "agent_1.npz"
    whole = file.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(40):
        broken = bytearray(whole)
        if rng.random() < 0.5:
            broken = broken[: int(rng.integers(len(whole)))]
        else:
            broken[int(rng.integers(len(whole)))] ^= int(rng.integers(1, 256))
        file.write_bytes(bytes(broken))
        try:
            policy = Policy.load(file)
        except PolicyError as error:
            assert str(file) in str(error)
        else:  # a byte that means nothing, such as a date in the archive's directory
            file.write_bytes(whole)
            intact = Policy.load(file)
            policy.agree(1)
            intact.agree(1)
            assert policy.meta == intact.meta
            assert all(policy.act(np.ones(4), None, e, 0) == intact.act(np.ones(4), None, e, 0) for e in range(20))
    file.write_bytes(whole[:1000])
    assert main(["play", str(folder)]) == 2
    assert "agent_1.npz is no whole policy file" in capsys.readouterr().err


def test_altered_weights_are_refused(exported: Callable[..., tuple[Path, str]]) -> None:
    folder, _ = exported("xor")
    file = folder / "agent_0.npz"
    with np.load(file, allow_pickle=False) as content:
        arrays = {name: content[name] for name in content.files}
    arrays["head.w0"] = arrays["head.w0"] + 1e-3
    np.savez(file, **arrays)  # type: ignore[arg-type]
    with pytest.raises(PolicyError, match="was altered after it was exported"):
        Policy.load(file)
    meta = json.loads(str(arrays.pop("meta")))
    arrays.pop("digest")
    last = max(name for name in arrays if name.startswith("head.b"))
    for key, wrong in (("head.w0", arrays["head.w0"][1:]), ("entries.b0", arrays["entries.b0"][:0]),
                       ("shares.w0", arrays["shares.w0"].astype("U4")), (last, arrays[last][None, None].repeat(3, 1)),
                       ("head.w0", arrays["head.w0"] * np.nan)):
        altered = {**arrays, key: wrong}
        np.savez(file, meta=json.dumps(meta), digest=digest(meta, altered), **altered)  # type: ignore[arg-type]
        with pytest.raises(PolicyError, match=r"holds no (policy that can act|numbers in)"):
            Policy.load(file)


def test_agents_of_different_teams_are_not_mixed(exported: Callable[..., tuple[Path, str]], tmp_path: Path,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    folder, _ = exported("xor")
    shutil.copytree(folder, tmp_path / "other")
    other, _ = exported("xor", "seed=2")
    shutil.copy(other / "agent_1.npz", tmp_path / "other/agent_1.npz")
    assert main(["play", str(tmp_path / "other")]) == 2
    assert "belongs to another team" in capsys.readouterr().err
    (tmp_path / "other/agent_1.npz").unlink()
    assert main(["play", str(tmp_path / "other")]) == 2
    assert "holds 1 of the 2 agents" in capsys.readouterr().err


def test_what_cannot_be_exported_is_told(tiny_run: Run, capsys: pytest.CaptureFixture[str],
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = tiny_run("t_max=2", alg="cpa_ar", env="xor")
    with pytest.raises(UserError, match="mac=ar_mac, not as students who agree by a key"):
        StudentTeam(str(outcome.models))
    monkeypatch.setattr(teams, "KINDS", {BasicMAC: "independent"})
    assert main(["export", str(outcome.models)]) == 2
    assert "mac=ar_mac, whose agents cannot be exported" in capsys.readouterr().err
    assert main(["export", "nowhere"]) == 2
    assert "nowhere holds no checkpoint" in capsys.readouterr().err
    assert main(["play", "nowhere"]) == 2
    assert "holds no policy files" in capsys.readouterr().err


def test_a_policy_says_what_it_needs(exported: Callable[..., tuple[Path, str]]) -> None:
    folder, _ = exported("xor")
    policy = Policy.load(folder / "agent_0.npz")
    with pytest.raises(PolicyError, match="no shared seed yet"):
        policy.act(np.ones(4))
    policy.agree(0)
    with pytest.raises(PolicyError, match=r"needs 4 numbers, but sees an array of shape \(2,\)"):
        policy.act(np.ones(2))


def test_a_team_made_of_two_trainings_is_found_out(exported: Callable[..., tuple[Path, str]], tmp_path: Path,
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    """Same seed, same length, same sizes: only the networks differ."""
    folder, model = exported("permutation")
    shutil.copytree(folder, tmp_path / "mixed")
    other, _ = exported("permutation", "student_lr=0.5")
    shutil.copy(other / "agent_3.npz", tmp_path / "mixed/agent_3.npz")
    assert main(["play", str(tmp_path / "mixed")]) == 2
    assert "agent_3.npz belongs to another team" in capsys.readouterr().err
    assert main(["play", str(other), f"--model={model}"]) == 2
    assert "is not the model that these policies were exported from" in capsys.readouterr().err


def test_a_smaller_team_replaces_a_larger_one(exported: Callable[..., tuple[Path, str]]) -> None:
    exported("permutation")
    folder, _ = exported("xor")
    assert sorted(file.name for file in folder.iterdir()) == ["agent_0.npz", "agent_1.npz", "heads.py", "key.py",
                                                            "policy.py", "policy_file.py", "sight.py", "team.json"]
    assert play(folder, [0], 3).steps == 3


def test_what_stands_in_the_folder_is_never_run(exported: Callable[..., tuple[Path, str]]) -> None:
    folder, _ = exported("xor")
    (folder / "policy.py").write_text("raise SystemExit('run')")
    assert play(folder, [0], 3).steps == 3


def test_a_policy_file_alone_imports_no_other_package(exported: Callable[..., tuple[Path, str]],
                                                      capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("lbforaging")
    folder, model = exported("gymma", "dataset=random", "recipes.random.episodes=10", "batch_size=4")
    assert main(["play", str(folder), "--steps=3"]) == 2
    assert "lbforaging:Foraging-8x8-2p-3f-v3 of another package" in capsys.readouterr().err
    assert main(["play", str(folder), "--steps=3", f"--model={model}"]) == 2, "nor on that of a model folder"
    assert "name it in the command, too: --key=lbforaging:Foraging-8x8-2p-3f-v3" in capsys.readouterr().err
    key = "--key=lbforaging:Foraging-8x8-2p-3f-v3"
    assert main(["play", str(folder), "--steps=3", f"--model={model}", key]) == 0


def test_an_agent_that_dies_or_hangs_is_reported(exported: Callable[..., tuple[Path, str]],
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = exported("xor")
    monkeypatch.setattr(agents_module, "PATIENCE", 2)
    with demo.Agents(folder) as team:
        team.agree([0, 0])
        team.agents[1]._process.send_signal(signal.SIGSTOP)
        with pytest.raises(UserError, match=r"agent_1\.npz has said nothing for 2 seconds"):
            team.act(np.ones((2, 4)), np.ones((2, 2)), 0, 0)
        team.agents[0]._process.kill()
        team.agents[0]._process.wait()
        with pytest.raises(UserError, match=r"the agent of .*agent_0\.npz has ended"):
            team.act(np.ones((2, 4)), np.ones((2, 2)), 0, 0)
    assert all(agent._process.poll() is not None for agent in team.agents)


@pytest.mark.parametrize(("words", "sentence"), [
    ({"seen": np.full(4, np.nan)}, "not finite"),
    ({"available": [1, 1, 1]}, "needs a mask of its 2 actions"), ({"available": ["0", "1"]}, "needs a mask of its 2"),
    ({"available": [1, np.nan]}, "needs a mask of its 2 actions, 0 or 1 for each, not"),
    ({"available": [[1], [1, 0]]}, "needs a mask"), ({"available": {"a": 1}}, "needs a mask"),
    ({"seen": ["a"] * 4}, "needs 4 numbers, but sees"), ({"seen": [[1], [1, 0]]}, "needs 4 numbers, but sees"),
    ({"step": 1.5}, "whole numbers counted from 0"),
    ({"episode": 2**64}, "whole numbers counted from 0")])
def test_nonsense_is_refused_by_a_policy(words: dict[str, Any], sentence: str,
                                         exported: Callable[..., tuple[Path, str]]) -> None:
    folder, _ = exported("xor")
    policy = Policy.load(folder / "agent_0.npz")
    policy.agree(0)
    with pytest.raises(PolicyError, match=sentence):
        policy.act(**{"seen": np.ones(4), **words})


def running_with(word: str) -> list[str]:
    """Command lines of the processes that mention a word."""
    found = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended since
            found.append(command.read_bytes().decode(errors="ignore"))
    return [line for line in found if word in line]


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="processes are looked up in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupting_the_play_leaves_no_process_and_no_traceback(number: signal.Signals,
                                                                  exported: Callable[..., tuple[Path, str]]) -> None:
    folder, _ = exported("xor")
    running = subprocess.Popen([sys.executable, "-m", "epymarl_cpa.deploy", "play", str(folder), "--steps=100000000"],
                               stderr=subprocess.PIPE, text=True)
    while len(running_with(str(folder / "agent_"))) < 2 and running.poll() is None:
        time.sleep(0.1)
    time.sleep(0.5)
    running.send_signal(number)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in err
    assert not running_with(str(folder))


def test_an_agent_whose_answers_nobody_reads_ends_without_a_word(exported: Callable[..., tuple[Path, str]]) -> None:
    folder, _ = exported("xor")
    agent = subprocess.Popen([sys.executable, "policy.py", "agent_0.npz"], cwd=folder, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert agent.stdin is not None and agent.stdout is not None and agent.stderr is not None
    agent.stdout.close()
    with contextlib.suppress(BrokenPipeError):
        agent.stdin.write(b'{"seed": 1}\n' * 3)
        agent.stdin.close()
    assert (agent.wait(timeout=60), agent.stderr.read()) == (0, b"")


def test_a_format_that_does_not_exist_is_told(tiny_run: Run) -> None:
    model = tiny_run("t_max=1", alg="bc").models
    with pytest.raises(UserError, match="format of exported agents must be numpy, onnx or both, not 'pickle'"):
        export(str(model), Path("agents"), form="pickle")
    assert not Path("agents").exists()
