"""Agents of every method leave, as NumPy files and as ONNX graphs, and do the same as their controller."""

from __future__ import annotations

import builtins
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import FOLDER, OUR_ENVS, Built, few_episodes
from outcome import Outcome

from epymarl_cpa.config import resolve
from epymarl_cpa.controllers.independent_controller import BasicMAC
from epymarl_cpa.deploy import __main__ as commands
from epymarl_cpa.deploy import export as exporting
from epymarl_cpa.deploy import graph
from epymarl_cpa.deploy.__main__ import main
from epymarl_cpa.deploy.check import Compared
from epymarl_cpa.deploy.export import MANIFEST, check_team, npz_of
from epymarl_cpa.deploy.heads import LEAST
from epymarl_cpa.deploy.policy import Policy, PolicyError
from epymarl_cpa.deploy.session import OnnxPolicy
from epymarl_cpa.deploy.teams import LeavingTeam
from epymarl_cpa.errors import UserError

METHODS = sorted(file.stem for file in (FOLDER / "algs").glob("*.yaml"))
STUDENTS = ("pool_hidden=8", "pool_size=6", "entry_floor=0.0", "plans=6")
ONNX = find_spec("onnx") is not None and find_spec("onnxruntime") is not None
FORM, FORMS = ("both", {"numpy", "onnx"}) if ONNX else ("numpy", {"numpy"})
needs_onnx = pytest.mark.skipif(not ONNX, reason="needs onnx and onnxruntime")
DOC = (Path(__file__).parents[2] / "docs/agents.md").read_text(encoding="utf-8")
Run = Callable[..., Outcome]


class Untrained(LeavingTeam):
    """A team without a checkpoint, with the networks that training begins with."""

    def __init__(self, alg: str, env: str, *words: str) -> None:
        small = [word for word in STUDENTS if word.partition("=")[0] in Untrained.known(alg)]
        built = Built(alg, env, "hidden_dim=8", *small, *words)
        if "students" in {stage.name for stage in built.run.stages}:
            built.mac.enter("students")
        self.folder, self.t_env, self.config = Path("untrained"), 0, built.config
        self.game, self.info, self.mac = built.game, built.info, built.mac
        self.take()

    @staticmethod
    def known(alg: str) -> set[str]:
        words = {word.partition("=")[0] for word in STUDENTS}
        return {"cpa_pa": words, "cpa_pa_printed": words, "kd": {"pool_hidden"}}.get(alg, set())


@pytest.mark.parametrize("alg", METHODS)
def test_agents_of_every_method_do_what_their_controller_does(alg: str) -> None:
    found = check_team(Untrained(alg, "bridge"), 12, seed=3, form=FORM)
    assert set(found) == FORMS
    assert all(each.whole and each.agreed == each.steps == 12 for each in found.values()), found


MEMORY = "use_rnn=true agent=rnn obs_last_action=true"
OWN = "use_rnn=true agent=rnn_ns obs_last_action=true obs_agent_id=true policy_input=obs state_levels=6"


@pytest.mark.parametrize(("alg", "env", "words"), [
    *((alg, "bridge", f"{words} test_greedy=false") for alg in ("bc", "cpa_ar", "kd", "cpa_pa")
      for words in (MEMORY, OWN)),
    ("bcq", "bridge", MEMORY), ("qmix", "aloha", OWN), ("oryx", "permutation", "test_greedy=false beta=0.3"),
    ("cpa_ar", "permutation", "test_greedy=false beta=0.2 beta_mode=flat shared_seed=true"),
    ("cpa_ar", "permutation", "test_greedy=false beta=0.9"), ("bcq", "bridge", "bcq_threshold=0.97"),
    ("bcq", "bridge", "filter_actions=false"), ("cpa_pa", "bridge", "key=cvae_vector"),
    ("cpa_pa", "bridge", "key=cvae_index key_per=episode"), ("cpa_pa", "bridge", "test_greedy=true"),
    ("cpa_pa", "aloha", "policy_input=obs repeat_limit=1"), ("cpa_pa", "aloha", f"{OWN} repeat_limit=2"),
    ("cpa_pa", "bridge", f"{OWN} repeat_limit=1 test_greedy=true")])
def test_they_do_so_with_memory_keys_and_draws(alg: str, env: str, words: str) -> None:
    found = check_team(Untrained(alg, env, *words.split()), 30, seed=1, form=FORM)
    assert set(found) == FORMS
    assert all(each.whole and each.steps == 30 for each in found.values()), found
    if "test_greedy=false" in words and env == "bridge" and alg != "cpa_pa":
        assert len(found["numpy"].distinct) > 5, "drawn"


