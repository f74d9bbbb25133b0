"""Recordings: what is in them, and that nothing is lost or made up when they are interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch as th
from numpy.typing import NDArray
from outcome import Outcome

from epymarl_cpa import __version__
from epymarl_cpa.components.episode_buffer import EpisodeBatch
from epymarl_cpa.data.chunks import split
from epymarl_cpa.data.dataset import OfflineDataset
from epymarl_cpa.data.generate import generate
from epymarl_cpa.envs import make_game
from epymarl_cpa.errors import UserError
from epymarl_cpa.recording import parts as recording_parts
from epymarl_cpa.recording.parts import PartFiles
from epymarl_cpa.recording.player import Player

Run = Callable[..., Outcome]
RECORD = ("runner=record", "record_to=x.npz")


@pytest.fixture
def models(tiny_run: Run) -> str:
    """Folder of a run's models, at 3 and 6."""
    return str(tiny_run("save_model_interval=3").models)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epymarl_cpa.recording.recorder.SIZE", 4)


def test_a_mixture_of_models_and_epsilons(tiny_run: Run, models: str, capsys: pytest.CaptureFixture[str]) -> None:
    tiny_run(*RECORD, f"record_from={models}", "record_steps=[3, 6]", "record_epsilons=[0, 0.25]", "record_episodes=10")
    data = OfflineDataset.load(Path("x.npz"))
    names = ["ar_bc@3 eps=0", "ar_bc@3 eps=0.25", "ar_bc@6 eps=0", "ar_bc@6 eps=0.25"]
    assert data.meta["behaviours"] == names
    assert data.behaviour.tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert data.obs is None, "the agents see the state"
    assert data.meta["spec"]["game"] == "xor"
    assert (data.meta["seed"], data.meta["version"], data.meta["format"]) == (1, __version__, "recording")
    assert [member["model"].rpartition("/")[2] for member in data.meta["members"]] == ["3", "3", "6", "6"]
    assert not Path("x.npz.parts").exists()
    out = capsys.readouterr().out
    assert "recording: x.npz, 10 episodes, mean return" in out
    assert all(name in out for name in names)


def test_a_recording_can_be_learned_from(tiny_run: Run, models: str) -> None:
    tiny_run(*RECORD, f"record_from={models}", "record_epsilons=[1]", "record_episodes=40", env="xor")
    outcome = tiny_run("dataset=x.npz")
    assert outcome.record("run")["status"] == "COMPLETED"


def test_the_newest_model_plays_by_default_and_acts_as_in_tests(tiny_run: Run, models: str) -> None:
    tiny_run(*RECORD, f"record_from={models}", "record_episodes=30")
    data = OfflineDataset.load(Path("x.npz"))
    assert data.meta["behaviours"] == ["ar_bc@6 eps=0"]
    assert len(np.unique(data.actions[:, 0], axis=0)) == 1, "greedy"
    tiny_run(*RECORD, f"record_from={models}", "record_episodes=30", "record_to=y.npz", "test_greedy=false")
    assert len(np.unique(OfflineDataset.load(Path("y.npz")).actions[:, 0], axis=0)) > 1


def test_without_models_the_untrained_controller_plays(tiny_run: Run) -> None:
    tiny_run(*RECORD, "record_episodes=30", "record_epsilons=[1]", env="bridge")
    data = OfflineDataset.load(Path("x.npz"))
    assert data.meta["behaviours"] == ["ar_bc@untrained eps=1"]
    played, n_actions = data.actions[data.steps].ravel(), data.avail_actions.shape[3]
    shares = np.bincount(played, minlength=n_actions) / len(played)
    assert np.allclose(shares, 1 / n_actions, atol=0.06), "epsilon 1 is uniform"


def test_early_ends(tiny_run: Run) -> None:
    tiny_run(*RECORD, "record_episodes=60", "record_epsilons=[1]", env="bridge")
    data = OfflineDataset.load(Path("x.npz"))
    lengths = data.steps.sum(1)
    assert len(set(lengths.tolist())) > 1
    assert (data.filled.sum(1) == lengths + 1).all(), "the last state is there, too"
    assert (data.terminated.sum(1) == 1).all()


@pytest.mark.parametrize(("scalarisation", "total"), [("sum", np.sum), ("mean", np.mean)])
def test_individual_rewards(tiny_run: Run, scalarisation: str, total: Callable[..., NDArray[np.float64]]) -> None:
    tiny_run(*RECORD, "record_episodes=8", "record_epsilons=[1]", "common_reward=false",
             f"reward_scalarisation={scalarisation}", env="aloha")
    data = OfflineDataset.load(Path("x.npz"))
    assert data.agent_reward is not None
    assert np.allclose(total(data.agent_reward, axis=-1), data.reward, atol=1e-6)
    assert data.reward.any()


def test_an_interrupted_recording_goes_on_as_if_nothing_had_been(
        tiny_run: Run, models: str, small_parts: None, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    words = (*RECORD, f"record_from={models}", "record_epsilons=[0, 0.5]", "record_episodes=22", "seed=")
    tiny_run(*words, "record_to=whole.npz", "seed=7")
    played = Player.play
    count = 0

    def stopping(self: Player, *arguments: Any) -> Any:
        nonlocal count
        count += 1
        if count == 10:
            os.kill(os.getpid(), signal.SIGTERM)
        return played(self, *arguments)

    with monkeypatch.context() as once:
        once.setattr(Player, "play", stopping)
        tiny_run(*words, "seed=7", status=130)
    assert "interrupted after 10 of 22 episodes" in capsys.readouterr().out
    parts = sorted(Path("x.npz.parts").iterdir())
    assert [OfflineDataset.load(part).n_episodes for part in parts] == [4, 4, 2]
    tiny_run("dataset=x.npz.parts")  # what there is can be learned from
    (Path("x.npz.parts") / ".part-00003.npz.half").write_bytes(b"left by a kill")
    tiny_run(*words)  # without a seed: that of the parts
    assert "going on at episode 10 of 22" in capsys.readouterr().out
    assert Path("x.npz").read_bytes() == Path("whole.npz").read_bytes()
    assert not Path("x.npz.parts").exists()
    tiny_run(*words)  # nothing is left to do
    assert Path("x.npz").read_bytes() == Path("whole.npz").read_bytes()
    tiny_run(*words, "record_episodes=23", status=2)
    assert "x.npz is complete with 22 episodes, not record_episodes=23" in capsys.readouterr().err


def test_a_kill_leaves_whole_parts(tmp_path: Path) -> None:
    words = ["--config=ar_bc", "--env-config=aloha", "with", "seed=3", *RECORD, "record_epsilons=[0.5]",
             "record_episodes=100000", "hidden_dim=8"]
    process = subprocess.Popen([sys.executable, "-m", "epymarl_cpa", *words], cwd=tmp_path, stdout=subprocess.DEVNULL)
    parts = tmp_path / "x.npz.parts"
    deadline = time.monotonic() + 240
    while not (parts / "part-00001.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait()
    done = sorted(parts.glob("part-*.npz"))
    assert len(done) >= 2
    for part in done:
        data = OfflineDataset.load(part)
        assert data.n_episodes == recording_parts.SIZE
        assert data.meta["spec"]["game"] == "aloha"


@pytest.mark.parametrize(("word", "sentence"), [
    ("seed=2", "with seed=1 instead of 2"), ("record_epsilons=[0.5]", "of another recording, with members="),
    ("test_greedy=false", "with test_greedy=true instead of false"),
    ("record_episodes=3", "more than record_episodes=3")])
def test_parts_of_other_settings_are_refused(tiny_run: Run, small_parts: None, monkeypatch: pytest.MonkeyPatch,
                                             word: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    def full(self: PartFiles) -> OfflineDataset:
        raise KeyboardInterrupt

    with monkeypatch.context() as once:
        once.setattr(PartFiles, "merge", full)
        tiny_run(*RECORD, "record_episodes=6", status=130)
    before = {file.name: file.read_bytes() for file in Path("x.npz.parts").iterdir()}
    tiny_run(*RECORD, "record_episodes=6", word, status=2)
    assert sentence in capsys.readouterr().err
    assert {file.name: file.read_bytes() for file in Path("x.npz.parts").iterdir()} == before


def test_damaged_and_missing_parts(tiny_run: Run, small_parts: None, monkeypatch: pytest.MonkeyPatch,
                                   capsys: pytest.CaptureFixture[str]) -> None:
    with monkeypatch.context() as once:
        once.setattr(PartFiles, "merge", lambda self: 1 / 0)
        tiny_run(*RECORD, "record_episodes=12", status=1)
    first = Path("x.npz.parts/part-00000.npz")
    content = first.read_bytes()
    first.write_bytes(content[:-50])
    tiny_run(*RECORD, "record_episodes=12", status=2)
    assert "part-00000.npz is damaged" in capsys.readouterr().err
    first.unlink()
    tiny_run(*RECORD, "record_episodes=12", status=2)
    assert "lacks part-00000.npz; delete the folder to record afresh" in capsys.readouterr().err


def test_parts_stay_until_the_whole_has_been_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = generate(make_game("xor"), {"episodes": 6, "mixture": {"random": 1.0}}, 0)
    files = PartFiles(tmp_path / "x.npz", whole.meta)
    files.add([{key: array[e] for key, array in whole.arrays.items()} for e in range(6)])
    with monkeypatch.context() as once:
        once.setattr("epymarl_cpa.data.formats.npz.Npz.read", lambda self, path: split(OfflineDataset(
            **{key: array[:2] for key, array in whole.arrays.items()}, meta=whole.meta)))
        with pytest.raises(UserError, match="reads back differently"):
            files.merge()
    assert [*tmp_path.iterdir()] == [files.folder] and files.whole is None
    assert files.merge().n_episodes == 6
    assert [*tmp_path.iterdir()] == [tmp_path / "x.npz"]


def test_more_than_a_hundred_thousand_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their numbers have a digit more than the others', and follow them."""
    monkeypatch.setattr(PartFiles, "_checked", lambda self, file: SimpleNamespace(n_episodes=1))
    monkeypatch.setattr(recording_parts, "part_file", lambda folder, number: folder / f"part-{number:01d}.npz")
    (tmp_path / "x.npz.parts").mkdir()
    for number in range(12):
        (tmp_path / f"x.npz.parts/part-{number}.npz").touch()
    assert PartFiles(tmp_path / "x.npz", {}).episodes == 12


@pytest.mark.parametrize(("words", "sentence"), [
    (["record_to="], "writes to the file record_to=<name>.npz, not to ''"),
    (["record_to=x.txt"], "not to 'x.txt'"), (["record_steps=[3]"], "needs record_from=<folder"),
    (["record_steps=[0]"], "whole numbers of at least 1"), (["record_steps=3"], "'record_steps' must be a list"),
    (["record_from=nowhere"], "record_from=nowhere holds no checkpoint"),
    (["record_epsilons=[]"], "from 0 to 1, not []"),
    (["record_epsilons=[0.1, 2]"], "from 0 to 1, not [0.1, 2]"), (["record_epsilons=[0, 0]"], "different numbers"),
    (["record_epsilons=[true]"], "each entry is a number or a whole number, not True"),
    (["record_episodes=0"], "must be at least 1"),
    (["checkpoint_path=MODELS"], "from record_from, not from checkpoint_path"),
    (["record_from=MODELS", "record_steps=[5, 6]"], "means the checkpoint"),
    (["record_from=MODELS", "hidden_dim=16"], "was trained with hidden_dim=8, but this run has hidden_dim=16"),
    (["record_from=MODELS", "env_args.n_agents=3"], "was trained with env_args.n_agents=2"),
    (["record_to=taken/x.npz"], "cannot be written to taken/x.npz.parts")])
def test_mistakes(tiny_run: Run, models: str, words: list[str], sentence: str,
                  capsys: pytest.CaptureFixture[str]) -> None:
    Path("taken").write_text("a file in the way")
    capsys.readouterr()
    tiny_run("runner=record", "record_to=x.npz", *(word.replace("MODELS", models) for word in words), status=2)
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said
    assert not Path("x.npz").exists()


class Odd:
    """An environment that cuts off, masks actions and leaves an agent without any at the end."""

    def __init__(self, ends: bool, flagged: bool) -> None:
        self.ends, self.flagged, self.t = ends, flagged, 0
        self.taken: list[list[int]] = []

    def reset(self) -> None:
        self.t = 0

    def get_state(self) -> list[float]:
        return [float(self.t)]

    def get_obs(self) -> list[list[float]]:
        return [[float(self.t), 0.0], [float(self.t), 1.0]]

    def get_avail_actions(self) -> list[list[int]]:
        return [[0, 1, 1], [0, 0, 0] if self.t == 2 else [1, 0, 0]]

    def step(self, actions: NDArray[np.int64]) -> tuple[Any, list[float], bool, bool, dict[str, bool]]:
        self.taken.append(actions.tolist())
        self.t += 1
        over = self.t == 2
        return None, [1.0, 2.0], over and self.ends, over and not self.ends, (
            {"episode_limit": True} if over and self.flagged else {})


@pytest.mark.parametrize(("ends", "flagged", "terminated"), [(True, False, 1), (False, False, 0), (False, True, 0),
                                                             (True, True, 0)])
def test_any_environment(ends: bool, flagged: bool, terminated: int) -> None:
    scheme: dict[str, Any] = {
        "state": {"vshape": 1}, "obs": {"vshape": 2, "group": "agents"},
        "actions": {"vshape": (1,), "group": "agents", "dtype": th.long},
        "avail_actions": {"vshape": (3,), "group": "agents", "dtype": th.int}, "reward": {"vshape": (2,)},
        "terminated": {"vshape": (1,), "dtype": th.uint8}}
    env = Odd(ends, flagged)
    player = Player(env, EpisodeBatch(scheme, {"agents": 2}, 1, 5), "mean")
    mac = SimpleNamespace(init_hidden=lambda batch_size: None,
                          select_actions=lambda batch, **_: batch["avail_actions"][:, 0].argmax(-1))
    for number in range(20):
        episode = player.play(mac, 1.0, np.random.SeedSequence([0, number]), number)
        assert episode["filled"].tolist() == [True, True, True, False, False], "the last state after a cut, too"
        assert episode["terminated"].sum() == terminated
        assert episode["terminated"][1] == bool(terminated)
        assert episode["agent_reward"].tolist() == [[1, 2], [1, 2], [0, 0], [0, 0], [0, 0]]
        assert episode["reward"].tolist() == [1.5, 1.5, 0, 0, 0]
        assert episode["avail_actions"][2].tolist() == [[False, True, True], [True, True, True]]
        assert episode["state"][:, 0].tolist() == [0, 1, 2, 0, 0]
        OfflineDataset(**{key: value[None] for key, value in episode.items()}, behaviour=np.zeros(1, np.int64),
                       meta={"behaviours": ["odd"]})
    assert {first for first, _ in env.taken} == {1, 2}, "only what the mask allows, at random"
    assert {second for _, second in env.taken} == {0}


def test_a_single_reward_where_each_agent_should_have_one() -> None:
    env = Odd(True, False)
    env.step = lambda actions: (None, 1.0, True, False, {})  # type: ignore[method-assign]
    scheme: dict[str, Any] = {
        "state": {"vshape": 1}, "obs": {"vshape": 2, "group": "agents"},
        "actions": {"vshape": (1,), "group": "agents", "dtype": th.long},
        "avail_actions": {"vshape": (3,), "group": "agents", "dtype": th.int}, "reward": {"vshape": (2,)}}
    mac = SimpleNamespace(init_hidden=lambda batch_size: None,
                          select_actions=lambda batch, **_: batch["avail_actions"][:, 0].argmax(-1))
    with pytest.raises(UserError, match="a reward for every agent"):
        Player(env, EpisodeBatch(scheme, {"agents": 2}, 1, 5), "sum").play(mac, 0.0, np.random.SeedSequence(0), 0)