#: methods whose agents draw their own actions with test_greedy=false
DRAWING = [alg for alg in METHODS if resolve(alg, "xor", [])["mac"] in ("basic_mac", "ar_mac", "product_mac")]


@pytest.mark.slow
@pytest.mark.parametrize("env", OUR_ENVS)
@pytest.mark.parametrize(("alg", "draws"), [*((alg, False) for alg in METHODS), *((alg, True) for alg in DRAWING)])
def test_a_thousand_of_a_thousand_after_training(alg: str, draws: bool, env: str, tiny_run: Run) -> None:
    """The tables of docs/agents.md."""
    words = {"cpa_pa": ["t_max=2", "student_t_max=6", "pool_hidden=8", "pool_size=6", "plans=6"],
             "kd": ["t_max=2", "student_t_max=6", "pool_hidden=8"],
             **{name: ["t_max=120", "batch_size=2"] for name in ("qmix", "vdn", "iql")}}
    drawn = ["test_greedy=false"] if draws else []
    model = str(tiny_run(*few_episodes(env), *words.get(alg, []), *drawn, alg=alg, env=env).models)
    found = exporting.check(model, 1000, form=FORM)
    assert {name: each.agreed for name, each in found.items()} == dict.fromkeys(FORMS, 1000)
    assert all(each.whole for each in found.values())


@needs_onnx
@pytest.mark.parametrize(("alg", "words"), [
    ("cpa_ar", "test_greedy=false"), ("bc", "test_greedy=true"), ("cpa_pa", "policy_input=obs repeat_limit=1")])
def test_a_graph_that_may_do_nothing_does_0(alg: str, words: str) -> None:
    import onnxruntime

    meta, arrays = Untrained(alg, "bridge", *words.split()).contents()[1]
    session = onnxruntime.InferenceSession(graph.graph_of(meta, arrays))
    rng = np.random.default_rng(0)
    given = {value.name: np.zeros([{"B": 20, "T": 0}.get(size, size) for size in value.shape],
                                  {"tensor(bool)": np.bool_, "tensor(double)": np.float64,
                                   "tensor(int64)": np.int64}.get(value.type, np.float32))
             for value in session.get_inputs()}
    given["key"] = rng.random(given["key"].shape) if "key" in given else given.pop("key", None)
    given = {name: value for name, value in given.items() if value is not None}
    assert session.run(["action"], given)[0].tolist() == [0] * 20


@needs_onnx
def test_a_graph_plays_many_games_at_once() -> None:
    import onnxruntime

    team = Untrained("cpa_pa", "aloha", "policy_input=obs", "repeat_limit=1", *MEMORY.split())
    meta, arrays = team.contents()[1]
    session = onnxruntime.InferenceSession(graph.graph_of(meta, arrays))
    policies = [Policy(meta, arrays) for _ in range(5)]
    rng, names = np.random.default_rng(0), [value.name for value in session.get_outputs()]
    memory = {value.name: np.zeros([{"B": 5, "T": 0}.get(size, size) for size in value.shape], np.float32)
              for value in session.get_inputs() if value.name not in graph.GIVEN}
    assert set(memory) == {"hidden", "last_action", "past_seen", "past_actions"}
    for episode, each in enumerate(policies):
        each.agree(episode)  # keys of their own
    for step in range(6):
        seen = rng.integers(2, size=(5, meta["n_seen"])).astype(np.float32)
        mask = rng.random((5, meta["n_actions"])) < 0.8
        mask[:, 0] |= ~mask.any(1)
        key = np.concatenate([each._key.draw([0], step, 1) for each in policies])  # type: ignore[union-attr]
        out = dict(zip(names, session.run(None, {"seen": seen, "available": mask, "key": key, **memory}), strict=True))
        assert out["action"].tolist() == [each.act(seen[i], mask[i], 0, step) for i, each in enumerate(policies)]
        memory = {name: out[f"next_{name}"] for name in memory}


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> str:
    """Stands for the model folder of an untrained chain on Permutation."""
    team = Untrained("cpa_ar", "permutation")
    monkeypatch.setattr(exporting, "LeavingTeam", lambda path, key="": team)
    return "untrained"


@contextmanager
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where neither this project nor PyTorch can be imported; the loader's modules are forgotten afterwards."""
    ordinary = builtins.__import__

    def careful(name: str, *rest: Any) -> Any:
        assert name.partition(".")[0] not in ("epymarl_cpa", "torch", "src"), name
        return ordinary(name, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path])
        patch.setattr(builtins, "__import__", careful)
        yield
    for name in ("policy", "heads", "sight", "policy_file", "key"):
        sys.modules.pop(name, None)


def test_ten_lines_play_them_elsewhere(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                       capsys: pytest.CaptureFixture[str]) -> None:
    """The examples of the page."""
    monkeypatch.chdir(tmp_path)
    assert main(["export", model, "--out=agents", f"--format={FORM}"]) == 0
    assert "4 agents in agents" in capsys.readouterr().out
    team = json.loads(Path("agents", MANIFEST).read_text())
    assert team["told"]["agent_2"] == ["action of agent_0", "action of agent_1"] and team["told"]["agent_0"] == []
    assert team["checked"] == dict.fromkeys(sorted(FORMS), "32 of 32 joint actions as the controller's")
    assert set(team["files"]) == {file.name for file in Path("agents").glob("agent_*")}
    blocks, names = re.findall(r"```python\n(.*?)```", DOC, re.S), [{}, {}]  # type: ignore[var-annotated]
    *blocks, with_the_package = blocks
    assert len(blocks) == 2 and all(len(block.splitlines()) <= 12 for block in blocks)
    exec(compile(with_the_package, "docs/agents.md", "exec"), {})
    with elsewhere(monkeypatch):
        for block, found in zip(blocks[: len(FORMS)], names, strict=False):
            exec(compile(block, "docs/agents.md", "exec"), found)
        assert Path(names[0]["Policy"].__module__).name == "policy", "not the package's"
    assert len(names[0]["actions"]) == 4 and set(names[0]["actions"]) <= set(range(4))
    assert not ONNX or names[1]["action"] == names[0]["actions"][0]


def test_without_a_mask_an_agent_takes_no_action_that_it_does_not_have(tmp_path: Path,
                                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    """Sensors at the edge look at fewer places; as load_policy, an exported agent knows of its own."""
    team = Untrained("bc", "sensor")
    possible, rng = team.game.possible(), np.random.default_rng(0)
    assert not possible.all()
    for i, (meta, arrays) in enumerate(team.contents()):
        policy = Policy(meta, {name: array * 9 for name, array in arrays.items()})
        seen = rng.random((50, meta["n_seen"])).astype(np.float32)
        assert possible[i][[policy.act(each) for each in seen]].all()
        assert np.array_equal(policy.logits > LEAST, possible[i])
    monkeypatch.setattr(exporting, "LeavingTeam", lambda path, key="": team)
    assert main(["export", "untrained", f"--out={tmp_path}"]) == 0
    assert main(["play", str(tmp_path), "--steps=3"]) == 0, "they are one team all the same"
    told = json.loads((tmp_path / MANIFEST).read_text())
    assert told["own_actions"] == {f"agent_{i}": np.flatnonzero(row).tolist() for i, row in enumerate(possible)}
    assert set(told["own_seen"].values()) == {told["n_seen"]}


@needs_onnx
def test_nor_does_one_that_a_graph_plays() -> None:
    team = Untrained("bc", "sensor")
    meta, arrays = team.contents()[0]
    agent = OnnxPolicy(meta, graph.graph_of(meta, arrays))
    agent.act(np.zeros(meta["n_seen"]))
    assert np.array_equal(agent.logits > LEAST, team.game.possible()[0])


def test_a_file_without_a_word_of_own_actions_still_plays() -> None:
    meta, arrays = Untrained("bc", "xor").contents()[0]
    old = {key: value for key, value in meta.items() if key not in ("own_actions", "own_seen")}
    assert Policy(old, arrays).act(np.zeros(meta["n_seen"])) == Policy(meta, arrays).act(np.zeros(meta["n_seen"]))


def test_an_agent_of_a_chain_must_be_told_what_others_do() -> None:
    meta, arrays = Untrained("cpa_ar", "permutation").contents()[2]
    policy = Policy(meta, arrays)
    assert policy.act(np.zeros(meta["n_seen"]), before=[0, 3]) in range(4)
    for wrong in ([], [0], [0, 4], [0, -1], [0.0, 1.0], [0, 1, 2], "ab", None, [[0], [1, 2]], [True, True]):
        with pytest.raises(PolicyError, match=r"acts after the 2 before it and needs .* before=\[a0, a1\]"):
            policy.act(np.zeros(meta["n_seen"]), before=wrong)  # type: ignore[arg-type]


def test_nothing_leaves_that_acts_otherwise(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                            capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "agents"
    assert main(["export", model, f"--out={out}"]) == 0
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    ordinary = LeavingTeam.arrays
    monkeypatch.setattr(LeavingTeam, "arrays", lambda self, agent: {
        name: -array if name == "rows.w2" else array for name, array in ordinary(self, agent).items()})
    capsys.readouterr()
    assert main(["export", model, f"--out={out}"]) == 2
    assert re.search(r"agents in numpy do not do what their controller does \(\d+ of 32 .*step 0 of episode 0.*nothing "
                     r"was exported", capsys.readouterr().err)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    assert main(["check", model, "--steps=9", "--format=numpy"]) == 1
    assert re.search(r"numpy: \d of 9 joint actions equal .*the first that differs: step", capsys.readouterr().out)


def test_what_an_agent_may_do_is_compared_too() -> None:
    """The same action, but of other ones."""
    free, bound = np.array([[1.0, 0.5]], np.float32), np.array([[1.0, LEAST]], np.float32)
    for theirs, whole in ((free, True), (bound, False)):
        found = Compared()
        found.note([0], [0], free, theirs, "there")
        assert (found.agreed, found.whole, found.where) == (1, whole, "")


def test_check_counts(model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", model, "--steps=9", f"--format={FORM}", "--seed=2"]) == 0
    out = capsys.readouterr().out
    assert all(f"{name}: 9 of 9 joint actions equal to the controller's in 9 episodes" in out for name in FORMS)
    assert main(["check", model, "--steps=0"]) == 2
    assert main(["check", model, "--seed=1,2"]) == 2
    assert "--seed must be a whole number in 0 .. 2147483647, not 1,2" in capsys.readouterr().err
    monkeypatch.setattr(commands, "find_spec", lambda name: None)
    assert main(["check", model, "--steps=9"]) == 0
    assert "onnx: not compared, onnx or onnxruntime is not installed" in capsys.readouterr().out
    monkeypatch.setattr("epymarl_cpa.deploy.export.check", lambda *given: {})  # as without onnxruntime
    assert main(["check", model, "--steps=9", "--format=onnx"]) == 1, "what was asked for was not compared"


def test_one_team_replaces_another_of_any_format(model: str, tmp_path: Path) -> None:
    assert main(["export", model, f"--out={tmp_path}"]) == 0
    team = json.loads((tmp_path / MANIFEST).read_text())
    team["files"]["agent_7.onnx"] = team["files"]["agent_0.npz"]
    (tmp_path / MANIFEST).write_text(json.dumps(team))
    for name in ("agent_7.onnx", "agent_8.onnx", "agent_best.npz", "notes.py"):
        (tmp_path / name).write_bytes(b"mine")
    assert main(["export", model, f"--out={tmp_path}"]) == 0
    assert {file.name for file in tmp_path.glob("*") if file.read_bytes() == b"mine"} == {
        "agent_8.onnx", "agent_best.npz", "notes.py"}, "only what the old team lists gives way"
    assert set(json.loads((tmp_path / MANIFEST).read_text())["files"]) == {f"agent_{i}.npz" for i in range(4)}


def test_formats_follow_one_another_in_one_folder(model: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    listed = []
    for form in ("numpy", "onnx", "numpy", "both", "onnx", "numpy"):
        assert main(["export", model, f"--out={tmp_path}", f"--format={form}"]) == 0
        listed.append({file.name for file in tmp_path.iterdir()})
    numpy, onnx = listed[:2]
    assert numpy != onnx and listed == [numpy, onnx, numpy, numpy | onnx, onnx, numpy]


@pytest.mark.parametrize("name", ["policy.py", "key.py", "agent_1.npz", MANIFEST])
def test_files_of_somebody_else_are_not_written_over(name: str, model: str, tmp_path: Path,
                                                     capsys: pytest.CaptureFixture[str]) -> None:
    for others in (b"mine", b'{"files": {"policy.py": 1}}', b'{"files": {}}', b"[]"):
        (tmp_path / name).write_bytes(others)
        (tmp_path / "agent_9.onnx").write_bytes(b"mine")
        assert main(["export", model, f"--out={tmp_path}"]) == 2
        assert f"{tmp_path} holds {name}, not of an exported team" in capsys.readouterr().err
        assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {name: others, "agent_9.onnx": b"mine"}


def test_an_export_that_was_cut_off_while_it_was_put_in_place_is_put_right(
        model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ordinary = os.replace

    def cut(source: Any, target: Any) -> None:
        if Path(target) == tmp_path / "policy.py":
            raise KeyboardInterrupt
        ordinary(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", cut)
        assert main(["export", model, f"--out={tmp_path}"]) == 130
    assert not (tmp_path / "policy.py").exists()
    assert main(["export", model, f"--out={tmp_path}"]) == 0
    assert (tmp_path / "policy.py").exists()


def test_a_missing_library_is_told_and_numpy_does_without(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                          capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert main(["export", model, f"--out={tmp_path / 'a'}", "--format=onnx"]) == 2
    assert "ONNX needs the package onnx, which is not installed" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()
    assert main(["export", model, f"--out={tmp_path / 'a'}", "--format=numpy"]) == 0


@needs_onnx
def test_without_a_runtime_graphs_are_written_and_said_to_be_unchecked(
        model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(exporting, "runtime", lambda: False)
    assert main(["export", model, f"--out={tmp_path}", "--format=onnx"]) == 0
    assert "the ONNX graphs were not run" in capsys.readouterr().out
    assert json.loads((tmp_path / MANIFEST).read_text())["checked"] == {}
    assert {file.suffix for file in tmp_path.iterdir()} == {".onnx", ".json", ".py"}


@needs_onnx
def test_an_encoder_without_a_graph_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    meta, arrays = Untrained("bc", "xor", "use_rnn=true").contents()[0]
    monkeypatch.setattr(graph, "ENCODERS", {"memoryless": graph.ENCODERS["memoryless"]})
    with pytest.raises(UserError, match="no ONNX graph of the encoder 'gru'; those that have one are: memoryless"):
        graph.graph_of(meta, arrays)


def test_a_controller_of_ones_own_is_not_taken_for_that_it_builds_on() -> None:
    team = Untrained("bc", "xor")
    team.mac.__class__ = type("OwnMAC", (BasicMAC,), {"choose": lambda self, values, *rest: values.argmin(-1)})
    with pytest.raises(UserError, match="mac=basic_mac, whose agents cannot be exported"):
        team.take()


@pytest.mark.parametrize(("facts", "sentence"), [
    ({"own_actions": 3}, "says own_actions=3"), ({"own_actions": [0, 4]}, r"says own_actions=\[0, 4\], which must be"),
    ({"own_actions": [True]}, "says own_actions"), ({"kind": "other"}, "says kind=other"),
    ({"before": 1}, "says before=1"), ({"before": 2**13}, "says before=8192"),
    ({"kind": "independent"}, "says before=2, which agent 2 of kind independent cannot need"),
    ({"draws": True}, "says key_numbers=0, but each of 4 agents draws by one of its own"),
    ({"beta": "x"}, "beta"), ({"beta": 0.5, "beta_mode": "no"}, "beta_mode"), ({"filter_least": []}, "filter_least"),
    ({"filter_least": 0.1}, "says filter_least=0.1, which must be a number from -100 to 0"),
    ({"beta": float("nan")}, "says beta=nan, which must be a number from 0 to 1"),
    ({"n_actions": 3}, "says n_actions=3, but its networks are made for 4"), ({"n_seen": 2}, "cannot act|can act")])
def test_a_chains_file_that_says_what_cannot_be(facts: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    meta, arrays = Untrained("cpa_ar", "permutation").contents()[2]
    (tmp_path / "x.npz").write_bytes(npz_of(meta, arrays))
    assert Policy.load(tmp_path / "x.npz").meta == meta
    (tmp_path / "x.npz").write_bytes(npz_of({**meta, **facts}, arrays))
    with pytest.raises(PolicyError, match=sentence):
        Policy.load(tmp_path / "x.npz")


def test_files_of_before_are_read(tmp_path: Path) -> None:
    """They did not say of what kind they are, for there were students and conventions only."""
    for words in ([], ["policy_input=obs"]):
        meta, arrays = Untrained("cpa_pa", "bridge", *words).contents()[1]
        old = {name: value for name, value in meta.items() if name not in ("kind", "before", "draws", "method")}
        (tmp_path / "x.npz").write_bytes(npz_of(old, arrays))
        policies = [Policy.load(tmp_path / "x.npz"), Policy(meta, arrays)]
        seen = np.ones(meta["n_seen"])
        assert [policy.agree(5) for policy in policies] == [policies[0].agree(5)] * 2
        assert len({tuple(policy.act(seen, episode=e) for e in range(40)) for policy in policies}) == 1
